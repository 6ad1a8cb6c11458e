"""Which sources may have what is looked for."""

import pytest

from citytwin_hub.entities import types
from citytwin_hub.entities.patterns import compile_pattern
from citytwin_hub.entities.selection import Selector
from citytwin_hub.entities.sources import (
    CORE,
    GROUPS,
    OPERATIONS,
    READING,
    Information,
    Interval,
    Known,
    Mode,
    Sought,
    Source,
)
from citytwin_hub.entities.subscribers import Meanings

WELL, PUMP = "https://example.org/Well", "https://example.org/Pump"
LEVEL, FLOW = "https://example.org/level", "https://example.org/flow"
ID = "urn:ngsi-ld:Well:1"


def of_type(*iris):
    return Selector(types=types.parse(",".join(iris), Meanings()))


@pytest.mark.parametrize(
    ("known", "selector", "may_be"),
    [
        (Known(types=(WELL,)), of_type(WELL), True),
        (Known(types=(WELL,)), of_type(PUMP), False),
        (Known(types=(WELL,)), of_type(PUMP, WELL), True),
        (Known(types=(WELL,)), Selector(ids=frozenset({ID})), True),
        (Known(types=(WELL,), id=ID), Selector(ids=frozenset({ID, "urn:x:2"})), True),
        (Known(types=(WELL,), id=ID), Selector(ids=frozenset({"urn:x:2"})), False),
        (Known(types=(WELL,), pattern="Well:[12]$"), Selector(ids=frozenset({ID})), True),
        (Known(types=(WELL,), pattern="Well:2$"), Selector(ids=frozenset({ID})), False),
        (Known(types=(WELL,), id=ID), Selector(id_pattern=compile_pattern("1$", "id")), True),
        (Known(types=(WELL,), id=ID), Selector(id_pattern=compile_pattern("2$", "id")), False),
        (
            Known(types=(WELL,), pattern="1$"),
            Selector(id_pattern=compile_pattern("2$", "id")),
            True,
        ),
    ],
)
def test_entities_of_a_source_may_be_those_that_are_sought(known, selector, may_be):
    assert known.may_be(selector) is may_be


def test_information_without_entities_is_of_any_and_without_names_of_any_attribute():
    wells = Information(entities=(Known(types=(WELL,)),), properties=(LEVEL,))
    assert wells.may_have(Sought())
    assert wells.may_have(Sought((of_type(WELL),), {LEVEL, FLOW}))
    assert not wells.may_have(Sought((of_type(WELL),), {FLOW}))
    assert not wells.may_have(Sought((of_type(PUMP),)))
    assert Information(relationships=(FLOW,)).may_have(Sought((of_type(PUMP),), {FLOW}))
    assert Information(entities=(Known(types=(WELL,)),)).attributes is None
    assert Information(properties=(LEVEL,), relationships=(FLOW,)).attributes == {LEVEL, FLOW}


def test_information_overlaps_where_both_name_an_entity_and_may_have_one_attribute():
    one = Information(entities=(Known(types=(WELL,), id=ID),), properties=(LEVEL,))
    other = Information(entities=(Known(types=(WELL,), id=ID),), properties=(FLOW,))
    every = Information(entities=(Known(types=(PUMP,), id=ID),))
    vague = Information(entities=(Known(types=(WELL,)),), properties=(LEVEL,))
    assert one.overlaps(one)
    assert one.overlaps(every)
    assert every.overlaps(other)
    assert not one.overlaps(other)
    assert not one.overlaps(vague)


@pytest.mark.parametrize(
    ("interval", "span", "touches"),
    [
        (Interval(10, 20), (None, 10), False),
        (Interval(10, 20), (None, 11), True),
        (Interval(10, 20), (20, None), True),
        (Interval(10, 20), (21, None), False),
        (Interval(10, None), (1000, 1001), True),
        (Interval(10, 20), (0, 5), False),
        (Interval(10, 20), (12, 13), True),
    ],
)
def test_an_interval_touches_a_span(interval, span, touches):
    assert interval.touches(*span) is touches


def test_a_source_is_described_as_an_entity_with_the_names_of_the_core():
    point = {"type": "Point", "coordinates": [76.9, 43.2]}
    source = Source(
        id="urn:x:1", endpoint="http://h:1", information=(Information(properties=(LEVEL,)),),
        places={"location": point}, properties={FLOW: 3}, scopes=("/Almaty",), expires_ns=5,
    )  # fmt: skip
    entity = source.described()
    assert entity.scopes == ("/Almaty",)
    assert {iri: found[0].value for iri, found in entity.attributes.items()} == {
        CORE + "endpoint": "http://h:1", FLOW: 3, CORE + "location": point,
    }  # fmt: skip
    assert not source.has_ended(4)
    assert source.has_ended(5)


def test_what_reads_writes_nothing_and_groups_are_of_known_operations():
    assert all(members <= OPERATIONS for members in GROUPS.values())
    assert not {"updateEntity", "createEntity", "deleteBatch", "updateOps"} & READING
    assert [mode for mode in Mode if mode.is_proxied] == [Mode.EXCLUSIVE, Mode.REDIRECT]
