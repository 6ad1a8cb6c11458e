"""Files: one hub at a time in a folder."""

import subprocess
import sys

import pytest

from citytwin.errors import StoreError
from citytwin_hub.files import locked


def test_one_hub_at_a_time(tmp_path):
    """The lock ends with its process, however that ends."""
    code = (
        "import sys, pathlib; from citytwin_hub.files import locked\n"
        "lock = locked(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"another hub runs with {tmp_path}"):
            locked(tmp_path)
        child.kill()
    locked(tmp_path).close()
