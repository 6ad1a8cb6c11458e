"""EntityMaps live for a while, are few, and lose what no longer fits."""

import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.entities import entity_maps as module
from citytwin_hub.entities.entity_maps import LIFE_S, LIFE_S_MAX, EntityMaps
from citytwin_hub.entities.errors import ResourceNotFound, TooManyResults

SECOND_NS = 10**9
NOW_NS = 1_700_000_000 * SECOND_NS


@pytest.fixture
def clock():
    return VirtualClock(NOW_NS)


@pytest.fixture
def maps(clock):
    return EntityMaps(clock)


def test_a_map_keeps_the_order_and_lives_as_long_as_it_may(maps, clock):
    one = maps.create(["b", "a", "b"])
    assert list(maps.get(one.id).entities) == ["b", "a"]
    assert one.expires_ns == NOW_NS + LIFE_S * SECOND_NS
    assert maps.create([], 10**18).expires_ns == NOW_NS + LIFE_S_MAX * SECOND_NS
    assert maps.create([], 5 * SECOND_NS).expires_ns == NOW_NS + 5 * SECOND_NS
    maps.extend(one.id, NOW_NS + 10**18)
    assert maps.get(one.id).expires_ns == NOW_NS + LIFE_S_MAX * SECOND_NS
    maps.extend(one.id, NOW_NS + SECOND_NS)
    clock.advance(SECOND_NS)
    for refused in (maps.get, maps.delete, lambda one: maps.extend(one, NOW_NS)):
        with pytest.raises(ResourceNotFound, match="no EntityMap"):
            refused(one.id)
    assert maps.look(one.id) is None


def test_what_no_longer_fits_goes_and_a_map_is_dropped(maps):
    one = maps.create(["a", "b", "c"])
    maps.prune(one, ["b", "x"])
    assert list(maps.get(one.id).entities) == ["a", "c"]
    maps.delete(one.id)
    assert maps.look(one.id) is None


def test_the_one_that_was_used_longest_ago_makes_room(maps, monkeypatch):
    monkeypatch.setattr(module, "MAPS_MAX", 2)
    first, second = maps.create(["a"]), maps.create(["b"])
    maps.get(first.id)
    third = maps.create(["c"])
    assert [maps.look(one.id) is not None for one in (first, second, third)] == [True, False, True]
    monkeypatch.setattr(module, "IDS_MAX", 2)
    fourth = maps.create(["d", "e"])
    assert maps.look(third.id) is None
    assert maps.look(fourth.id) is fourth
    with pytest.raises(TooManyResults):
        maps.create("abc")
