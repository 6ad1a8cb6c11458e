"""Running: the programs that the installer calls, without what it was itself started with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

from installer.errors import InstallError

CALL_S_MAX: Final = 60.0
WORK_S_MAX: Final = 1800.0
"""Unpacking and compiling, on the slowest card."""
NOT_STARTED: Final = 126
"""Exit code of a program that could not be started."""


def environment() -> dict[str, str]:
    """Return ours without what concerns Python: the installed one is on its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def call(
    *command: str | Path, user: str | None = None, wait_s_max: float = CALL_S_MAX
) -> subprocess.CompletedProcess[str]:
    """Run a program in the root folder and return how it ended.

    Raises:
        InstallError: it is not there, or gave no answer in time.
    """
    who: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
    try:
        return subprocess.run(
            [str(word) for word in command],
            cwd="/", env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=wait_s_max, check=False, **who,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InstallError(
            f"{command[0]} gave no answer within {wait_s_max:g} s; is the machine overloaded?"
        ) from None
    except PermissionError as error:
        return subprocess.CompletedProcess(command, NOT_STARTED, "", str(error))
    except OSError as error:
        raise InstallError(f"{command[0]} cannot be run: {error}") from None


def must(*command: str | Path, wait_s_max: float = CALL_S_MAX) -> str:
    """Run a program that has to succeed; return what it printed.

    Raises:
        InstallError: it did not.
    """
    done = call(*command, wait_s_max=wait_s_max)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise InstallError(f"{' '.join(map(str, command))}: {said or done.returncode}")
    return done.stdout
