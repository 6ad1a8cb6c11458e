"""Snapshots over HTTP, and entities in them."""

import pytest

from tests.hub.apis.ngsild.serving import problem, serving

FAST, SLOW = "urn:ngsi-ld:Vehicle:fast", "urn:ngsi-ld:Vehicle:slow"
ALL = {"type": "Query", "entities": [{"type": "*"}], "local": True}


@pytest.fixture
async def client(tmp_path):
    async with serving(tmp_path) as client:
        for one, speed in ((FAST, 80), (SLOW, 30)):
            vehicle = {"id": one, "type": "Vehicle", "speed": {"type": "Property", "value": speed}}
            assert (await client.post("entities", json=vehicle)).status_code == 201
        yield client


async def made(client, *queries, **more):
    body = {"type": "Snapshot", "snapshotQueries": list(queries), **more}
    answer = await client.post("snapshots", json=body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"].removeprefix("/ngsi-ld/v1/")


def within(where):
    return {"NGSILD-Snapshot": where.removeprefix("snapshots/")}


async def speeds(client, **more):
    answer = await client.get("entities", params={"type": "Vehicle"}, **more)
    assert answer.status_code == 200, answer.text
    return {one["id"].rpartition(":")[2]: one["speed"]["value"] for one in answer.json()}


async def test_what_queries_selected_stays_and_is_changed_apart(client):
    where = await made(
        client, {"type": "Query", "entities": [{"type": "Vehicle"}], "q": "speed>50"}
    )
    document = (await client.get(where)).json()
    assert document["snapshotStatus"] == "success"
    assert (document["snapshotPriority"], document["lastUsedAt"]) == (5, document["createdAt"])
    assert document["snapshotQueriesDetails"] == [{"resultStatus": "success"}]
    speed = {"speed": {"type": "Property", "value": 10}}
    assert (await client.patch(f"entities/{FAST}/attrs", json=speed)).status_code == 204
    assert await speeds(client) == {"fast": 10, "slow": 30}
    assert await speeds(client, headers=within(where)) == {"fast": 80}
    speed["speed"]["value"] = 99
    answer = await client.patch(f"entities/{FAST}/attrs", json=speed, headers=within(where))
    assert answer.status_code == 204
    assert answer.headers["ngsild-snapshot"] == document["id"]
    assert await speeds(client, headers=within(where)) == {"fast": 99}
    gone = await client.delete(f"entities/{FAST}/attrs/speed", headers=within(where))
    assert gone.status_code == 204
    answer = await client.delete(f"entities/{FAST}/attrs/speed", headers=within(where))
    assert problem(answer) == "ResourceNotFound"
    assert await speeds(client) == {"fast": 10, "slow": 30}


async def test_everything_with_what_is_created_deleted_and_listed(client):
    where = await made(client, ALL, snapshotName="what if")
    new = {"id": "urn:ngsi-ld:Bus:1", "type": "Bus"}
    assert (await client.post("entities", json=new, headers=within(where))).status_code == 201
    assert (await client.delete(f"entities/{SLOW}", headers=within(where))).status_code == 204
    types = (await client.get("types", headers=within(where))).json()["typeList"]
    assert types == ["Bus", "Vehicle"]
    assert (await client.get("types")).json()["typeList"] == ["Vehicle"]
    assert await speeds(client, headers=within(where)) == {"fast": 80}
    assert [one["snapshotName"] for one in (await client.get("snapshots")).json()] == ["what if"]


async def test_clones_changes_and_drops(client):
    where = await made(client, ALL, expiresAt="2099-01-01T00:00:00Z")
    answer = await client.patch(where, json={"snapshotPriority": 2})
    assert (answer.status_code, answer.json()["snapshotPriority"]) == (200, 2)
    assert answer.json()["expiresAt"] == "2099-01-01T00:00:00Z"
    copied = await client.post(f"{where}/clone", json={"type": "Snapshot", "snapshotPriority": 9})
    assert copied.status_code == 201
    clone = copied.headers["location"].removeprefix("/ngsi-ld/v1/")
    assert (await client.delete("snapshots", params={"q": "snapshotPriority<5"})).status_code == 204
    assert problem(await client.get(where)) == "ResourceNotFound"
    assert await speeds(client, headers=within(clone)) == {"fast": 80, "slow": 30}
    assert (await client.delete(clone)).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {"type": "Snapshot"},
        {"type": "Snapshot", "snapshotQueries": []},
        {"type": "Entity", "snapshotQueries": [ALL]},
        {"type": "Snapshot", "snapshotQueries": [ALL], "snapshotPriority": 0},
        {"type": "Snapshot", "snapshotQueries": [ALL], "expiresAt": "soon"},
        {"type": "Snapshot", "snapshotQueries": [{**ALL, "temporalQ": {"timerel": "after"}}]},
        {"type": "Snapshot", "snapshotQueries": [ALL], "id": "no uri"},
    ],
)
async def test_what_is_wrong_is_refused(client, body):
    assert problem(await client.post("snapshots", json=body)) == "BadRequestData"
    assert (await client.get("snapshots")).json() == []


async def test_what_a_snapshot_has_not_is_refused(client):
    where = await made(client, ALL)
    answer = await client.get("temporal/entities/urn:x:1", headers=within(where))
    assert problem(answer) == "OperationNotSupported"
    answer = await client.get("subscriptions", headers=within(where))
    assert problem(answer) == "OperationNotSupported"
    absent = {"NGSILD-Snapshot": "urn:ngsi-ld:Snapshot:absent"}
    answer = await client.get("entities", params={"type": "Vehicle"}, headers=absent)
    assert problem(answer) == "ResourceNotFound"
    assert problem(await client.patch(where, json={"snapshotQueries": []})) == "BadRequestData"
    assert problem(await client.delete("snapshots")) == "BadRequestData"
    refused = await client.delete("snapshots", params={"q": "speed>50"})
    assert problem(refused) == "BadRequestData"
    assert (await client.get(where)).status_code == 200
