"""The generated code of the wire is what its .proto files say."""

from __future__ import annotations

import subprocess
import sys

from tests.tidy.sources import ROOT


def test_generated_code_is_current() -> None:
    answer = subprocess.run(
        [sys.executable, "protos/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
