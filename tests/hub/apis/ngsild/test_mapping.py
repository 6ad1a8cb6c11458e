"""EntityMaps over HTTP: pages of a query that stay the same pages."""

import pytest

from tests.hub.apis.ngsild.serving import problem, serving

MAP = "NGSILD-EntityMap"
WINDOW = {"timerel": "before", "timeAt": "2999-01-01T00:00:00Z", "timeproperty": "createdAt"}


def car(number):
    return f"urn:ngsi-ld:Car:{number}"


async def provide(client, number, speed=50):
    body = {"id": car(number), "type": "Car", "speed": {"type": "Property", "value": speed}}
    assert (await client.post("entities", json=body)).status_code == 201


@pytest.fixture
async def client(tmp_path):
    async with serving(tmp_path) as client:
        for number in range(5):
            await provide(client, number)
        yield client


async def cars(client, path="entities", status=200, headers=None, **query):
    answer = await client.get(path, params={"type": "Car", **query}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer, [int(one["id"].rpartition(":")[2]) for one in answer.json()]


async def test_pages_of_a_map_stay_what_they_were_but_for_what_is_gone(client):
    answer, found = await cars(client, status=201, entityMap="true", limit=2)
    assert found == [0, 1]
    keep = {MAP: answer.headers[MAP]}
    await provide(client, 9)
    await client.delete(f"entities/{car(1)}")
    answer, found = await cars(client, headers=keep, limit=3, count="true")
    assert found == [0, 2, 3]
    assert answer.headers[MAP] == keep[MAP]
    assert answer.headers["ngsild-results-count"] == "4"
    assert 'rel="next"' in answer.headers["link"]
    where = keep[MAP].removeprefix("/ngsi-ld/v1/")
    document = (await client.get(where)).json()
    assert document["type"] == "EntityMap"
    assert document["entityMap"] == {car(number): ["@none"] for number in (0, 2, 3, 4)}
    _, found = await cars(client, headers=keep, q="speed>60")
    assert found == []


async def test_a_reference_to_none_makes_a_new_one(client):
    dead = {MAP: "/ngsi-ld/v1/entityMaps/urn:ngsi-ld:EntityMap:dead"}
    answer, found = await cars(client, status=201, headers=dead)
    assert found == [0, 1, 2, 3, 4]
    assert "dead" not in answer.headers[MAP]
    answer = await client.get(f"entities/{car(0)}", headers=dead)
    assert answer.status_code == 200
    where = answer.headers[MAP].removeprefix("/ngsi-ld/v1/")
    assert (await client.get(where)).json()["entityMap"] == {car(0): ["@none"]}
    assert MAP not in (await client.get(f"entities/{car(0)}")).headers


async def test_evolution_keeps_to_a_map(client):
    answer, found = await cars(
        client, "temporal/entities", 201, id=car(3), entityMap="true", **WINDOW
    )
    keep = {MAP: answer.headers[MAP]}
    assert found == [3]
    _, found = await cars(client, "temporal/entities", 200, keep, **WINDOW)
    assert found == [3]
    answer = await client.get(f"temporal/entities/{car(2)}", params={"entityMap": "true"})
    assert (answer.status_code, MAP in answer.headers) == (200, True)
    made = await client.get("temporal/entityMaps", params={"type": "Car", **WINDOW})
    assert made.status_code == 201
    assert len(made.json()["entityMap"]) == 5
    none = WINDOW | {"timeAt": "2000-01-01T00:00:00Z"}
    empty = await client.get("temporal/entityMaps", params={"type": "Car", **none})
    assert empty.json()["entityMap"] == {}


async def test_a_map_is_made_changed_and_dropped(client):
    made = await client.get("entityMaps", params={"type": "Car", "entityMapLifetime": "PT10S"})
    assert (made.status_code, len(made.json()["entityMap"])) == (201, 5)
    assert made.json()["expiresAt"] == "2023-11-14T22:13:30Z"
    where = made.headers[MAP].removeprefix("/ngsi-ld/v1/")
    longer = {"expiresAt": "2023-11-14T23:00:00Z", "entityMap": {car(8): ["@none"]}}
    assert (await client.patch(where, json=longer)).status_code == 204
    document = (await client.get(where)).json()
    assert (document["expiresAt"], len(document["entityMap"])) == (longer["expiresAt"], 5)
    assert problem(await client.patch(where, json={"expiresAt": "soon"})) == "BadRequestData"
    other = {"NGSILD-Tenant": "other"}
    await client.post("entities", json={"id": car(1), "type": "Car"}, headers=other)
    assert problem(await client.get(where, headers=other)) == "ResourceNotFound"
    assert (await client.delete(where)).status_code == 204
    assert problem(await client.delete(where)) == "ResourceNotFound"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("entityMaps", {"id": car(1)}),
        ("entityMaps", {"type": "Car", "entityMapLifetime": "1hour"}),
        ("entityMaps/nouri", {}),
        ("temporal/entityMaps", {"type": "Car"}),
    ],
)
async def test_what_is_wrong_is_refused(client, path, query):
    assert problem(await client.get(path, params=query)) == "BadRequestData"
