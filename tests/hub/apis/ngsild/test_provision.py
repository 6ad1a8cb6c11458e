"""Provision over the application: operations on entities and attributes, and refusals."""

import pytest

from tests.hub.apis.ngsild.serving import problem, serving

TANK = "urn:ngsi-ld:Tank:1"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
LD = {"Content-Type": "application/ld+json"}
PLAIN = {"options": "keyValues"}


@pytest.fixture
async def http(tmp_path):
    async with serving(tmp_path) as client:
        tank = {
            "id": TANK,
            "type": "Tank",
            "level": {"type": "Property", "value": 3, "unitCode": "MTR"},
            "feeds": {"type": "Relationship", "object": "urn:ngsi-ld:Pipe:1"},
        }
        answer = await client.post("entities", json=tank)
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/ngsi-ld/v1/entities/{TANK}"
        yield client


async def shown(http):
    answer = await http.get(f"entities/{TANK}", params=PLAIN)
    return answer.json() if answer.status_code == 200 else None


async def test_an_entity_is_created_once(http):
    answer = await http.post("entities/", json={"id": TANK, "type": "Tank"})
    assert (answer.status_code, problem(answer)) == (409, "AlreadyExists")


async def test_attributes_are_appended_updated_and_merged(http):
    one = await http.post(f"entities/{TANK}/attrs", json={"flow": 7, "level": 4})
    assert one.status_code == 204
    assert (await shown(http))["flow"] == 7
    two = await http.post(
        f"entities/{TANK}/attrs/", params={"options": "noOverwrite"}, json={"flow": 8, "new": 1}
    )
    assert two.status_code == 207
    assert two.json()["updated"] == [DEFAULT + "new"]
    assert two.json()["notUpdated"][0]["attributeName"] == DEFAULT + "flow"
    three = await http.patch(f"entities/{TANK}/attrs", json={"flow": 9, "new": "urn:ngsi-ld:null"})
    assert three.status_code == 204
    merged = await http.patch(f"entities/{TANK}", json={"level": {"unitCode": "CMT"}})
    assert merged.status_code == 204
    level = (await http.get(f"entities/{TANK}")).json()["level"]
    assert level == {"type": "Property", "value": 4, "unitCode": "CMT"}
    assert set(await shown(http)) == {"id", "type", "level", "feeds", "flow"}


async def test_one_attribute_is_changed_replaced_and_deleted(http):
    path = f"entities/{TANK}/attrs/level"
    assert (await http.patch(path, json={"value": 5})).status_code == 204
    assert (await http.get(f"entities/{TANK}")).json()["level"]["unitCode"] == "MTR"
    assert (await http.put(path, json={"type": "Property", "value": 6})).status_code == 204
    assert "unitCode" not in (await http.get(f"entities/{TANK}")).json()["level"]
    assert (await http.delete(path)).status_code == 204
    again = await http.delete(path)
    assert (again.status_code, problem(again)) == (404, "ResourceNotFound")


async def test_an_entity_is_replaced_and_deleted(http):
    replaced = await http.put(f"entities/{TANK}", json={"type": "Tank", "flow": 1})
    assert replaced.status_code == 204
    assert await shown(http) == {"id": TANK, "type": "Tank", "flow": 1}
    assert (await http.delete(f"entities/{TANK}")).status_code == 204
    assert await shown(http) is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", f"entities/{TANK}", None),
        ("PUT", f"entities/{TANK}", {"type": "Tank"}),
        ("PATCH", f"entities/{TANK}", {"level": 9}),
        ("POST", f"entities/{TANK}/attrs", {"level": 9}),
        ("PATCH", f"entities/{TANK}/attrs", {"level": 9}),
        ("PATCH", f"entities/{TANK}/attrs/level", {"value": 9}),
        ("PUT", f"entities/{TANK}/attrs/level", {"value": 9}),
        ("DELETE", f"entities/{TANK}/attrs/level", None),
    ],
)
async def test_an_entity_of_another_type_is_not_found(http, method, path, body):
    before = await shown(http)
    refused = await http.request(method, path, params={"type": "Pump"}, json=body)
    assert (refused.status_code, problem(refused)) == (404, "ResourceNotFound")
    assert await shown(http) == before
    taken = await http.request(method, path, params={"type": "Pump|Tank"}, json=body)
    assert taken.status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", "entities", [], 400, "InvalidRequest"),
        ("POST", "entities", {"id": "no-uri", "type": "T"}, 400, "BadRequestData"),
        ("POST", "entities", {"id": TANK, "@context": []}, 400, "BadRequestData"),
        ("POST", "entities/?what=1", {}, 400, "InvalidRequest"),
        ("PATCH", "entities/nouri", {"level": 1}, 400, "BadRequestData"),
        ("PATCH", f"entities/{TANK}", {"id": "urn:other:1"}, 400, "BadRequestData"),
        ("PATCH", f"entities/{TANK}9", {"level": 1}, 404, "ResourceNotFound"),
        ("DELETE", f"entities/{TANK}/attrs/level?deleteAll=maybe", None, 400, "BadRequestData"),
        ("DELETE", f"entities/{TANK}/attrs/level?datasetId=x", None, 400, "BadRequestData"),
        ("DELETE", f"entities/{TANK}/attrs/none", None, 404, "ResourceNotFound"),
    ],
)
async def test_what_is_wrong_is_refused_by_name(http, method, path, body, status, kind):
    answer = await http.request(method, path, json=body)
    assert (answer.status_code, problem(answer)) == (status, kind)
    assert await shown(http)


async def test_an_entity_that_only_evolution_has_can_lose_an_attribute(http):
    other = "urn:ngsi-ld:Tank:2"
    past = {
        "id": other,
        "type": "Tank",
        "level": [{"value": 1, "observedAt": "2020-01-01T00:00:00Z"}],
    }
    assert (await http.post("temporal/entities", json=past)).status_code == 201
    assert (await http.delete(f"entities/{other}/attrs/level")).status_code == 204
    assert (await http.delete(f"entities/{other}/attrs/flow")).status_code == 404
