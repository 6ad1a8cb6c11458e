"""Tables: what the command line shows and takes: columns, times and durations."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from citytwin.errors import CityTwinError

_UNITS_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def table(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table with aligned columns.

    >>> print(
    ...     *table([{"row": 1, "seen_ms": None, "up": True}], ["row", "seen_ms", "up"]), sep="\\n"
    ... )
    row  seen  up
    1    -     yes
    """
    heads = [name.removesuffix("_ms") for name in columns]
    rows = [[_cell(name, item.get(name)) for name in columns] for item in items]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in [heads, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    if not items:
        yield "(none)"


def local_time(ms: int) -> str:
    """Return a moment in this machine's time zone, in ISO 8601 with its offset."""
    return (
        datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
        .astimezone()
        .isoformat(timespec="milliseconds")
    )


def moment_ms(text: str) -> int:
    """Return a moment that somebody typed, in milliseconds since 1970-01-01 UTC.

    >>> moment_ms("2026-11-21T00:00+05:00")
    1795201200000

    Raises:
        CityTwinError: it is not one, or has no time zone.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise CityTwinError(f"{text!r} is not a time such as 2026-11-21T00:00:00+05:00") from None
    if moment.tzinfo is None:
        raise CityTwinError(f"{text!r} has no time zone; add +05:00 or Z")
    return int(moment.timestamp() * 1000)


def duration_ms(text: str) -> int:
    """Return a duration that somebody typed, in milliseconds.

    >>> duration_ms("1.5h")
    5400000

    Raises:
        CityTwinError: it is not one.
    """
    try:
        number = float(text[:-1]) * _UNITS_MS[text[-1]]
        if not 1 <= number <= 36500 * _UNITS_MS["d"]:
            raise ValueError(text)
    except (ValueError, KeyError, IndexError):
        raise CityTwinError(f"{text!r} is not a duration such as 90s, 15m, 2h or 3d") from None
    return int(number)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_ms") and isinstance(value, int):
        return local_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list):
        return " … ".join("" if end is None else f"{end:g}" for end in value)
    return str(value)
