"""Ptys: a serial line with two ends that other processes open by a stable path."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 4096


class SerialLine:
    """Two ptys with a wire between them; ``ends`` are links, the same at every start."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make the line; must be called on a running event loop."""
        folder.mkdir(parents=True, exist_ok=True)
        self.ends = (folder / f"{name}-field", folder / f"{name}-gateway")
        self._masters: list[int] = []
        self._slaves: list[int] = []
        for end in self.ends:
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            end.unlink(missing_ok=True)
            end.symlink_to(os.ttyname(slave))
            self._masters.append(master)
            # Held open, so that the wire outlives whoever opens and closes an end.
            self._slaves.append(slave)
        loop = asyncio.get_running_loop()
        for source, sink in (self._masters, self._masters[::-1]):
            loop.add_reader(source, self._copy, source, sink)

    def close(self) -> None:
        """Take the line away."""
        loop = asyncio.get_running_loop()
        for descriptor in self._masters:
            loop.remove_reader(descriptor)
        for descriptor in (*self._masters, *self._slaves):
            os.close(descriptor)
        for end in self.ends:
            end.unlink(missing_ok=True)

    @staticmethod
    def _copy(source: int, sink: int) -> None:
        # A wire does not wait: what the other end does not take in time is lost on it.
        with contextlib.suppress(BlockingIOError):
            os.write(sink, os.read(source, CHUNK_BYTES))
