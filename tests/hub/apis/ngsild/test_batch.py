"""Batches over the application: what succeeds, what fails alone, what refuses the whole."""

import pytest

from tests.hub.apis.ngsild.serving import problem, serving

LD = {"Content-Type": "application/ld+json"}


@pytest.fixture
async def http(tmp_path):
    async with serving(tmp_path) as client:
        yield client


def tank(number, **attributes):
    return {"id": f"urn:ngsi-ld:Tank:{number}", "type": "Tank", **attributes}


def ids(*numbers):
    return [f"urn:ngsi-ld:Tank:{number}" for number in numbers]


async def run(http, operation, items, **parameters):
    return await http.post(f"entityOperations/{operation}", json=items, params=parameters)


async def levels(http):
    answer = await http.get("entities", params={"type": "Tank", "options": "keyValues"})
    return {each["id"].rpartition(":")[2]: each.get("level") for each in answer.json()}


async def test_entities_are_created_and_one_of_two_with_one_id_fails(http):
    answer = await run(http, "create", [tank(1, level=1), tank(2)])
    assert (answer.status_code, answer.json()) == (201, ids(1, 2))
    answer = await run(http, "create", [tank(3), tank(3), {"id": "urn:x:4"}])
    assert answer.status_code == 207
    assert answer.json()["success"] == ids(3)
    assert [one["entityId"] for one in answer.json()["errors"]] == [*ids(3), "urn:x:4"]
    kinds = [one["error"]["type"].rpartition("/")[2] for one in answer.json()["errors"]]
    assert kinds == ["AlreadyExists", "BadRequestData"]


async def test_upserting_creates_replaces_or_updates(http):
    assert (await run(http, "upsert", [tank(1, level=1, flow=1)])).status_code == 201
    answer = await run(http, "upsert", [tank(1, level=2), tank(2, level=3)])
    assert (answer.status_code, answer.json()) == (201, ids(2))
    assert (await run(http, "upsert", [tank(2, level=4)])).status_code == 204
    assert await levels(http) == {"1": 2, "2": 4}
    await run(http, "upsert", [tank(1, flow=5)], options="update")
    answer = await http.get(f"entities/{ids(1)[0]}", params={"options": "keyValues"})
    assert answer.json() == tank(1, level=2, flow=5)
    # Of two with one identifier the later one stays.
    await run(http, "upsert", [tank(1, level=7), tank(1, level=8)])
    assert (await levels(http))["1"] == 8


async def test_updating_merging_and_deleting(http):
    await run(http, "create", [tank(1, level=1), tank(2, level=2)])
    assert (await run(http, "update", [tank(1, level=3)])).status_code == 204
    answer = await run(http, "update", [tank(1, level=9)], options="noOverwrite")
    assert answer.status_code == 207
    assert "nothing was to be overwritten" in answer.json()["errors"][0]["error"]["detail"]
    nothing = [tank(1, level={"unitCode": "MTR"}), tank(2, level="urn:ngsi-ld:null"), tank(3)]
    answer = await run(http, "merge", nothing)
    assert answer.status_code == 207
    assert answer.json()["success"] == ids(1, 2)
    assert await levels(http) == {"1": 3, "2": None}
    answer = await run(http, "delete", [*ids(1), *ids(3)])
    assert answer.status_code == 207
    assert (await run(http, "delete", ids(2))).status_code == 204
    assert await levels(http) == {}


@pytest.mark.parametrize("items", [[], {}, "x", [tank(1), None]])
@pytest.mark.parametrize("operation", ["create", "upsert", "update", "merge", "delete"])
async def test_a_body_that_is_no_array_of_something_does_nothing(http, operation, items):
    answer = await run(http, operation, items)
    assert (answer.status_code, problem(answer)) == (400, "BadRequestData")
    assert await levels(http) == {}


async def test_a_linked_context_beside_json_ld_refuses_the_whole(http):
    link = '<https://example.org/c>; rel="http://www.w3.org/ns/json-ld#context"'
    answer = await http.post(
        "entityOperations/create", json=[tank(1) | {"@context": {}}], headers=LD | {"Link": link}
    )
    assert (answer.status_code, problem(answer)) == (400, "BadRequestData")
    answer = await http.post("entityOperations/create", json=[tank(1)], headers=LD)
    assert answer.status_code == 207
    assert "needs an @context" in answer.json()["errors"][0]["error"]["detail"]
