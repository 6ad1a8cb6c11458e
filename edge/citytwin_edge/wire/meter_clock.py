"""Meter clock: the time that a readout says, in the data sets 0.9.1 (time) and 0.9.2 (date).

>>> digits("17-11-06", 6), digits("0220127", 6, 7), digits("16:40:56", 6)
('171106', '0220127', '164056')
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.iec62056 import DataSet
from citytwin_edge.wire.obis import Ambiguous, Code, Name, choose
from citytwin_edge.wire.telegrams import moment

_TIME, _DATE = Code(None, None, 0, 9, 1), Code(None, None, 0, 9, 2)
_BETWEEN: Final = re.compile(r"[-:. /]")
_SEASON: Final = {"0": "W", "1": "S"}
"""What may stand before a date (VDEW): 0 winter time, 1 summer time; 2, UTC, is told apart."""


def digits(text: str, *lengths: int) -> str:
    """Return the digits of a date or time.

    Raises:
        DeviceMalformed: there is something else, or another number of them.
    """
    found = _BETWEEN.sub("", text.strip())
    if not found.isdigit() or len(found) not in lengths:
        raise DeviceMalformed(f"{text[:20]!r} is no date YY-MM-DD or time hh:mm:ss of a meter")
    return found


def moment_of_lines(sets: Mapping[Name, DataSet], utc_offset_h: float) -> int:
    """Return UTC nanoseconds of the date and time in a readout.

    Args:
        sets: its data sets by name.
        utc_offset_h: by how many hours the meter's clock is ahead of UTC.

    Raises:
        DeviceMalformed: there is none, or it is none.
    """
    try:
        time, date = choose(_TIME, sets), choose(_DATE, sets)
    except Ambiguous as error:
        raise DeviceMalformed(str(error)) from None
    if time is None or date is None:
        raise DeviceMalformed('the readout has no 0.9.1 and 0.9.2; clock = "gateway" needs none')
    day = digits(sets[date].groups[0], 6, 7)
    season = day[0] if len(day) == 7 else "0"
    if season not in {"0", "1", "2"}:
        raise DeviceMalformed(f"season {season} of the date is not 0, 1 or 2")
    # Some meters put the season before the time, too.
    clock = digits(sets[time].groups[0], 6, 7)
    return moment(
        f"{day[-6:]}{clock[-6:]}{_SEASON.get(season, 'W')}", 0.0 if season == "2" else utc_offset_h
    )
