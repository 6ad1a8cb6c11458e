"""Files: written whole or not at all, durable on return."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


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
        os.fchmod(descriptor, mode)  # whatever the process' umask is: a service's is strict
        write(file)
        file.flush()
        os.fsync(descriptor)
    partial.rename(path)
    sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file, durably; one that is not there is removed already.

    Raises:
        OSError: it cannot be removed.
    """
    path.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
