"""Files: written whole or not at all, durable on return; a folder that one hub has to itself."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from citytwin.errors import StoreError


def replace(path: Path, write: Callable[[IO[bytes]], object], *, mode: int = 0o640) -> None:
    """Make a file of what ``write`` writes; a crash at any moment leaves the old one or the new.

    Raises:
        OSError: it cannot be written; the old one stays.
    """
    partial = path.with_name(path.name + ".partial")
    # A leftover may have other rights than those that are wanted.
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        write(file)
        file.flush()
        os.fsync(descriptor)
    partial.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
