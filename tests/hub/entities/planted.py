"""A small healthy network, and a city in which faults are planted one by one."""

import math
from pathlib import Path

from citytwin_hub.importers.frame import Draft, Settings

LON, LAT = 76.95, 43.24
PER_DEGREE = 111_195.0


def at(x, y):
    """Return longitude and latitude so many metres east and north of the centre."""
    return [LON + x / (PER_DEGREE * math.cos(math.radians(LAT))), LAT + y / PER_DEGREE]


def made(kind, name, geometry=None, places=(), ties=(), source="s", **values):
    """Return an entity; ``places`` are metres."""
    draft = Draft(Settings(Path(), source), kind, name, "here")
    if geometry == "Point":
        draft.geometry({"type": "Point", "coordinates": at(*places)})
    elif geometry == "LineString":
        draft.geometry({"type": geometry, "coordinates": [at(*one) for one in places]})
    elif geometry == "Polygon":
        ring = [at(*one) for one in (*places, places[0])]
        draft.geometry({"type": geometry, "coordinates": [ring]})
    for key, value in values.items():
        draft.value(key, value)
    for key, other_kind, other in ties:
        draft.tie(key, (other_kind, other))
    return draft.record().entity


def node(number, x, y, **values):
    return made("Junction", f"{number}", "Point", (x, y), **{"elevation": 800 + x / 50, **values})


def pipe(name, begin, end, places, **values):
    ties = [("startsAt", "Junction", begin), ("endsAt", "Junction", end)]
    return made("Pipe", name, "LineString", places, ties, **{"diameter": 100, **values})


def healthy(columns=6, step=50):
    """Return a street of junctions with pipes between them, all of it in order."""
    nodes = [node(n, n * step, 0) for n in range(columns)]
    pipes = [
        pipe(f"p{n}", f"{n}", f"{n + 1}", [(n * step, 0), ((n + 1) * step, 0)])
        for n in range(columns - 1)
    ]
    return [*nodes, *pipes]


def square(x, y, side=10):
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
