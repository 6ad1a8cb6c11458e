"""The words in which evolution is asked for."""

from citytwin_hub.entities.evolution_store import EVER, EvolutionStore, Moment, Span
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.sqlite_evolution import SqliteEvolution


def test_ever_is_every_moment():
    assert Span() == EVER
    assert EVER.moment is Moment.ANY


def test_the_file_is_a_store(tmp_path):
    entities = SqliteEntities(tmp_path / "entities.db")
    store: EvolutionStore = SqliteEvolution(entities)
    assert not store.heads("urn:x:1")
    assert not list(store.candidates(None, None))
    entities.close()
