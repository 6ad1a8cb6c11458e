"""Outlines: rings that close, hold their district's centre, and do not overlap."""

import itertools
from random import Random

from democity.outlines import OUTLINES, ring
from democity.places import DISTRICTS

PROBES = 4000


def holds(corners, lon, lat):
    """Tell whether a closed ring holds a place: an odd number of its sides lie east of it."""
    inside = False
    for (x1, y1), (x2, y2) in itertools.pairwise(corners):
        if (y1 > lat) != (y2 > lat) and lon < (x2 - x1) * (lat - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def test_every_district_has_a_closed_ring_without_repeats():
    assert set(OUTLINES) == {district.id for district in DISTRICTS}
    for name in OUTLINES:
        corners = ring(name)
        assert corners[0] == corners[-1]
        assert len({tuple(at) for at in corners}) == len(corners) - 1, name


def test_a_district_holds_its_own_centre_and_no_other_does():
    for district in DISTRICTS:
        holding = [name for name in OUTLINES if holds(ring(name), district.lon, district.lat)]
        assert holding == [district.id]


def test_neighbours_meet_without_overlap_and_the_city_has_no_hole():
    rings = {name: ring(name) for name in OUTLINES}
    random = Random(7)
    for _ in range(PROBES):
        lon, lat = random.uniform(76.74, 77.15), random.uniform(43.03, 43.41)
        assert sum(holds(corners, lon, lat) for corners in rings.values()) <= 1, (lon, lat)
    for _ in range(PROBES):
        # Where the devices stand, every place belongs to a district.
        lon, lat = random.uniform(76.84, 76.96), random.uniform(43.20, 43.30)
        assert sum(holds(corners, lon, lat) for corners in rings.values()) == 1, (lon, lat)
