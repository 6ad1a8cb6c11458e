"""What a gateway's point gives an entity, as an application sees it over HTTP."""

import json
from typing import Any

import httpx

from citytwin import Batch, Point
from citytwin_hub.access import Role
from citytwin_hub.entities.moments import format_ns
from tests.hub.apis.ngsild.test_delivery import Http
from tests.hub.running import serving
from tests.servers import peer
from tests.waiting import answered

TANK = "urn:ngsi-ld:Tank:1"
SECOND = 10**9


async def test_a_sample_is_told_and_stands_in_the_evolution_and_in_the_past(tmp_path):
    receiver = Http()
    async with serving(tmp_path) as city, peer(receiver) as port:
        (row,) = city.hub.registry.rows([Point(id="g-1/d/l2", feeds=TANK, attribute="level")])
        headers = {"Authorization": f"Bearer {city.tokens[Role.OPERATOR]}"}
        address = f"{city.address}/ngsi-ld/v1/"
        async with httpx.AsyncClient(base_url=address, headers=headers) as http:
            made = await http.post("entities", json={"id": TANK, "type": "Tank"})
            assert made.status_code == 201, made.text
            wish = {
                "type": "Subscription",
                "entities": [{"type": "Tank"}],
                "q": "level>2",
                "notification": {
                    "showChanges": True,
                    "endpoint": {"uri": f"http://127.0.0.1:{port}/told"},
                },
            }
            made = await http.post("subscriptions", json=wish)
            assert made.status_code == 201, made.text

            async def told_twice() -> Any:
                levels = [json.loads(body)["data"][0] for *_, body in receiver.requests]
                return levels if len(levels) == 2 else None

            async def told_once():
                return receiver.requests

            # What was while there was no entity is not in its past: only what the hub heard since.
            began_ns = city.hub.clock.now_ns()
            city.take(Batch.of([row], began_ns, [1.0]))
            city.take(Batch.of([row], began_ns + SECOND, [2.5]))
            await answered(told_once, "the first notification")
            city.take(Batch.of([row], began_ns + 2 * SECOND, [3.5]))
            first, second = await answered(told_twice, "the second notification")
            assert (first["level"]["value"], second["level"]["value"]) == (2.5, 3.5)
            assert second["level"]["previousValue"] == 2.5

            asked = {"attrs": "level", "options": "temporalValues"}
            evolution = (await http.get(f"temporal/entities/{TANK}", params=asked)).json()
            assert [value for value, _ in evolution["level"]["values"]] == [1, 2.5, 3.5]
            asked = {
                "options": "aggregatedValues", "aggrMethods": "avg,max",
                "aggrPeriodDuration": "PT0S", "timerel": "after",
                "timeAt": format_ns(began_ns),
            }  # fmt: skip
            sums = (await http.get(f"temporal/entities/{TANK}", params=asked)).json()
            assert sums["level"]["max"][0][0] == 3.5
            assert abs(sums["level"]["avg"][0][0] - 7 / 3) < 1e-9

            wait_ns = began_ns + SECOND
            asked = {"at": format_ns(wait_ns), "options": "keyValues"}

            async def past() -> Any:
                answer = await http.get(f"entities/{TANK}", params=asked)
                return answer.json() if answer.status_code == 200 else None

            assert (await answered(past, "the moment to have been"))["level"] == 2.5
