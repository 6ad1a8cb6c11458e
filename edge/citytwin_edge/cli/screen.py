"""A screen of its own in a terminal: drawn over and over, scrolled by keys, given back at last."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import termios
import tty
from collections.abc import Sequence
from typing import Any, Final

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_KEYS: Final = {
    "q": "leave", "\x1b[A": "up", "\x1b[B": "down", "k": "up", "j": "down",
    "\x1b[5~": "page up", "\x1b[6~": "page down", "b": "page up", " ": "page down",
}  # fmt: skip


class Screen:
    """The alternate screen; use it as a context within a running event loop.

    Attributes:
        is_left: whether somebody typed q.
    """

    def __init__(self) -> None:
        """Touch nothing yet."""
        self.is_left = False
        self._first = 0
        self._lines = 0
        self._moved = asyncio.Event()
        self._before: list[Any] | None = None

    def __enter__(self) -> Screen:
        if sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._typed)
        sys.stdout.write(_ENTER)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()

    def _typed(self) -> None:
        typed = os.read(sys.stdin.fileno(), 64).decode(errors="replace")
        does = _KEYS.get(typed, "")
        page = max(self._height - 1, 1)
        steps = {"up": -1, "down": 1, "page up": -page, "page down": page}
        self._first += steps.get(does, 0)
        self.is_left = self.is_left or does == "leave"
        self._moved.set()

    @property
    def _height(self) -> int:
        """How many lines a table may have: all but the head line."""
        return max(shutil.get_terminal_size().lines - 1, 2)

    async def moved(self, within_s: float) -> None:
        """Wait until somebody typed something, at most so long."""
        self._moved.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._moved.wait()
        except TimeoutError:
            pass

    def draw(self, head: str, table: Sequence[str]) -> None:
        """Draw a line about the whole, and of a table what fits; its first line stays."""
        room = self._height - 1
        last = max(len(table) - 1 - room, 0)
        self._first = min(max(self._first, 0), last)
        shown = [table[0], *table[1 + self._first : 1 + self._first + room]]
        if last:
            head += f", {self._first + 1} to {self._first + len(shown) - 1}: arrows and space"
        lines = [f"{head} - q ends", *shown]
        # Lines that are too long would push the others off the screen.
        sys.stdout.write("\x1b[?7l\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in lines[:-1]))
        sys.stdout.write(f"{lines[-1]}\x1b[K\x1b[J\x1b[?7h")
        sys.stdout.flush()
