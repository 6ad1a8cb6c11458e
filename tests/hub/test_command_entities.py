"""Commands as entities: read, subscribed to, never written."""

import json

import httpx

from citytwin import Point, Span
from citytwin_hub import command_entities
from citytwin_hub.access import Role
from tests.hub.apis.ngsild.test_delivery import Http
from tests.hub.running import serving
from tests.servers import peer
from tests.waiting import answered

VALVE = Point(id="g-1/d/v", unit="%", writable=Span(0, 100), feeds="urn:ngsi-ld:Valve:7",
              attribute="opening")  # fmt: skip


def ngsild(city, role=Role.OPERATOR):
    headers = {"Authorization": f"Bearer {city.tokens[role]}"}
    return httpx.AsyncClient(base_url=f"{city.address}/ngsi-ld/v1/", headers=headers)


async def commands_of(http):
    answer = await http.get("entities", params={"type": "Command", "options": "keyValues"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_command_is_an_entity_that_can_be_subscribed_to(tmp_path):
    receiver = Http()
    async with serving(tmp_path) as city, peer(receiver) as port, ngsild(city) as http:
        city.hub.registry.rows([VALVE])
        wish = {
            "type": "Subscription",
            "entities": [{"type": "Command"}],
            "watchedAttributes": ["status"],
            "notification": {
                "format": "keyValues",
                "endpoint": {"uri": f"http://127.0.0.1:{port}/told"},
            },
        }
        assert (await http.post("subscriptions", json=wish)).status_code == 201
        async with city.client() as rest:
            given = await rest.post("commands", json={"point": VALVE.id, "value": 40})
            number = given.json()["id"]

        async def told():
            bodies = [json.loads(body)["data"] for *_, body in receiver.requests]
            return [one["status"] for data in bodies for one in data]

        await answered(told, "the first notification")
        (entity,) = await commands_of(http)
        assert entity["id"] == f"urn:ngsi-ld:Command:{number}"
        assert (entity["status"], entity["state"], entity["value"]) == ("PENDING", "submitted", 40)
        assert (entity["controls"], entity["controlledAttribute"]) == (VALVE.feeds, "opening")
        assert (entity["issuedBy"], entity["point"]) == ("operator", VALVE.id)

        tracked = city.hub.commands.find(number)
        assert tracked is not None
        user = city.hub.door.permit(city.tokens[Role.OPERATOR])
        city.hub.commands.cancel(user, tracked, city.hub.clock.now_ns())

        async def canceled():
            return (await told())[-1] == "CANCELED"

        await answered(canceled, "the second notification")
        (entity,) = await commands_of(http)
        assert entity["message"]["languageMap"]["ru"] == "отменена: operator"
        asked = {"attrs": "status", "options": "temporalValues"}
        evolution = await http.get(f"temporal/entities/{entity['id']}", params=asked)
        steps = [value for value, _ in evolution.json()["status"]["values"]]
        assert steps == ["PENDING", "CANCELED"]


async def test_nobody_writes_one(tmp_path):
    async with serving(tmp_path) as city, ngsild(city, Role.ADMIN) as http:
        async with city.client() as rest:
            await rest.post("commands", json={"point": "g-1/d/pump", "value": 1})

        async def there():
            return await commands_of(http)

        ((entity),) = await answered(there, "the entity")
        path = f"entities/{entity['id']}"
        changed = {"status": {"type": "Property", "value": "COMPLETED"}}
        for answer in (
            await http.patch(f"{path}/attrs", json=changed),
            await http.post(f"{path}/attrs", json=changed),
            await http.delete(path),
            await http.delete(f"{path}/attrs/status"),
            await http.post("entities", json={"id": "urn:ngsi-ld:Command:1", "type": "Command"}),
        ):
            assert answer.status_code == 400, answer.text
            assert "/ogc/connected-systems/v1/" in answer.json()["detail"]
        assert (await http.delete("entities/", params={"type": "Command"})).status_code == 204
        assert await commands_of(http) == [entity]


async def test_what_became_of_commands_while_the_hub_was_down_is_written(tmp_path):
    async with serving(tmp_path) as city, ngsild(city) as http:

        async def there():
            return await commands_of(http)

        async with city.client() as rest:
            await rest.post("commands", json={"point": "g-1/d/pump", "value": 1, "expires_s": 1})
        await answered(there, "the entity")
    hub = city.hub
    reopened = type(hub)(hub.config, hub.clock)
    try:
        reopened.commands.check(hub.clock.now_ns() + 60 * 10**9)
    finally:
        reopened._close()
    async with serving(tmp_path) as city, ngsild(city) as http:

        async def failed():
            return [one for one in await commands_of(http) if one["status"] == "FAILED"]

        (entity,) = await answered(failed, "the state of after the stop")
        assert entity["state"] == "expired"


async def test_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(command_entities, "KEPT_MAX", 3)
    monkeypatch.setattr(command_entities, "SLACK", 0)
    async with serving(tmp_path) as city, ngsild(city) as http:
        async with city.client() as rest:
            numbers = [
                (await rest.post("commands", json={"point": "g-1/d/pump", "value": 1})).json()["id"]
                for _ in range(7)
            ]

        async def newest():
            found = {one["id"].rpartition(":")[2] for one in await commands_of(http)}
            return found == set(numbers[-3:])

        await answered(newest, "the newest three")
