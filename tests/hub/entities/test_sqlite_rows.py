"""Rows beside the log: several changes as one, and numbers that are never given twice."""

from contextlib import closing

import pytest

from citytwin.errors import StoreLimit
from citytwin_hub.entities import sqlite_rows as module
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_rows import Naming, numbers_of, taken_together
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, prop

ONE, TWO = entity(1, level=prop(1)), entity(1, level=prop(2))
OTHER = entity(2)


def test_several_changes_of_an_entity_are_one():
    assert taken_together([Change(None, ONE), Change(None, OTHER), Change(ONE, TWO)]) == [
        Change(None, TWO),
        Change(None, OTHER),
    ]
    assert taken_together([Change(ONE, None), Change(None, TWO)]) == [Change(ONE, TWO)]
    assert taken_together([Change(None, ONE), Change(ONE, None)]) == []


def test_numbers_stay(tmp_path, monkeypatch):
    with closing(SqliteEntities(tmp_path / "entities.db")) as store, store.transaction() as (db, _):
        first = numbers_of(db, ["urn:b", "urn:a"])
        assert numbers_of(db, ["urn:a", "urn:c"])["urn:a"] == first["urn:a"]
        names = Naming(db, {})
        level = names.of("https://example.org/level")
        assert names.of("https://example.org/flow") != level
        assert names.of("https://example.org/level") == level
        monkeypatch.setattr(module, "NAMES_MAX", level)
        with pytest.raises(StoreLimit):
            names.of("https://example.org/third")
