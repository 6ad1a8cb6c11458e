"""CQL2 expressions over features: what passes, what does not, what is refused."""

import pytest

from citytwin_hub.apis.ngsild.languages import parse as languages
from citytwin_hub.apis.ogc import cql2_text, crs, filters
from citytwin_hub.apis.ogc.features import LOCATION, Feature
from citytwin_hub.entities.errors import BadRequestData, EntityError, TooComplexQuery
from citytwin_hub.entities.store import Box
from tests.hub.apis.ogc.serving import words
from tests.hub.entities.samples import entity, link, point, prop

TANK = Feature(
    entity(
        1,
        level=prop(3.5, observed_ns=10**18),
        name=words(en="Tank 50% (old)"),
        open=prop(True),  # a value
        feeds=link("urn:a", "urn:b"),
        location=point(76.9, 43.2),
    ),
    languages("*"),
)
NOWHERE = Feature(entity(2, level=prop(1)), languages("*"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("level > 3", True),
        ("level > 3 AND level < 3.5", False),
        ("level >= 3.5 AND level <= 3.5", True),
        ("level = 4 OR name = 'x' OR open = TRUE", True),
        ("open", True),
        ("NOT open", False),
        ("level <> 3.5", False),
        ("3 < level", True),
        ("level BETWEEN 3 AND 4", True),
        ("level NOT BETWEEN 3 AND 4", False),
        ("level IN (1, 3.5)", True),
        ("level NOT IN (1, 2)", True),
        ("id = 'urn:ngsi-ld:Tank:1'", True),
        ("name LIKE 'Tank %'", True),
        ("name LIKE 'tank%'", False),
        (r"name LIKE '%50\%%'", True),
        (r"name LIKE '%5\%%'", False),
        ("name LIKE 'Tan_ 50_ (old)'", True),
        ("CASEI(name) LIKE CASEI('tANK%')", True),
        ("CASEI(name) = CASEI('tank 50% (OLD)')", True),
        ("feeds = 'urn:b'", True),
        ("feeds = 'urn:c'", False),
        ("feeds LIKE 'urn:%'", True),
        ("nothing IS NULL", True),
        ("level IS NOT NULL", True),
        ("nothing = 1", None),
        ("NOT nothing = 1", None),
        ("nothing = 1 OR open", True),
        ("nothing = 1 AND level = 0", False),
        ("level = 'x'", None),
        ("level.observedAt = TIMESTAMP('2001-09-09T06:46:40+05:00')", True),
        ("level.observedAt > TIMESTAMP('2001-09-09T01:46:40Z')", False),
        ("level.observedAt = DATE('2001-09-09')", True),
        ("name > TIMESTAMP('2001-09-09T01:46:40Z')", None),
        ("S_INTERSECTS(geometry, BBOX(76, 43, 77, 44))", True),
        ("S_WITHIN(geometry, POLYGON((76 43, 77 43, 77 44, 76 43)))", True),
        ("S_CONTAINS(POLYGON((76 43, 77 43, 77 44, 76 43)), geometry)", True),
        ("S_DISJOINT(geometry, POINT(76 43))", True),
        ("S_EQUALS(location, POINT(76.9 43.2))", True),
        ("S_CROSSES(geom, LINESTRING(76.9 43, 76.9 44))", False),
        ("S_INTERSECTS(geometry, BBOX(0, 0, 1, 1))", False),
    ],
)
def test_a_feature_passes_or_not(text, expected):
    assert filters.compiled(cql2_text.parse(text)).test(TANK) is expected


def test_a_feature_without_a_place_is_neither_inside_nor_outside():
    for text in (
        "S_INTERSECTS(geometry, BBOX(76, 43, 77, 44))",
        "S_DISJOINT(geometry, POINT(1 1))",
    ):
        found = filters.compiled(cql2_text.parse(text))
        assert found.test(NOWHERE) is None
        assert not found.passes(NOWHERE)


def test_a_filter_says_where_and_of_what_it_asks():
    found = filters.compiled(
        cql2_text.parse("level > 1 AND S_INTERSECTS(geometry, BBOX(76, 43, 77, 44))")
    )
    assert found.box == Box(LOCATION, 76, 43, 77, 44)
    assert found.names == {"level"}
    for text in (
        "level > 1 OR S_INTERSECTS(geometry, POINT(1 1))",
        "NOT S_INTERSECTS(geometry, POINT(1 1))",
        "S_DISJOINT(geometry, POINT(1 1))",
    ):
        assert filters.compiled(cql2_text.parse(text)).box is None


def test_geometries_may_be_in_another_system():
    expression = cql2_text.parse("S_INTERSECTS(geometry, BBOX(43, 76, 44, 77))")
    assert filters.compiled(expression, crs.EPSG.format(4326)).passes(TANK)
    assert not filters.compiled(expression).passes(TANK)


@pytest.mark.parametrize(
    "node",
    [
        None, 1, "x", [], {}, {"op": 1, "args": [1]}, {"op": "and"}, {"op": "and", "args": []},
        {"op": "=", "args": [1]}, {"op": "=", "args": [[], 1]}, {"op": "fly", "args": [1]},
        {"op": "=", "args": [{"op": "+", "args": [1, 2]}, 3]},
        {"op": "=", "args": [{"property": 1}, 1]}, {"op": "in", "args": [{"property": "a"}, 1]},
        {"op": "like", "args": [{"property": "a"}, 1]},
        {"op": "like", "args": [{"property": "a"}, "%" * 1000]},
        {"op": "=", "args": [{"property": "a"}, {"date": "yesterday"}]},
        {"op": "=", "args": [{"property": "a"}, {"timestamp": 5}]},
        {"op": "s_within", "args": [{"property": "a"}, {"bbox": [1, 2, 3, 4]}]},
        {"op": "s_within", "args": [{"property": "geometry"}, {"bbox": [1, "2", 3, 4]}]},
        {"op": "s_within", "args": [{"property": "geometry"}, {"bbox": [1e300, 2, 3, 4]}]},
        {"op": "s_within", "args": [{"property": "geometry"}, {"type": "Cube"}]},
        {"op": "s_within", "args": [{"property": "geometry"}, {"property": "geometry"}]},
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(node):
    with pytest.raises(BadRequestData):
        filters.compiled(node)


def test_an_expression_has_a_size_and_a_depth():
    one = {"op": "isNull", "args": [{"property": "a"}]}
    with pytest.raises(TooComplexQuery):
        filters.compiled({"op": "and", "args": [one] * 1000})
    for _ in range(60):
        one = {"op": "not", "args": [one]}
    with pytest.raises(EntityError):
        filters.compiled(one)
