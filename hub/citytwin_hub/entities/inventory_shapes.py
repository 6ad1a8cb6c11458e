"""Inventory of shapes: gaps, duplicates, overlaps, doubtful elevations, what lies outside."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import shapely

from citytwin_hub.entities.inventory import Finding, Inventory, Object, Plane

TOUCH_M: Final = 0.05
"""Nearer than so is touching: positions are kept to about a centimetre."""
GAP_M: Final = 1.0
OVERLAP_SHARE_MIN: Final = 0.1
"""Of the smaller area; less is drawing."""
OVERLAPPING: Final = frozenset({"Building", "LandUse", "District", "Parcel", "Subcatchment"})
"""Classes of which two areas cannot be in one place."""
NETWORKS: Final = (
    frozenset({"Pipe", "Pump", "Valve"}),
    frozenset({"Conduit", "Orifice", "Weir", "Outlet", "DrainagePump"}),
)
"""Classes of lines that go on in each other; any other goes on in its own."""
CELL_M: Final = 250.0
NEIGHBOURS: Final = 8
NEIGHBOURS_MIN: Final = 3
CELL_OBJECTS_MAX: Final = 400
"""Of one cell, when neighbours are looked for."""
STEP_M: Final = 15.0
SLOPE: Final = 0.3
"""Ground may rise by so much of the distance; on top of that an elevation is doubtful."""
ELEVATIONS_M: Final = (-430.0, 8850.0)


def check_shapes(
    objects: Sequence[Object], plane: Plane, found: Inventory, *, gap_m: float = GAP_M
) -> None:
    """Note gaps, duplicates, overlaps and doubtful elevations."""
    placed = [one for one in objects if one.shape is not None]
    _check_duplicates(placed, plane, found)
    for lines, points in _lines(placed):
        _check_gaps(lines, points, plane, found, gap_m)
    by_kind: dict[str, list[Object]] = defaultdict(list)
    for one in placed:
        if one.kind in OVERLAPPING and one.shape.area > 0 and one.shape.is_valid:
            by_kind[one.kind].append(one)
    for same in by_kind.values():
        _check_overlaps(same, plane, found)
    _check_elevations(placed, plane, found)


def check_outside(objects: Sequence[Object], city: Any, plane: Plane, found: Inventory) -> None:
    """Note what lies outside the city; ``city`` is a shape of the plane."""
    placed = [one for one in objects if one.shape is not None]
    if not placed:
        return
    shapely.prepare(city)
    inside = shapely.intersects(city, np.array([one.shape for one in placed]))
    for one, is_in in zip(placed, inside, strict=True):
        if not is_in:
            away_m = shapely.distance(city, one.shape)
            what = f"it lies {away_m:.0f} m outside the city"
            remedy = "is the coordinate system right? else it is another city's"
            found.note(Finding("outside", one.id, what, remedy, place=plane.place(one.shape)))


def _check_duplicates(placed: Sequence[Object], plane: Plane, found: Inventory) -> None:
    first: dict[tuple[str, bytes], Object] = {}
    for one in placed:
        rounded = shapely.set_precision(shapely.force_2d(one.shape), TOUCH_M) if (
            one.shape.geom_type == "Point"
        ) else one.shape  # fmt: skip
        key = (one.kind, shapely.to_wkb(shapely.normalize(rounded)))
        other = first.setdefault(key, one)
        if other is not one:
            what = f"it lies exactly where {other.id} of the same class does"
            remedy = "merge the two, or delete one"
            found.note(Finding("duplicate", one.id, what, remedy, other.id, plane.place(one.shape)))


def _lines(placed: Sequence[Object]) -> Iterator[tuple[list[Object], list[Object]]]:
    """Yield lines that may go on in each other, and the points where they may end."""
    lines: dict[str, list[Object]] = defaultdict(list)
    points = [one for one in placed if one.shape.geom_type == "Point"]
    for one in placed:
        if one.shape.geom_type == "LineString":
            group = next((n for n in NETWORKS if one.kind in n), frozenset({one.kind}))
            lines[min(group)].append(one)
    for some in lines.values():
        yield some, points


def _check_gaps(
    lines: Sequence[Object],
    points: Sequence[Object],
    plane: Plane,
    found: Inventory,
    gap_m: float,
) -> None:
    """Note ends that touch neither a line nor a point, but nearly do."""
    shapes = np.array([one.shape for one in lines])
    ends = np.concatenate([shapely.get_point(shapes, 0), shapely.get_point(shapes, -1)])
    own = np.tile(np.arange(len(lines)), 2)
    if points:
        dots = shapely.STRtree(np.array([one.shape for one in points]))
        touched = np.unique(dots.query(ends, predicate="dwithin", distance=TOUCH_M)[0])
        free = np.setdiff1d(np.arange(len(ends)), touched)
    else:
        free = np.arange(len(ends))
    end_of, line = shapely.STRtree(shapes).query(ends[free], predicate="dwithin", distance=gap_m)
    end_of = free[end_of]
    other = own[end_of] != line
    end_of, line = end_of[other], line[other]
    away = shapely.distance(ends[end_of], shapes[line])
    nearest: dict[int, tuple[float, int]] = {}
    for end, target, gap in zip(end_of.tolist(), line.tolist(), away.tolist(), strict=True):
        if gap < nearest.get(end, (math.inf, 0))[0]:
            nearest[end] = (gap, target)
    for end, (gap, target) in nearest.items():
        if gap > TOUCH_M:
            one, two = lines[int(own[end])], lines[target]
            what = f"its end is {gap:.2f} m away from {two.id} and touches nothing"
            remedy = "draw it on, or say that it ends here"
            place = plane.place(ends[end])
            found.note(Finding("gap", one.id, what, remedy, two.id, place))


def _check_overlaps(same: Sequence[Object], plane: Plane, found: Inventory) -> None:
    shapes = np.array([one.shape for one in same])
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    common = shapely.area(shapely.intersection(shapes[left], shapes[right]))
    smaller = np.minimum(shapely.area(shapes[left]), shapely.area(shapes[right]))
    for number in np.flatnonzero(common > OVERLAP_SHARE_MIN * smaller):
        one, two = same[int(left[number])], same[int(right[number])]
        share = 100 * common[number] / smaller[number]
        what = f"it and {two.id} overlap on {common[number]:.0f} m², {share:.0f} % of the smaller"
        remedy = "one of them is drawn wrong, or is there twice"
        found.note(Finding("overlap", one.id, what, remedy, two.id, plane.place(one.shape)))


def _check_elevations(placed: Sequence[Object], plane: Plane, found: Inventory) -> None:
    known = [one for one in placed if not math.isnan(one.elevation)]
    places = np.array([shapely.get_coordinates(one.shape)[0] for one in known]).reshape(-1, 2)
    heights = np.array([one.elevation for one in known])
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, (x, y) in enumerate((places // CELL_M).astype(int).tolist()):
        if len(cells[x, y]) < CELL_OBJECTS_MAX:
            cells[x, y].append(number)
    for number, one in enumerate(known):
        low, high = ELEVATIONS_M
        if not low <= one.elevation <= high:
            what = f"its elevation is {one.elevation:g} m, which is nowhere on Earth"
        else:
            what = _doubt(number, places, heights, cells)
        if what:
            remedy = "compare it with the survey or the terrain, and correct it at the source"
            place = plane.place(one.shape)
            found.note(Finding("elevation", one.id, what, remedy, place=place))


def _doubt(
    number: int, places: np.ndarray, heights: np.ndarray, cells: dict[tuple[int, int], list[int]]
) -> str:
    """Return what is odd about an elevation beside those of the nearest objects."""
    x, y = (places[number] // CELL_M).astype(int).tolist()
    around = [
        other
        for column in (x - 1, x, x + 1)
        for row in (y - 1, y, y + 1)
        for other in cells.get((column, row), ())
        if other != number
    ]
    if len(around) < NEIGHBOURS_MIN:
        return ""
    near = np.array(around)
    away = np.hypot(*(places[near] - places[number]).T)
    nearest = np.argsort(away)[:NEIGHBOURS]
    near, away = near[nearest], away[nearest]
    middle = float(np.median(heights[near]))
    spread = float(np.median(np.abs(heights[near] - middle)))
    most = max(STEP_M, SLOPE * float(np.median(away)), 5 * spread)
    off = float(heights[number]) - middle
    if abs(off) <= most:
        return ""
    return (
        f"its elevation is {heights[number]:.1f} m, the {len(near)} objects within "
        f"{away.max():.0f} m have {middle:.1f} m"
    )
