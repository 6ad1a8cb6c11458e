"""The live table of ``watch``: what it remembers of each point, and its lines; no I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from citytwin.batch import SECOND_NS

SPARKS_MAX: Final = 20
STAMPS_MAX: Final = 16
"""Of so many samples their rate is told."""
_SPARKS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = "·"


@dataclass
class _Point:
    """One row: the point, its newest sample, and the last few."""

    about: Mapping[str, Any]
    value: float | str | None = None
    quality: str = ""
    time_ns: int = 0
    recent: deque[float | None] = field(default_factory=lambda: deque(maxlen=SPARKS_MAX))
    stamps_ns: deque[int] = field(default_factory=lambda: deque(maxlen=STAMPS_MAX))

    def take(self, time_ns: int, value: float | str | None, quality: str) -> None:
        self.value, self.quality, self.time_ns = value, quality, time_ns
        self.recent.append(None if isinstance(value, str) else value)
        self.stamps_ns.append(time_ns)


class Live:
    """Points and their samples, as ``watch`` gets them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._points: dict[int, _Point] = {}
        self.dropped = 0

    def take(self, item: Mapping[str, Any]) -> None:
        """Take one item of ``watch``: points, or samples."""
        if "points" in item:
            self._points.clear()
        for about in item.get("points", ()):
            point = self._points[about["number"]] = _Point(about)
            if about["time_ns"]:
                point.take(about["time_ns"], about["value"], about["quality"])
        for number, time_ns, value, quality in item.get("samples", ()):
            if number in self._points:
                self._points[number].take(time_ns, value, quality)
        self.dropped += item.get("dropped", 0)

    @property
    def is_complete(self) -> bool:
        """Whether every point has been heard of."""
        return all(point.time_ns for point in self._points.values())

    def rows(self, now_ns: int) -> list[dict[str, Any]]:
        """Return a row for each point."""
        return [_row(point, now_ns) for point in self._points.values()]


def _row(point: _Point, now_ns: int) -> dict[str, Any]:
    about = point.about
    return {
        "device": about["device"],
        "point": about["point"],
        "value": point.value,
        "unit": about["unit"],
        "quality": point.quality or "none yet",
        "age": _age(point.time_ns, now_ns),
        "rate": rate(point.stamps_ns),
        "last": sparks(point.recent),
    }


def _age(time_ns: int, now_ns: int) -> str:
    if not time_ns:
        return ""
    seconds = max(now_ns - time_ns, 0) / SECOND_NS
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def rate(stamps_ns: Sequence[int]) -> str:
    """Return how often samples come, of their stamps: "1.0/s", "4.0/min"; empty before the third.

    The same stamp many times, as of what a broker kept, is no rate.
    """
    if len(stamps_ns) < 3:
        return ""
    span_s = (max(stamps_ns) - min(stamps_ns)) / SECOND_NS
    if span_s <= 0:
        return ""
    per_s = (len(stamps_ns) - 1) / span_s
    if per_s >= 0.1:
        return f"{per_s:.1f}/s"
    return f"{per_s * 60:.1f}/min"


def sparks(values: Sequence[float | None] | deque[float | None]) -> str:
    """Return values as a line of blocks between their least and their greatest; gaps as dots.

    >>> sparks([0, 1, None, 7])
    '▁▂·█'
    """
    known = [one for one in values if one is not None]
    if not known:
        return _GAP * len(values)
    low, span = min(known), max(known) - min(known)
    steps = len(_SPARKS) - 1
    return "".join(
        _GAP if one is None
        else _SPARKS[round((one - low) / span * steps)] if span > 0 else _SPARKS[steps // 2]
        for one in values
    )  # fmt: skip
