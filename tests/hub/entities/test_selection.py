"""Selection: everything given must hold, and the hints never rule out what matches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_hub.entities import geo, q_parser, scopes, types
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.patterns import compile_pattern
from citytwin_hub.entities.selection import EVERYTHING, Selection, Selector
from citytwin_hub.entities.store import Hints
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()
LEVEL = Attribute(kind=AttributeKind.PROPERTY, value=3)
PLACE = Attribute(kind=AttributeKind.GEO, value={"type": "Point", "coordinates": [1, 1]})
TANK = Entity(
    id="urn:x:tank",
    types=(BASE + "Tank",),
    scopes=("/Almaty",),
    attributes={BASE + "level": (LEVEL,), BASE + "location": (PLACE,)},
)


def tank(text: str) -> types.TypeSelection:
    return types.parse(text, NAMES)


def near(lon: float) -> geo.GeoQuery:
    return geo.parse("near;maxDistance==1000", "Point", [lon, 1], BASE + "location")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (EVERYTHING, True),
        (Selection(selectors=(Selector(ids=frozenset({"urn:x:tank"})),)), True),
        (Selection(selectors=(Selector(ids=frozenset({"urn:x:1"})),)), False),
        (Selection(selectors=(Selector(id_pattern=compile_pattern("tank", "p")),)), True),
        (Selection(selectors=(Selector(id_pattern=compile_pattern("^tank", "p")),)), False),
        (Selection(selectors=(Selector(types=tank("Pump")), Selector(types=tank("Tank")))), True),
        (Selection(selectors=(Selector(types=tank("Pump")),)), False),
        (Selection(attrs=frozenset({BASE + "level", BASE + "none"})), True),
        (Selection(attrs=frozenset({BASE + "none"})), False),
        (Selection(q=q_parser.parse("level>2", NAMES)), True),
        (Selection(q=q_parser.parse("level>3", NAMES)), False),
        (Selection(scope=scopes.parse("/Almaty")), True),
        (Selection(scope=scopes.parse("/Astana")), False),
        (Selection(geo=near(1)), True),
        (Selection(geo=near(2)), False),
    ],
)
def test_everything_given_must_hold(selection: Selection, expected: bool) -> None:
    assert selection.matches(TANK) is expected


def test_identifiers_come_before_their_pattern() -> None:
    pattern = compile_pattern("^urn:x:pump$", "idPattern")
    selector = Selector(ids=frozenset({"urn:x:tank"}), id_pattern=pattern)
    assert selector.matches(TANK)


def test_hints_say_what_cannot_match() -> None:
    ids = frozenset({"urn:x:tank"})
    selection = Selection(
        selectors=(Selector(ids=ids, types=tank("Tank")), Selector(types=tank("Pump"))),
        q=q_parser.parse("level>2|name", NAMES),
        geo=near(1),
    )
    assert selection.ids is None
    assert selection.types_any() == frozenset({BASE + "Tank", BASE + "Pump"})
    assert selection.attributes_any() == frozenset({BASE + "location"})
    box = selection.box()
    assert box is not None
    assert box[0] == BASE + "location"
    assert selection.hints().box == box
    assert selection.hints().types == {BASE + "Tank", BASE + "Pump"}
    assert not selection.is_exact
    assert EVERYTHING.hints() == Hints()
    assert Selection(selectors=(Selector(ids=ids),)).ids == ids


@pytest.mark.parametrize(
    ("selection", "exact"),
    [
        (EVERYTHING, True),
        (Selection(selectors=(Selector(types=tank("Tank,Pump")),)), True),
        (Selection(selectors=(Selector(types=tank("Tank;Pump")),)), False),
        (Selection(selectors=(Selector(id_pattern=compile_pattern("a", "p")),)), False),
        (Selection(attrs=frozenset({"a"})), True),
        (Selection(scope=scopes.parse("/a")), False),
    ],
)
def test_a_selection_knows_whether_its_hints_say_it_all(selection: Selection, exact: bool) -> None:
    assert selection.is_exact is exact


kinds = st.sets(st.sampled_from(["Tank", "Pump", "Pipe"]), min_size=1)
names = st.sets(st.sampled_from(["level", "flow"]))


@st.composite
def selections(draw: Any) -> Selection:
    text = draw(st.sampled_from(["Tank", "Tank,Pump", "(Tank;Pump)", "(Tank;Pipe),Pump"]))
    ids = draw(st.none() | st.just(frozenset({"urn:x:1", "urn:x:2"})))
    terms = ["level>2", "!flow", "level|flow", "flow;level"]
    query = draw(st.none() | st.sampled_from(terms))
    return Selection(
        selectors=(Selector(ids=ids, types=tank(text)),),
        attrs=draw(st.none() | names.map(lambda each: frozenset(BASE + name for name in each))),
        q=None if query is None else q_parser.parse(query, NAMES),
    )


@given(selections(), kinds, names, st.sampled_from(["urn:x:1", "urn:x:3"]))
def test_hints_never_rule_out_what_matches(
    selection: Selection, has: set[str], attributes: set[str], entity_id: str
) -> None:
    entity = Entity(
        id=entity_id,
        types=tuple(BASE + each for each in sorted(has)),
        attributes={BASE + each: (LEVEL,) for each in attributes},
    )
    ids, some, any_of = selection.ids, selection.types_any(), selection.attributes_any()
    possible = (
        (ids is None or entity_id in ids)
        and (some is None or not some.isdisjoint(entity.types))
        and (any_of is None or not any_of.isdisjoint(entity.attributes))
    )
    matches = selection.matches(entity)
    assert possible or not matches
    if selection.is_exact:
        assert matches is possible
