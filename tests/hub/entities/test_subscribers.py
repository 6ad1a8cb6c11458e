"""The subscriptions of a tenant."""

from typing import Any

import pytest
from msgspec.structs import replace

from citytwin.testing import VirtualClock
from citytwin_hub.entities import subscribers
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound, TooManyResults
from citytwin_hub.entities.store import Change
from tests.hub.entities.samples import entity, prop
from tests.hub.entities.subscribing import Receiver, subscription, tenant

ONE = subscription()


@pytest.fixture
def city(tmp_path):
    with tenant(tmp_path, VirtualClock(10**18), Receiver().deliver) as city:
        yield city


def test_made_read_changed_and_deleted(city):
    told = []
    city.subscribers.listeners.append(told.append)
    city.subscribers.create(ONE)
    now_ns = city.clock.now_ns()
    made = city.subscribers.get(ONE.id).subscription
    assert made == replace(ONE, created_ns=now_ns, modified_ns=now_ns)
    city.clock.advance(7)
    city.subscribers.update(ONE.id, lambda one: replace(one, name="levels"))
    changed = city.subscribers.get(ONE.id).subscription
    assert (changed.name, changed.modified_ns) == ("levels", now_ns + 7)
    assert [one.subscription for one in city.subscribers.all()] == [changed]
    city.subscribers.delete(ONE.id)
    assert told == [ONE.id] * 3
    for refused in (city.subscribers.get, city.subscribers.delete):
        with pytest.raises(ResourceNotFound, match="there is no subscription urn"):
            refused(ONE.id)


def test_only_what_is_active_and_waits_for_changes_is_matched(city):
    change = Change(None, entity(1, level=prop(1)))
    given: list[dict[str, Any]] = [{}, {"is_active": False}, {"interval_s": 5.0}]
    for number, more in enumerate(given):
        city.subscribers.create(subscription(number, **more))
    assert city.subscribers.match([change]) == [(subscription(0).id, change)]
    city.subscribers.update(subscription(0).id, lambda one: replace(one, is_active=False))
    city.subscribers.update(subscription(1).id, lambda one: replace(one, is_active=True))
    assert city.subscribers.match([change]) == [(subscription(1).id, change)]


def test_what_would_never_notify_is_refused(city):
    past = city.clock.now_ns() - 1
    with pytest.raises(BadRequestData, match="expiresAt lies in the past"):
        city.subscribers.create(subscription(expires_ns=past))
    city.subscribers.create(ONE)
    with pytest.raises(BadRequestData, match="expiresAt lies in the past"):
        city.subscribers.update(ONE.id, lambda one: replace(one, expires_ns=past))
    assert city.subscribers.get(ONE.id).subscription.expires_ns is None


def test_there_is_a_limit(city, monkeypatch):
    monkeypatch.setattr(subscribers, "SUBSCRIPTIONS_MAX", 1)
    city.subscribers.create(ONE)
    with pytest.raises(TooManyResults, match="there are 1 subscriptions"):
        city.subscribers.create(subscription(2))


def test_a_record_to_go_back_to_must_be_there(city):
    city.subscribers.create(ONE)
    with pytest.raises(BadRequestData, match="records have the numbers"):
        city.subscribers.rewind(ONE.id, 1)


def test_after_a_restart_they_are_found_again(tmp_path):
    clock, change = VirtualClock(10**18), Change(None, entity(1, level=prop(1)))
    with tenant(tmp_path, clock, Receiver().deliver) as city:
        city.subscribers.create(ONE)
    with tenant(tmp_path, clock, Receiver().deliver) as city:
        assert city.subscribers.match([change]) == [(ONE.id, change)]
