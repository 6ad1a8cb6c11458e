"""Vector tiles: byte by byte as the specification's examples, and nothing that draws nothing."""

import pytest
import shapely

from citytwin_hub.apis.ogc import mvt


def commands(geometry):
    found = mvt.drawn(geometry, {})
    return list(found.commands) if found else None


# Mapbox Vector Tile 2.1, 4.3.5: points, lines and polygons with their commands.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POINT (25 17)", [9, 50, 34]),
        ("MULTIPOINT (5 7, 3 2)", [17, 10, 14, 3, 9]),
        ("LINESTRING (2 2, 2 10, 10 10)", [9, 4, 4, 18, 0, 16, 16, 0]),
        (
            "MULTILINESTRING ((2 2, 2 10, 10 10), (1 1, 3 5))",
            [9, 4, 4, 18, 0, 16, 16, 0, 9, 17, 17, 10, 4, 8],
        ),
    ],
)
def test_commands_are_those_of_the_specification(text, expected):
    assert commands(shapely.from_wkt(text)) == expected


def test_rings_turn_as_they_should():
    holed = shapely.box(11, 11, 20, 20).difference(shapely.box(13, 13, 17, 17))
    pen = mvt._Pen()
    pen.draw(3, holed)
    outer, hole = pen._lines
    assert mvt._area(outer) == 2 * 81
    assert mvt._area(hole) == -2 * 16


@pytest.mark.parametrize(
    "text",
    [
        "POLYGON EMPTY", "POLYGON ((0 0, 0.1 0, 0.1 0.1, 0 0))", "LINESTRING (0 0, 0.2 0.2)",
        "GEOMETRYCOLLECTION EMPTY",
    ],
)  # fmt: skip
def test_what_has_come_to_nothing_is_left_out(text):
    assert mvt.drawn(shapely.from_wkt(text), {}) is None


def test_of_what_clipping_leaves_the_highest_dimension_stays():
    found = mvt.drawn(
        shapely.from_wkt("GEOMETRYCOLLECTION (POINT (1 1), LINESTRING (2 2, 2 10))"), {}
    )
    assert found is not None
    assert (found.kind, list(found.commands)) == (2, [9, 4, 4, 10, 0, 16])


def test_a_layer_has_as_many_bytes_as_it_may():
    layer = mvt.Layer("tanks", 200)
    added = 0
    while layer.add(mvt.point(added, 5, {"id": f"tank {added}", "full": True, "level": 1.5})):
        added += 1
    assert 2 < added < 20
    assert len(layer.tile()) <= 200 + 20
    assert mvt.Layer("tanks", 200).tile() == b""
