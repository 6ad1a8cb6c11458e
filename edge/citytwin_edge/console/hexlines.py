"""Hex lines: the bytes of a line as ``frames`` prints them; no I/O.

A serial port gives an answer in pieces, as the driver has them. What comes from one device within a
moment, with nothing sent meanwhile, is shown as one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from citytwin.batch import SECOND_NS

TOGETHER_NS: Final = 50_000_000
"""USB adapters hand over what they have every 16 ms; a busy machine comes later."""
JOINED_BYTES_MAX: Final = 4096

Frame = dict[str, Any]


class Joining:
    """Puts together what comes in pieces."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._open: dict[str, tuple[Frame, int]] = {}

    def take(self, frame: Mapping[str, Any]) -> list[Frame]:
        """Take a frame; return what is whole now."""
        line, whole = frame["line"], []
        pending = self._open.pop(line, None)
        joinable = frame["direction"] == "rx" and not frame["note"]
        if pending is not None:
            before, last_ns = pending
            is_one = joinable and before["device"] == frame["device"]
            is_near = frame["time_ns"] - last_ns <= TOGETHER_NS
            if is_one and is_near and len(before["data"]) < 3 * JOINED_BYTES_MAX:
                before["data"] += " " + frame["data"]
                self._open[line] = (before, frame["time_ns"])
                return []
            whole.append(before)
        if joinable:
            self._open[line] = (dict(frame), frame["time_ns"])
        else:
            whole.append(dict(frame))
        return whole

    def due(self, now_ns: int) -> list[Frame]:
        """Return what nothing more can be put to by now."""
        whole = [
            line for line, (_, last_ns) in self._open.items() if now_ns - last_ns > TOGETHER_NS
        ]
        return [self._open.pop(line)[0] for line in whole]


def text_of(frame: Mapping[str, Any]) -> str:
    """Return a frame's bytes as a text where they are one; empty where they are not."""
    data = bytes.fromhex(frame["data"])
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    bare = text.rstrip("\r\n")
    return repr(text)[1:-1] if bare and bare.isprintable() else ""


def clock_of(time_ns: int) -> str:
    """Return the time of day, UTC, to the millisecond."""
    moment = datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
    return f"{moment:%H:%M:%S}.{time_ns // 1_000_000 % 1000:03d}"
