"""Entities in SQLite."""

import pytest

from citytwin.errors import StoreError
from citytwin_hub.entities import changes
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Change, Hints
from tests.hub.entities.check_store import check_store
from tests.hub.entities.samples import entity, name, prop


@pytest.fixture
def store(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    yield store
    store.close()


def test_it_is_an_entity_store(store):
    check_store(store)


def test_what_was_written_is_there_after_a_restart(tmp_path):
    tank = changes.created(entity(1, level=prop(3)), 10)
    first = SqliteEntities(tmp_path / "entities.db")
    first.write([Change(None, tank)], 10)
    first.close()
    again = SqliteEntities(tmp_path / "entities.db")
    assert again.get(tank.id) == tank
    assert list(again.candidates(Hints(types=[name("Tank")]))) == [tank]
    assert again.number_of(name("Tank")) > 0
    again.close()


def test_nothing_is_kept_of_a_batch_that_fails(store):
    tank = changes.created(entity(1, level=prop(3)), 10)
    broken = changes.created(entity(2, level=prop(object())), 10)
    with pytest.raises(TypeError):
        store.write([Change(None, tank), Change(None, broken)], 10)
    assert store.count(Hints()) == 0
    assert store.types() == {}
    store.write([Change(None, tank)], 10)
    assert store.get(tank.id) == tank
    assert store.number_of(name("Tank")) > 0


def test_a_record_number_is_never_used_twice(store):
    tank = changes.created(entity(1, level=prop(3)), 10)
    numbers = [
        store.write([Change(None, tank)], 10),
        store.write([Change(tank, None)], 20),
        store.write([Change(None, tank)], 30),
    ]
    assert numbers == sorted(set(numbers))
    (rows,) = store.database.reader.execute("SELECT count(*) FROM identifier").fetchone()
    assert rows == 1


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "entities.db").write_text("this is not a database, and long enough to show it")
    with pytest.raises(StoreError, match=r"entities\.db cannot be used"):
        SqliteEntities(tmp_path / "entities.db")
