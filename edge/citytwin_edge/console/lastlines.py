"""The last lines of the agent's log, in memory: `logs` and the support bundle show them.

systemd's journal has more of them and keeps them over a restart; these are there without it, with
their fields, also for somebody who may not read the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

LINES_MAX: Final = 1000
CHARS_MAX: Final = 2000
"""Of one field: a trace of an error is long."""

Line = dict[str, str | int | float | bool | None]


class LastLines:
    """A bounded memory of log lines; may be told of them from any thread.

    Attributes:
        watchers: called with each new line, in the thread that logs; never raise, never wait.
    """

    def __init__(self, lines_max: int = LINES_MAX) -> None:
        """Remember so many."""
        self._lines: deque[Line] = deque(maxlen=lines_max)
        self.watchers: list[Callable[[Line], None]] = []

    def keep(self, event: Mapping[str, Any]) -> None:
        """Take one line of the log: its fields."""
        line: Line = {name: _plain(value) for name, value in event.items()}
        self._lines.append(line)
        for watch in tuple(self.watchers):
            watch(line)

    def lines(self, device: str = "", lines_max: int = LINES_MAX) -> list[Line]:
        """Return the newest, oldest first; of one device where it is named."""
        found = [line for line in tuple(self._lines) if is_about(line, device)]
        return found[-lines_max:] if lines_max else []


def is_about(line: Mapping[str, Any], device: str) -> bool:
    """Tell whether a line is about a device: one of its fields is its name. No name: all are."""
    return not device or device in line.values()


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= CHARS_MAX else text[:CHARS_MAX] + "…"
