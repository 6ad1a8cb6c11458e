"""Files: a folder that one hub has to itself."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from citytwin.errors import StoreError


def locked(folder: Path) -> Any:
    """Return an open file that keeps other hubs out of a folder until it is closed.

    The system closes it when the process ends, however it does.

    Raises:
        StoreError: another hub has it.
    """
    lock = (folder / "hub.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreError(
            f"another hub runs with {folder}; stop that one first (systemctl stop citytwin-hub)"
        ) from None
    return lock
