"""The query language: what matches, clause by clause, and that no text crashes the parser."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_hub.entities.errors import EntityError
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import parse_ns
from citytwin_hub.entities.q_parser import parse
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()


def one(value: Any, kind: AttributeKind = AttributeKind.PROPERTY, **more: Any) -> Attribute:
    return Attribute(kind=kind, value=value, **more)


def entity(entity_id: str, /, kind: str = "Tank", **attributes: Any) -> Entity:
    return Entity(
        id=entity_id,
        types=(BASE + kind,),
        created_ns=parse_ns("2026-01-01T00:00:00Z"),
        modified_ns=parse_ns("2026-06-01T00:00:00Z"),
        attributes={
            BASE + name: given if isinstance(given, tuple) else (given,)
            for name, given in attributes.items()
        },
    )


OWNER = entity("urn:x:owner", "Company", name=one("Su"), city=one({"name": "Almaty"}))
TANK = entity(
    "urn:x:tank",
    level=one(
        4,
        unit_code="MTR",
        observed_ns=parse_ns("2026-05-01T12:00:00Z"),
        parts={BASE + "accuracy": (one(0.5, observed_ns=5),)},
    ),
    name=one("Eiffel Tower"),
    open=one(False),
    address=one({"city": {"name": "Berlin"}, "lines": ["a", "b"]}),
    color=one({"en": "red", "fr": "rouge", "ru": ["алый", "красный"]}, AttributeKind.LANGUAGE),
    category=one(BASE + "commercial", AttributeKind.VOCAB),
    owner=one("urn:x:owner", AttributeKind.RELATIONSHIP),
    routes=one(["urn:x:1", "urn:x:2"], AttributeKind.LIST_RELATIONSHIP),
    tags=one(["a", 7]),
    built=one("2020-02-03"),
    opened=one({"@type": "DateTime", "@value": "2020-02-03T10:00:00+05:00"}),
    opens=one("08:00:00Z"),
    sized=one(1, dataset="urn:d:1"),
    many=(one(1), one(10, dataset="urn:d:2")),
    link=one("https://e.org/a..b"),
)
KNOWN = {"urn:x:owner": OWNER}


def find(ids: Collection[str]) -> Mapping[str, Entity]:
    return {each: KNOWN[each] for each in ids if each in KNOWN}


def holds(text: str, **more: Any) -> bool:
    return parse(text, NAMES, **more).matches(TANK, find)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Numbers, texts, booleans.
        ("level==4", True),
        ("level==4.0", True),
        ('level=="4"', False),
        ('level!="4"', True),
        ("level>3.9", True),
        ("level>=4;level<=4;level<5", True),
        ('level>"a"', False),
        ('name=="Eiffel Tower"', True),
        ('name>"Ei"', True),
        ("open==false", True),
        ("open==0", False),
        ("open!=true", True),
        ("level==4e0", True),
        ("level==-4", False),
        # An absent attribute.
        ("none==4", False),
        ("none!=4", False),
        ("none", False),
        ("!none", True),
        ("level", True),
        ("!level", False),
        ('none!~="a"', False),
        # Lists and ranges.
        ("level==3..5", True),
        ("level==4..4", True),
        ("level!=4..5", False),
        ("level!=5..6", True),
        ('name=="a","Eiffel Tower"', True),
        ('name!="a","b"', True),
        ('name!="a","Eiffel Tower"', False),
        ('name=="E".."F"', True),
        ("level==1,2,4", True),
        # Values that are lists.
        ('tags=="a"', True),
        ('tags!="a"', False),
        ('tags!="b"', True),
        ("tags>6", True),
        # Patterns.
        ('name~="^Eiffel"', True),
        ('name!~="^Eiffel"', False),
        ("name~=Tow(er|n)$", True),
        (r'name~="\w+ \w+"', True),
        ('level~="4"', False),
        ('level!~="4"', True),
        # And before or; parentheses.
        ("level==4|level==5;none", True),
        ("(level==4|level==5);none", False),
        ("level==5|name", True),
        ("((level))", True),
        # Paths.
        ("level.accuracy==0.5", True),
        ("level.accuracy.observedAt", True),
        ("level.none==0.5", False),
        ('address[city.name]=="Berlin"', True),
        ('address[lines.1]=="b"', True),
        ("address[lines.2]", False),
        ("address[postcode]", False),
        ("!address[postcode]", True),
        ("owner[a]", False),
        # Languages.
        ('color[en]=="red"', True),
        ('color[en]=="rouge"', False),
        ('color[*]=="rouge"', True),
        ('color[*]=="алый"', True),
        ('color[*]!="red"', False),
        ('color[*]!="blau"', True),
        ('color[ru]~="крас"', True),
        ('color=="red"', False),
        ('color!="red"', False),
        ("color", True),
        # Relationships.
        ("owner==urn:x:owner", True),
        ('owner=="urn:x:owner"', True),
        ("owner!=urn:x:owner", False),
        ("owner!=urn:x:1", True),
        ('owner>"urn:a"', False),
        ('owner~="urn"', False),
        ("routes==urn:x:2", True),
        ("routes!=urn:x:2", False),
        ("link==https://e.org/a..b", True),
        # Times.
        ("level.observedAt>=2026-05-01T17:00:00+05:00", True),
        ('level.observedAt>"2026-05-01T12:00:00Z"', False),
        ("level.observedAt==2026-05-01T00:00:00Z..2026-05-02T00:00:00Z", True),
        ("level.observedAt>2026-04-30", True),
        ("level.observedAt==12:00:00Z", False),
        ("built==2020-02-03", True),
        ("built<2020-02-04", True),
        ("opened==2020-02-03T05:00:00Z", True),
        ('opened=="2020-02-03T05:00:00Z"', False),
        ("opens>07:59:59Z", True),
        ("createdAt<2026-02-01T00:00:00Z", True),
        ("modifiedAt>2026-02-01T00:00:00Z", True),
        ("deletedAt", False),
        # Members.
        ('level.unitCode=="MTR"', True),
        ('level.unitCode!="KMT"', True),
        ("sized.datasetId==urn:d:1", True),
        ("level.datasetId", False),
        # Several instances: any.
        ("many>5", True),
        ("many==1", True),
        ("many!=1", True),
        # Linked entities.
        ('owner{name}=="Su"', True),
        ('owner{Company:name}=="Su"', True),
        ('owner{Tank:name}=="Su"', False),
        ('owner{Tank,Company:name}=="Su"', True),
        ('owner{city[name]}=="Almaty"', True),
        ("!owner{none}", True),
        ("routes{name}", False),
        # Absolute names.
        (f"{BASE}level==4", True),
        (f"{BASE}level.accuracy==0.5", True),
        (f'owner{{{BASE}Company:{BASE}name}}=="Su"', True),
        # Room between marks.
        (' level == 4 ; ( name == "Eiffel Tower" ) ', True),
    ],
)
def test_an_entity_matches(text: str, expected: bool) -> None:
    assert holds(text) is expected


def test_values_are_names_where_it_is_asked_for() -> None:
    assert not holds("category==commercial")
    assert holds("category==commercial", expanded={BASE + "category"})
    assert holds('category=="private","commercial"', expanded=[BASE + "category"])


def test_a_query_in_a_document_may_be_percent_encoded() -> None:
    assert holds("name==%22Eiffel%20Tower%22", encoded=True)
    assert not holds("name==%22Eiffel%20Tower%22")


def test_without_a_store_linked_entities_are_not_known() -> None:
    assert not parse("owner{name}", NAMES).matches(TANK)


def test_a_query_says_what_it_is_about() -> None:
    query = parse('level>3;(name|owner{city{a}}=="x");createdAt>2020-01-01', NAMES)
    assert query.attributes() == {BASE + "level", BASE + "name", BASE + "owner"}
    assert query.depth == 2
    assert query.needed() == frozenset({BASE + "level"})
    assert parse("level|name", NAMES).needed() == frozenset({BASE + "level", BASE + "name"})
    assert parse("level|!name", NAMES).needed() is None
    assert parse('modifiedAt>"2020-01-01T00:00:00Z"', NAMES).attributes() == frozenset()


WORDS = 'level name == != > ~= ! ( ) [ ] { } . .. , ; | " a 4 4..5 * \\ urn:x:1 Tank: 1e 2026-01-01'
PIECES = st.sampled_from(WORDS.split(" ")) | st.just(" ")
EXAMPLES = st.sampled_from(
    [
        'level>3;(name=="a"|!owner{Tank:city[a.b]}=="x")',
        "level.observedAt==2026-05-01T00:00:00Z..2026-05-02T00:00:00Z",
        'color[*]~="(a|b)*",c',
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30))
def test_no_text_crashes_the_parser(text: str) -> None:
    try:
        query = parse(text, NAMES)
    except EntityError:
        return
    assert query.matches(TANK, find) in (True, False)


@given(EXAMPLES, st.integers(0, 60), st.integers(0, 4), st.text(max_size=3))
def test_no_mutation_crashes_the_parser(text: str, at: int, cut: int, added: str) -> None:
    mutated = text[:at] + added + text[at + cut :]
    try:
        query = parse(mutated, NAMES)
    except EntityError:
        return
    assert query.matches(TANK, find) in (True, False)
