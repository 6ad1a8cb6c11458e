"""Time travel over HTTP: ``at`` gives what a client saw then, and what it refuses."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild.app import build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.doors import OpenDoor

ENTITIES = "/ngsi-ld/v1/entities"
SNAPSHOTS = "/ngsi-ld/v1/snapshots"
SECOND = 1_000_000_000


@pytest.mark.parametrize("seed", range(3))
async def test_the_past_is_what_was_seen_then(tmp_path: Path, seed: int) -> None:
    chosen, clock = random.Random(seed), VirtualClock()
    contexts = Contexts(tmp_path / "contexts.sqlite", clock)
    broker = Broker(tmp_path / "broker", clock, contexts, OpenDoor())
    transport = httpx.ASGITransport(app=build_ngsild(broker))
    seen: list[tuple[str, dict[str, Any], list[str]]] = []
    model: dict[str, int] = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as http:
        for step in range(25):
            clock.advance(SECOND)
            name = f"urn:ngsi-ld:Tank:{chosen.randrange(4)}"
            if name in model and chosen.random() < 0.3:
                del model[name]
                assert (await http.delete(f"{ENTITIES}/{name}")).status_code == 204
            else:
                level = {"type": "Property", "value": step}
                entity = {"id": name, "type": "Tank", "level": level}
                upsert = "/ngsi-ld/v1/entityOperations/upsert"
                assert (await http.post(upsert, json=[entity])).status_code in {201, 204}
                model[name] = step
            seen.append((format_ns(clock.now_ns()), dict(model), sorted(model)))
            clock.advance(SECOND)
        for moment, was, names in seen:
            asked = {"type": "Tank", "at": moment, "options": "keyValues"}
            found = (await http.get(ENTITIES, params=asked)).json()
            assert {one["id"]: one["level"] for one in found} == was
            high = (await http.get(ENTITIES, params=asked | {"q": "level>=10"})).json()
            assert {one["id"] for one in high} == {each for each in was if was[each] >= 10}
            for number in range(4):
                name = f"urn:ngsi-ld:Tank:{number}"
                one = await http.get(f"{ENTITIES}/{name}", params={"at": moment})
                assert one.status_code == (200 if name in names else 404)
        for wrong in ("yesterday", format_ns(clock.now_ns() + SECOND)):
            refused = await http.get(ENTITIES, params={"type": "Tank", "at": wrong})
            assert refused.status_code == 400
            assert "at" in refused.text
        everything = {"type": "Query", "entities": [{"type": "*"}], "local": True}
        made = await http.post(SNAPSHOTS, json={"snapshotQueries": [everything]})
        snapshot = {"NGSILD-Snapshot": made.headers["location"].rpartition("/")[2]}
        both = await http.get(ENTITIES, params={"type": "Tank", "at": seen[0][0]}, headers=snapshot)
        assert both.status_code == 400
        assert "snapshot" in both.text
    broker.close()
    contexts.close()
