"""Snapshots of a tenant: made, found again, cloned, compared, kept, dropped."""

import numpy as np
import pytest

from citytwin.errors import StoreError
from citytwin.testing import VirtualClock
from citytwin_hub.entities import branch as branch_module
from citytwin_hub.entities import snapshots as module
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.errors import (
    AlreadyExists,
    Conflict,
    ResourceNotFound,
    TooManyResults,
)
from citytwin_hub.entities.fragment import Fragment
from citytwin_hub.entities.snapshots import Frozen, Snapshot, Snapshots
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Hints
from citytwin_hub.twin import Latest
from tests.hub.entities.samples import entity, name, prop

SECOND_NS = 10**9
TANKS = [entity(number, "Tank", level=prop(number)) for number in range(3)]
IDS = [one.id for one in TANKS]


class Town:
    """Three tanks, and what keeps snapshots of them."""

    def __init__(self, folder):
        self.clock = VirtualClock(1_700_000_000 * SECOND_NS)
        self.folder = folder
        self.store = SqliteEntities(folder / "entities.db")
        self.entities = Entities(self.store, self.clock)
        for one in TANKS:
            self.entities.create(one)
        self.snapshots = self.opened()

    def opened(self):
        return Snapshots(self.folder / "snapshots", self.entities, self.clock, None)

    def again(self):
        """Stop and start what keeps snapshots."""
        self.snapshots.close()
        self.entities.guards.clear()
        self.snapshots = self.opened()

    def everything(self, **said):
        return self.snapshots.create(Snapshot(id="", **said), lambda _: None).id

    def level(self, entities, number):
        return entities.get(IDS[number]).attribute(name("level")).value

    def set(self, entities, number, value):
        self.clock.advance(SECOND_NS)
        entities.update(IDS[number], Fragment(attributes={name("level"): (prop(value),)}))


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    yield town
    town.snapshots.close()
    town.store.close()


def test_a_snapshot_stays_what_it_was_also_after_a_restart(town):
    one = town.everything(name="before")
    town.set(town.entities, 0, 10)
    town.entities.delete(IDS[1])
    town.entities.create(entity(7, "Tank", level=prop(7)))
    town.set(town.snapshots.use(one), 2, 20)
    for _ in range(2):
        here = town.snapshots.use(one)
        assert [town.level(here, number) for number in range(3)] == [0, 1, 20]
        assert {each.id for each in here.select(Hints())} == set(IDS)
        assert town.level(town.entities, 0) == 10
        assert town.level(town.entities, 2) == 2
        town.again()
    assert [each.name for each in town.snapshots.all()] == ["before"]


def test_a_clone_goes_its_own_way(town):
    one = town.everything()
    town.set(town.snapshots.use(one), 0, 5)
    other = town.snapshots.clone(one, Snapshot(id="urn:x:other", priority=9)).id
    town.set(town.snapshots.use(one), 0, 6)
    town.snapshots.delete(one)
    town.set(town.entities, 1, 11)
    here = town.snapshots.use(other)
    assert [town.level(here, number) for number in range(3)] == [5, 1, 2]
    with pytest.raises(ResourceNotFound, match="no snapshot"):
        town.snapshots.get(one)
    assert len(list((town.folder / "snapshots").iterdir())) == 1


def test_a_snapshot_of_some_has_these_only(town):
    chosen = town.snapshots.create(Snapshot(id="urn:x:some"), lambda entities: [IDS[1]])
    here = town.snapshots.use(chosen.id)
    assert [one.id for one in here.select(Hints())] == [IDS[1]]
    assert here.find(IDS).keys() == {IDS[1]}
    with pytest.raises(AlreadyExists):
        town.snapshots.create(Snapshot(id="urn:x:some"), lambda _: None)


def test_differences_say_who_made_them(town):
    one = town.everything()
    here = town.snapshots.use(one)
    town.set(here, 0, 5)
    here.delete(IDS[1])
    here.create(entity(7, "Tank", level=prop(7)))
    town.set(town.entities, 2, 12)
    town.entities.create(entity(8, "Tank", level=prop(8)))
    found = {each.id.rpartition(":")[2]: each for each in town.snapshots.differences(one)}
    said = {
        number: (each.here, each.before is None, each.after is None, each.attributes)
        for number, each in found.items()
    }
    level = [name("level")]
    assert said == {
        "0": (True, False, False, level),
        "1": (True, False, True, level),
        "7": (True, True, False, level),
        "2": (False, False, False, level),
        "8": (False, False, True, level),
    }


def test_what_was_done_is_kept_and_what_changed_since_is_not_overwritten(town):
    one = town.everything()
    here = town.snapshots.use(one)
    town.set(here, 0, 5)
    here.delete(IDS[1])
    here.create(entity(7, "Tank", level=prop(7)))
    town.set(town.entities, 2, 12)
    assert town.snapshots.keep(one) == 3
    assert [town.level(town.entities, number) for number in (0, 2)] == [5, 12]
    assert {each.id for each in town.entities.select(Hints())} == {
        IDS[0], IDS[2], entity(7, "Tank").id,
    }  # fmt: skip
    other = town.everything()
    town.set(town.snapshots.use(other), 0, 6)
    town.set(town.entities, 0, 7)
    with pytest.raises(Conflict, match=IDS[0]):
        town.snapshots.keep(other)
    assert town.level(town.entities, 0) == 7
    town.snapshots.keep(other, force=True)
    assert town.level(town.entities, 0) == 6


def test_there_are_so_many_and_what_has_ended_makes_room(town, monkeypatch):
    monkeypatch.setattr(module, "SNAPSHOTS_MAX", 1)
    one = town.everything(expires_ns=town.clock.now_ns() + SECOND_NS)
    with pytest.raises(TooManyResults):
        town.everything()
    town.clock.advance(SECOND_NS)
    with pytest.raises(ResourceNotFound):
        town.snapshots.use(one)
    town.everything()
    assert len(list((town.folder / "snapshots").iterdir())) == 1


def test_the_city_goes_on_when_a_snapshot_cannot_keep_up(town, monkeypatch):
    monkeypatch.setattr(branch_module, "DIFFERENCES_MAX", 1)
    one = town.everything()
    for number in range(3):
        town.set(town.entities, number, 50)
    assert town.level(town.entities, 2) == 50
    with pytest.raises(StoreError, match="1 differences"):
        town.snapshots.use(one)
    town.again()
    assert town.snapshots.get(one).snapshot.failure
    town.snapshots.delete(one)


def test_what_was_never_finished_is_swept_away(town):
    rest = town.folder / "snapshots" / "half"
    rest.mkdir(parents=True)
    (rest / "entities.db").write_bytes(b"half")
    town.again()
    assert town.snapshots.all() == []
    assert not rest.exists()


def test_values_of_points_are_frozen():
    latest = Latest(
        np.array([3, 5], np.int32), np.array([30, 50]), np.array([0.3, 0.5]),
        np.array([0, 1], np.uint8), np.array([31, 51]),
    )  # fmt: skip
    some = Frozen(latest).read([5, 4, 3])
    assert some.time_ns.tolist() == [50, 0, 30]
    assert some.value.tolist() == [0.5, 0, 0.3]
    assert some.quality.tolist() == [1, 0, 0]
    assert Frozen(latest).read() is latest
