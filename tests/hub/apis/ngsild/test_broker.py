"""Tenants: a folder each, made when somebody provides, and again there after a restart."""

import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild import broker as module
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.entities.errors import BadRequestData, NonexistentTenant, TooManyResults
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.doors import OpenDoor
from tests.hub.entities.samples import entity


@pytest.fixture
def opened(tmp_path):
    """Open brokers on one folder, one after the other."""
    made = []

    def open_one():
        if made:
            made.pop().close()
        broker = Broker(tmp_path / "entities", VirtualClock(), contexts, OpenDoor())
        made.append(broker)
        return broker

    contexts = Contexts(tmp_path / "contexts.db", VirtualClock())
    yield open_one
    for broker in made:
        broker.close()
    contexts.close()


def test_tenants_are_kept_apart_and_over_a_restart(opened):
    broker = opened()
    alias = broker.alias
    broker.tenant("su", create=True).entities.create(entity(1))
    assert broker.tenant().entities.find(["urn:ngsi-ld:Tank:1"]) == {}
    again = opened()
    assert again.alias == alias
    assert again.tenant("su").entities.get("urn:ngsi-ld:Tank:1")
    with pytest.raises(NonexistentTenant, match="no tenant gas"):
        again.tenant("gas")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "@default", "x" * 64, "а"])
def test_a_name_that_could_be_a_path_is_refused(opened, name):
    with pytest.raises(BadRequestData, match="is not a tenant's name"):
        opened().tenant(name, create=True)


def test_there_are_not_more_tenants_than_may_be(opened, monkeypatch):
    monkeypatch.setattr(module, "TENANTS_MAX", 2)
    broker = opened()
    broker.tenant("a", create=True)
    with pytest.raises(TooManyResults):
        broker.tenant("b", create=True)
    assert broker.tenant("a").name == "a"
