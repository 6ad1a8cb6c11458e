"""Graphs of tenants are apart, and read when they are first asked; test_graph.py asks the rest."""

import pytest

from citytwin_hub.apis.graphs import Asked, Graphs
from citytwin_hub.entities.errors import ResourceNotFound
from tests.hub.entities.samples import entity, link


async def test_tenants_are_apart(running):
    broker = running.hub.broker
    graphs = Graphs(broker)
    assert graphs.of("") is graphs.of("")
    one = entity(1, feeds=link("urn:a"))
    broker.tenant("other", create=True).entities.create(one)
    found = graphs.reached("other", one.id, Asked(), against=False)
    assert found == {"count": 1, "objects": [{"id": "urn:a", "types": []}]}
    with pytest.raises(ResourceNotFound):
        graphs.reached("", one.id, Asked(), against=False)
