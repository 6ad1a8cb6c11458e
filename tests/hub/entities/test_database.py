"""One writer, readers on every thread."""

import threading

import pytest

from citytwin.errors import StoreError
from citytwin_hub.entities.database import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER) STRICT;"


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "deep" / "numbers.db", SCHEMA)
    yield database
    database.close()


def numbers(database):
    return [one for (one,) in database.reader.execute("SELECT number FROM numbers")]


def test_a_block_is_kept_whole_or_not_at_all(database):
    with database.writing() as db:
        db.execute("INSERT INTO numbers VALUES (1)")
    with pytest.raises(KeyError), database.writing() as db:
        db.execute("INSERT INTO numbers VALUES (2)")
        raise KeyError
    with pytest.raises(StoreError, match="cannot be written"), database.writing() as db:
        db.execute("INSERT INTO numbers VALUES (3)")
        db.execute("INSERT INTO numbers VALUES ('four')")
    assert numbers(database) == [1]


def test_readers_on_other_threads_see_what_was_written_and_nothing_else(database):
    seen = []
    with database.writing() as db:
        db.execute("INSERT INTO numbers VALUES (1)")
        thread = threading.Thread(target=lambda: seen.append(numbers(database)))
        thread.start()
        thread.join(10)
    thread = threading.Thread(target=lambda: seen.append(numbers(database)))
    thread.start()
    thread.join(10)
    assert seen == [[], [1]]
