"""SUMO: road network of a traffic simulation, read by sumolib: edges as RoadSegment, junctions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from xml.sax import SAXException  # only the name of what sumolib raises

from citytwin_hub.importers import places
from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Note,
    Refusal,
    Settings,
    SourceError,
    check_size,
    library,
)

FILE_BYTES_MAX: Final = 2**30
"""Of a file, which sumolib holds whole: about five times as much memory."""
KMH: Final = 3.6
"""Kilometres an hour in a metre a second."""


def read(settings: Settings) -> Iterator[Found]:
    """Yield junctions, then the road segments between them; a network's inner lanes are left out.

    Raises:
        SourceError: sumolib cannot read the file.
    """
    sumolib = library("sumolib")
    check_size(settings.path, FILE_BYTES_MAX, "cut it by area with netconvert")
    try:
        net = sumolib.net.readNet(str(settings.path), withInternal=False, withConnections=False)
    # sumolib lets through whatever its parsing meets.
    except (
        OSError, ArithmeticError, AttributeError, LookupError, SAXException, SyntaxError, TypeError,
        ValueError,
    ) as error:  # fmt: skip
        raise SourceError(f"{settings.path} is no network of SUMO: {error!r}") from None
    if not net.getNodes():
        raise SourceError(f"{settings.path} is no network of SUMO: it has no junction")
    system = settings.crs or (str(net._location["projParameter"]) if net.hasGeoProj() else "")
    projection = places.Projection(system) if system else None
    if projection is None:
        yield Note(
            "the network has no coordinate system: the roads came without places; give --crs"
        )
    way = _Way(net, projection)
    gone = {node.getID() for node in net.getNodes() if node.getType() is None}
    for node in net.getNodes():
        if node.getID() not in gone:
            yield _junction(settings, node, way)
    for edge in net.getEdges():
        lost = gone & {edge.getFromNode().getID(), edge.getToNode().getID()}
        if lost:
            yield Refusal(
                f"{settings.path.name}: edge {edge.getID()}", "from, to",
                f"there is no junction {', '.join(sorted(lost))}",
                "make the network anew with netconvert", edge.getID(), "RoadSegment",
            )  # fmt: skip
        else:
            yield _segment(settings, edge, way)


class _Way:
    """Takes a network's positions to the map: its own offset is taken off first."""

    def __init__(self, net: Any, projection: places.Projection | None) -> None:
        self._offset, self._projection = net.getLocationOffset(), projection

    def places(self, positions: Sequence[Sequence[float]]) -> list[tuple[float, float] | None]:
        """Return positions in degrees."""
        if self._projection is None:
            return []
        east, north = self._offset
        return [self._projection.place(x - east, y - north) for x, y, *_ in positions]


def _junction(settings: Settings, node: Any, way: _Way) -> Found:
    name = node.getID()
    draft = Draft(settings, "RoadJunction", name, f"{settings.path.name}: junction {name}")
    found = way.places([node.getCoord()])
    draft.geometry(places.point(found[0]) if found else None).value("category", node.getType())
    return draft.record()


def _segment(settings: Settings, edge: Any, way: _Way) -> Found:
    name = edge.getID()
    draft = Draft(settings, "RoadSegment", name, f"{settings.path.name}: edge {name}")
    draft.tie("startsAt", ("RoadJunction", edge.getFromNode().getID()))
    draft.tie("endsAt", ("RoadJunction", edge.getToNode().getID()))
    draft.geometry(places.line(way.places(edge.getRawShape() or edge.getShape())))
    draft.value("name", edge.getName()).value("roadClass", edge.getType())
    draft.value("length", round(edge.getLength(), 2), "MTR")
    draft.value("maximumAllowedSpeed", round(edge.getSpeed() * KMH, 1), "KMH")
    draft.value("totalLaneNumber", edge.getLaneNumber(), "C62")
    return draft.record()
