"""The index of values: what it finds and the query confirms is what looking at everything finds."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.q_parser import parse
from citytwin_hub.entities.selection import Selection
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change, Hints
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()
ATTRIBUTES = ("level", "name")
TIMES = (
    "2026-11-26T10:00:00Z",
    "2026-11-26T15:00:00+05:00",
    "2026-11-26",
    "10:00:00Z",
    "2026-13-01",
)
LONG_TEXT = "ұ" * 70
SCALARS = st.one_of(
    st.integers(-3, 3), st.sampled_from([0.5, -0.0, 2.0**53, 2**53 + 1, 2**63, 10**30, 1e300]),
    st.booleans(), st.sampled_from(["", "a", "b", "1", "a\x00b", LONG_TEXT + "1", LONG_TEXT + "2"]),
    st.sampled_from(TIMES),
)  # fmt: skip
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=3), st.just([1] * 150 + ["b"]),
    st.builds(lambda value: {"@value": value}, SCALARS), st.just({"a": 1}),
)  # fmt: skip
INSTANCES = st.builds(
    lambda of, dataset: Attribute(kind=of[0], value=of[1], dataset=dataset),
    st.tuples(st.sampled_from([AttributeKind.PROPERTY, AttributeKind.VOCAB]), VALUES)
    | st.tuples(st.just(AttributeKind.RELATIONSHIP), st.sampled_from(["a", "b"])),
    st.sampled_from(["", "urn:d:1"]),
)
MANY = st.lists(INSTANCES, min_size=1, max_size=2, unique_by=lambda one: one.dataset).map(tuple)
STATES = st.lists(
    st.none() | st.dictionaries(st.sampled_from([BASE + a for a in ATTRIBUTES]), MANY),
    min_size=6, max_size=6,
)  # fmt: skip
LITERALS = st.sampled_from(
    [
        "-1",
        "0",
        "0.5",
        "9007199254740993",
        "9223372036854775808",
        "true",
        "false",
        "a",
        '"a"',
        '""',
        f'"{LONG_TEXT}1"',
        *TIMES[:4],
        f'"{TIMES[0]}"',
        "1e30",
    ]
)


def _is_ordered(text):
    return text not in ("true", "false", "a")


TERMS = st.one_of(
    st.builds(
        lambda name, operator, value: f"{name}{operator}{value}",
        st.sampled_from(ATTRIBUTES),
        st.sampled_from(["==", "!="]), LITERALS,
    ),
    st.builds(
        lambda name, operator, value: f"{name}{operator}{value}",
        st.sampled_from(ATTRIBUTES),
        st.sampled_from([">", "<", ">=", "<="]), LITERALS.filter(_is_ordered),
    ),
    st.sampled_from(["level", "!name", "level==-1..1", 'name=="a".."b"', "level==0,2,a"])
    | st.sampled_from(["level==2026-01-01T00:00:00Z..2027-01-01T00:00:00Z", 'name~="a"']),
)  # fmt: skip
QUERIES = st.recursive(
    TERMS,
    lambda some: st.builds(
        lambda a, sign, b: f"({a}{sign}{b})", some, st.sampled_from(";|"), some
    ),
    max_leaves=4,
)  # fmt: skip


def _entity(number, attributes):
    return Entity(id=f"urn:x:{number}", types=(BASE + "Tank",), attributes=attributes)


@contextlib.contextmanager
def _store(path):
    store = SqliteEntities(path)
    try:
        yield store
    finally:
        store.close()


@settings(max_examples=30, deadline=None)
@given(first=STATES, second=STATES, queries=st.lists(QUERIES, min_size=5, max_size=20))
def test_the_index_finds_what_a_full_scan_finds(first, second, queries):
    with tempfile.TemporaryDirectory() as folder, _store(Path(folder) / "entities.db") as store:
        now = {}
        for states in (first, second):
            changes = []
            for number, state in enumerate(states):
                before, after = now.get(number), None if state is None else _entity(number, state)
                if before is not None or after is not None:
                    changes.append(Change(before, after))
                now[number] = after
            store.write(changes, 1)
        for text in queries:
            selection = Selection(q=parse(text, NAMES))
            everything = [one for one in now.values() if one and selection.matches(one)]
            found = [one for one in store.candidates(selection.hints()) if selection.matches(one)]
            assert sorted(one.id for one in found) == sorted(one.id for one in everything), text


def _level(number):
    level = (Attribute(kind=AttributeKind.PROPERTY, value=number),)
    return _entity(number, {BASE + "level": level})


@pytest.mark.parametrize(("text", "expected"), [("level>7", 3), ("level<=2", 3), ("level==5", 1)])
def test_only_what_may_match_is_read(tmp_path, text, expected):
    with _store(tmp_path / "entities.db") as store:
        store.write([Change(None, _level(number)) for number in range(10)], 1)
        hints = Selection(q=parse(text, NAMES)).hints()
        assert store.count(hints) == expected


def test_a_file_from_before_the_index_gets_one(tmp_path):
    with _store(tmp_path / "entities.db") as store:
        store.write([Change(None, _level(number)) for number in range(10)], 1)
        with store.transaction() as (db, _):
            db.execute("DROP TABLE valued")
    with _store(tmp_path / "entities.db") as store:
        assert store.count(Selection(q=parse("level==5", NAMES)).hints()) == 1
        assert store.count(Hints()) == 10
