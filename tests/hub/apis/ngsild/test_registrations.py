"""Context sources over HTTP."""

import pytest

from tests.hub.apis.ngsild.serving import problem, serving

SOURCES = "csourceRegistrations"
BASE = {"type": "ContextSourceRegistration", "endpoint": "http://wells.example:9090"}


def registered(name, kind="Well", **more):
    information = [{"entities": [{"type": kind}], "propertyNames": ["level"]}]
    return {"id": f"urn:x:{name}", "information": information, **BASE, **more}


@pytest.fixture
async def client(tmp_path):
    async with serving(tmp_path) as client:
        yield client


async def add(client, *documents):
    for document in documents:
        answer = await client.post(SOURCES, json=document)
        assert answer.status_code == 201, answer.text


async def found(client, **query):
    answer = await client.get(SOURCES, params=query)
    assert answer.status_code == 200, answer.text
    return [one["id"][-1] for one in answer.json()]


async def test_one_is_registered_read_changed_and_forgotten(client):
    answer = await client.post(SOURCES, json=registered(1))
    assert answer.status_code == 201
    where = answer.headers["location"]
    assert where == "/ngsi-ld/v1/csourceRegistrations/urn:x:1"
    where = where.removeprefix("/ngsi-ld/v1/")
    assert (await client.get(where)).json() == registered(1)
    assert "createdAt" in (await client.get(where, params={"options": "sysAttrs"})).json()
    assert (await client.patch(where, json={"endpoint": "http://b:1"})).status_code == 204
    assert (await client.get(where)).json()["endpoint"] == "http://b:1"
    assert problem(await client.post(SOURCES, json=registered(1))) == "AlreadyExists"
    assert (await client.delete(where)).status_code == 204
    assert problem(await client.get(where)) == "ResourceNotFound"
    assert problem(await client.get(f"{SOURCES}/nouri")) == "BadRequestData"


async def test_sources_are_found_by_what_they_have_and_say(client):
    point = {"type": "Point", "coordinates": [76.9, 43.2]}
    await add(
        client,
        registered(1),
        registered(2, "Pump", location=point, scope="/Almaty/East"),
        registered(3, "Pump", owner="Su", endpoint="http://pumps.example"),
    )
    assert await found(client, type="Well") == ["1"]
    assert await found(client, type="Well,Pump") == ["1", "2", "3"]
    assert await found(client, attrs="level,flow") == ["1", "2", "3"]
    assert await found(client, attrs="flow") == []
    assert await found(client, id="urn:w:1") == ["1", "2", "3"]
    assert await found(client, type="Pump", scopeQ="/Almaty/#") == ["2"]
    assert await found(client, q='owner=="Su"') == ["3"]
    assert await found(client, type="Pump", csf='endpoint=="http://pumps.example"') == ["3"]
    near = {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": "[76.9,43.2]"}
    assert await found(client, **near) == ["2"]
    assert problem(await client.get(SOURCES)) == "BadRequestData"
    assert problem(await client.get(SOURCES, params={"type": "A", "x": "1"})) == "InvalidRequest"


async def test_sources_of_the_past_are_found_by_time(client):
    interval = {"startAt": "2020-08-01T00:00:00Z", "endAt": "2021-08-01T00:00:00Z"}
    await add(
        client,
        registered(1),
        registered(2, observationInterval=interval),
        registered(3, managementInterval=interval),
    )
    before = {"type": "Well", "timerel": "before", "timeAt": "2020-09-01T00:00:00Z"}
    assert await found(client, type="Well") == ["1"]
    assert await found(client, **before) == ["2"]
    assert await found(client, **before, timeproperty="modifiedAt") == ["3"]
    after = before | {"timerel": "after", "timeAt": "2022-01-01T00:00:00Z"}
    assert await found(client, **after) == []


async def test_pages_lead_to_each_other(client):
    await add(client, *(registered(name) for name in range(3)))
    answer = await client.get(
        SOURCES, params={"type": "Well", "limit": 1, "offset": 1, "count": "true"}
    )
    assert [one["id"] for one in answer.json()] == ["urn:x:1"]
    assert answer.headers["ngsild-results-count"] == "3"
    links = answer.headers.get_list("link")
    path = "/ngsi-ld/v1/csourceRegistrations?type=Well&limit=1&count=true&offset"
    assert f'<{path}=0>;rel="prev";type="application/json"' in links
    assert f'<{path}=2>;rel="next";type="application/json"' in links


async def test_what_conflicts_is_refused(client):
    well = {"id": "urn:w:1", "type": "Well", "level": {"type": "Property", "value": 1}}
    await client.post("entities", json=well)
    alone = registered(1, mode="exclusive")
    alone["information"][0]["entities"][0]["id"] = "urn:w:1"
    answer = await client.post(SOURCES, json=alone)
    assert (answer.status_code, problem(answer)) == (409, "Conflict")
