"""A gateway's environment as a technician makes one: the bundle, and its installer beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def call(*command: str | Path, cwd: Path = Path("/"), timeout_s: float = 240) -> str:
    """Run a command away from the checkout and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_bundle(folder: Path) -> Path:
    """Make a bundle for gateways like this machine in ``folder`` and return where it lies."""
    bundle = folder / "citytwin-edge"
    call(ROOT / "deploy/bundle.sh", Path(sys.prefix), "edge", bundle, "--for", "here")
    return bundle


def install(bundle: Path, prefix: Path) -> Path:
    """Run a bundle's installer where there is no network; return the folder of the commands."""
    alone = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--net")
    call(*alone, "./install.sh", "--prefix", prefix, cwd=bundle)
    return prefix / "current/bin"
