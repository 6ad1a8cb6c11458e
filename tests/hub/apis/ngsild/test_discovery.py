"""Discovery over the application: types, attributes, who answers."""

import re

import pytest

from tests.hub.apis.ngsild.serving import problem, serving

CONTEXT = {"Tank": "https://example.org/Tank", "level": "https://example.org/level"}


@pytest.fixture
async def http(tmp_path):
    async with serving(tmp_path) as client:
        for number, more in ((1, {"level": 1}), (2, {"owner": {"object": "urn:x:1"}})):
            entity = {"id": f"urn:ngsi-ld:Tank:{number}", "type": "Tank", "@context": CONTEXT}
            answer = await client.post(
                "entities", json=entity | more, headers={"Content-Type": "application/ld+json"}
            )
            assert answer.status_code == 201
        yield client


async def test_types_and_attributes_are_listed(http):
    answer = await http.get("types", params={"count": "true"})
    assert answer.json()["typeList"] == ["https://example.org/Tank"]
    assert answer.headers["ngsild-results-count"] == "1"
    answer = await http.get("attributes/", params={"count": "true"})
    assert answer.json()["attributeList"] == ["https://example.org/level", "owner"]
    assert answer.headers["ngsild-results-count"] == "2"


async def test_details_are_told_if_wanted(http):
    (one,) = (await http.get("types", params={"details": "true"})).json()
    assert one["attributeNames"] == ["https://example.org/level", "owner"]
    level, owner = (await http.get("attributes", params={"details": "true"})).json()
    assert level["typeNames"] == owner["typeNames"] == ["https://example.org/Tank"]


async def test_one_type_and_one_attribute_are_described(http):
    kind = (await http.get("types/https%3A%2F%2Fexample.org%2FTank")).json()
    assert kind["entityCount"] == 2
    found = {one["id"]: one["attributeTypes"] for one in kind["attributeDetails"]}
    assert list(found.values()) == [["Property"], ["Relationship"]]
    owner = (await http.get("attributes/owner")).json()
    assert (owner["attributeCount"], owner["attributeTypes"]) == (1, ["Relationship"])


@pytest.mark.parametrize("path", ["types/Pump", "attributes/flow"])
async def test_what_no_entity_has_is_not_found(http, path):
    answer = await http.get(path)
    assert (answer.status_code, problem(answer)) == (404, "ResourceNotFound")


async def test_who_answers_is_the_same_for_ever_and_another_for_each_tenant(http):
    first = (await http.get("info/sourceIdentity")).json()
    again = (await http.get("info/sourceIdentity")).json()
    other = (await http.get("info/sourceIdentity", headers={"NGSILD-Tenant": "a"})).json()
    assert first["contextSourceAlias"] == again["contextSourceAlias"]
    assert first["contextSourceAlias"] != other["contextSourceAlias"]
    assert re.fullmatch(r"PT\d+S", first["contextSourceUptime"])
    assert first["contextSourceTimeAt"] == "2023-11-14T22:13:20Z"
