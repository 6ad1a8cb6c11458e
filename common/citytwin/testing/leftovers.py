"""Leftovers: tasks, threads and open files that are there now and were not there before."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_FILES: Final = Path("/proc/self/fd")
_SETTLE_S: Final = 1.0
_LOOK_S: Final = 0.01
_ALIKE: Final = 5
"""So often in a row the same is seen when all has settled."""
_WORKERS: Final = "asyncio_"
"""Threads of the loop's own pool, kept for its next use."""


class Leftovers:
    """What runs and is open at one moment, to be compared with later ones.

    Compared by number and kind, not one by one: a bench may have closed a line and opened it again.
    """

    def __init__(self) -> None:
        """Count what there is now."""
        self._tasks, self._threads, self._files = _tasks(), _threads(), _files()

    async def forgive(self) -> None:
        """Count anew: what a library begins or opens once and keeps is no leftover.

        A busy thread of the loop's pool is none of a library's.
        """
        begun = self._threads
        alike, now = 0, (_threads(), _files(), _tasks())
        for _ in range(int(_SETTLE_S / _LOOK_S)):
            now = _threads(), _files(), _tasks()
            alike = alike + 1 if now == (self._threads, self._files, self._tasks) else 0
            self._threads, self._files, self._tasks = now
            if alike >= _ALIKE:
                break
            await asyncio.sleep(_LOOK_S)
        self._threads = Counter(
            {n: begun[n] if n.startswith(_WORKERS) else count for n, count in now[0].items()}
        )

    async def found(self) -> list[str]:
        """Return what is too much, in words, after what ends by itself within a second has."""
        for _ in range(int(_SETTLE_S / _LOOK_S)):
            if not self._now():
                return []
            await asyncio.sleep(_LOOK_S)
        return self._now()

    def _now(self) -> list[str]:
        found = [f"task {name}" for name in sorted((_tasks() - self._tasks).elements())]
        threads = _threads() - self._threads
        found += [f"thread {name}" for name in sorted(threads.elements())]
        files = _files()
        more = files.total() - self._files.total()
        if more > 0:
            found += [f"open file {name}" for name in sorted((files - self._files).elements())]
        return found


def _tasks() -> Counter[str]:
    current = asyncio.current_task()
    return Counter(
        getattr(task.get_coro(), "__qualname__", task.get_name())
        for task in asyncio.all_tasks()
        if task is not current
    )


def _threads() -> Counter[str]:
    frames = sys._current_frames()
    return Counter(
        thread.name.rstrip("0123456789")
        for thread in threading.enumerate()
        if not thread.name.startswith(_WORKERS) or _is_busy(thread, frames)
    )


def _is_busy(thread: threading.Thread, frames: Mapping[int, object]) -> bool:
    """Tell whether a worker of the loop's pool does something: it waits for work in ``_worker``."""
    frame = frames.get(thread.ident or 0)
    code = getattr(frame, "f_code", None)
    return code is not None and code.co_name != "_worker"


def _files() -> Counter[str]:
    """Return what the open files of this process are; nothing where the system does not say."""
    found: Counter[str] = Counter()
    if not _FILES.is_dir():
        return found
    for entry in _FILES.iterdir():
        try:
            target = str(entry.readlink())
        except OSError:  # the folder itself, closed meanwhile
            continue
        if not target.endswith("/fd"):
            found[target] += 1
    return found
