"""Speeds: at which speeds and parities a scan of a serial line looks, quick first, then wide."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from citytwin_edge.catalogue.shelf import Shelf

QUICK: Final = (9600, 19200)
PARITIES: Final = ("none", "even")
"""Even is what Modbus over Serial Line V1.02, 2.5.1, wants; most meters are delivered with none."""
FAST: Final = 115_200
LINES_MAX: Final = 16
"""So many speeds and parities a wide pass tries at most: two minutes with 32 unit ids each."""

Line = tuple[int, str]
"""Baud and parity."""


def quick(parities: Sequence[str] = PARITIES) -> list[Line]:
    """Return how nearly every line is set."""
    return list(itertools.product(QUICK, parities))


def wide(shelf: Shelf, adapter: str, parities: Sequence[str] = ()) -> list[Line]:
    """Return what else devices of the shelf are delivered with, and how fast ones may be set.

    Args:
        shelf: the profiles.
        adapter: whose devices are looked for.
        parities: those that were asked for; both of PARITIES and the devices' own without.

    Returns:
        as a device is delivered first, then the same speeds with the other parities; none that the
        quick pass has tried, and LINES_MAX at most.
    """
    own = [line for line in _delivered(shelf, adapter) if not parities or line[1] in parities]
    speeds = {baud for baud, _ in _delivered(shelf, adapter)} | {FAST}
    others = itertools.product(sorted(speeds), parities or PARITIES)
    tried = set(quick(parities or PARITIES))
    lines = dict.fromkeys(line for line in itertools.chain(own, others) if line not in tried)
    return list(lines)[:LINES_MAX]


def _delivered(shelf: Shelf, adapter: str) -> Iterable[Line]:
    """Return baud and parity of the devices whose profile says a speed, in order."""
    found = set()
    for profile in map(shelf.profile, shelf.names()):
        fields = profile.file.device
        if profile.adapter == adapter and "baud" in fields:
            found.add((int(fields["baud"]), str(fields.get("parity", "none"))))
    return sorted(found)
