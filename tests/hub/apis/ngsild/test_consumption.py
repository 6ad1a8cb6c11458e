"""Consumption over the application: retrieving, querying, pages, GeoJSON, versions, refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild.app import build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.doors import OpenDoor

ENTITIES = "/ngsi-ld/v1/entities"
QUERY = "/ngsi-ld/v1/entityOperations/query"


def tank(number: int) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Tank:{number}",
        "type": "Tank",
        "level": {"type": "Property", "value": number},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [76 + number / 10, 43]},
        },
        "kind": {"type": "VocabProperty", "vocab": "potable"},
        "owner": {"type": "Relationship", "object": "urn:ngsi-ld:Company:1"},
    }


COMPANY = {
    "id": "urn:ngsi-ld:Company:1",
    "type": "Company",
    "name": {"type": "Property", "value": "Su"},
}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    contexts = Contexts(tmp_path / "contexts.sqlite", VirtualClock())
    broker = Broker(tmp_path / "broker", VirtualClock(), contexts, OpenDoor())
    transport = httpx.ASGITransport(app=build_ngsild(broker))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
        for entity in (*map(tank, range(1, 6)), COMPANY):
            assert (await client.post(ENTITIES, json=entity)).status_code == 201
        yield client
    broker.close()
    contexts.close()


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["id"].rpartition(":")[2] for each in answer.json()]


async def test_an_entity_is_retrieved(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{ENTITIES}/urn:ngsi-ld:Tank:1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["kind"] == {"type": "VocabProperty", "vocab": "potable"}
    linked = await http.get(
        f"{ENTITIES}/urn:ngsi-ld:Tank:1",
        params={"join": "inline", "pick": "owner{name}", "options": "keyValues"},
    )
    assert linked.json() == {"owner": {"name": "Su"}}
    document = await http.get(
        f"{ENTITIES}/urn:ngsi-ld:Tank:1", headers={"Accept": "application/ld+json"}
    )
    assert "@context" in document.json()


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/nouri", 400, "BadRequestData"),
        ("/urn:ngsi-ld:Tank:99", 404, "ResourceNotFound"),
        ("/urn:ngsi-ld:Tank:1?type=Pump", 404, "ResourceNotFound"),
        ("/urn:ngsi-ld:Tank:1?attrs=none", 404, "ResourceNotFound"),
        ("/urn:ngsi-ld:Tank:1?pick=none", 404, "ResourceNotFound"),
        ("/urn:ngsi-ld:Tank:1?pick=owner{name}", 400, "BadRequestData"),
        ("/urn:ngsi-ld:Tank:1?options=none", 400, "InvalidRequest"),
        ("/urn:ngsi-ld:Tank:1?none=1", 400, "InvalidRequest"),
        ("/urn:ngsi-ld:Tank:1?lang=kk&lang=ru", 400, "InvalidRequest"),
        ("?type=Tank&limit=1001", 403, "TooManyResults"),
        ("", 400, "BadRequestData"),
    ],
)
async def test_what_cannot_be_given_is_refused(
    http: httpx.AsyncClient, path: str, status: int, kind: str
) -> None:
    answer = await http.get(ENTITIES + path)
    assert answer.status_code == status
    assert answer.json()["type"].endswith(kind)


async def test_entities_are_queried(http: httpx.AsyncClient) -> None:
    for given, expected in (
        ({"type": "Tank"}, "12345"),
        ({"type": "Tank", "q": "level>=2;level!=4"}, "235"),
        ({"q": 'owner{name}=="Su"', "join": "flat", "limit": "2"}, "121"),
        ({"type": "Tank", "orderBy": "level;desc"}, "54321"),
        ({"type": "Tank,Company", "idPattern": "Tank:[12]$"}, "12"),
        ({"type": "Tank", "orderBy": "location;dist-asc", "orderFrom": "[76.41,43]"}, "45321"),
        (
            {"georel": "near;maxDistance==9000", "geometry": "Point", "coordinates": "[76.15,43]"},
            "12",
        ),
    ):
        answer = await http.get(ENTITIES, params=given)
        assert "".join(ids(answer)) == expected, given


async def test_entities_are_queried_by_a_document(http: httpx.AsyncClient) -> None:
    asked = {"type": "Query", "entities": [{"type": "Tank"}], "q": "level%3C3", "pick": ["id"]}
    answer = await http.post(QUERY, json=asked, params={"count": "true"})
    assert ids(answer) == ["1", "2"]
    assert answer.headers["NGSILD-Results-Count"] == "2"
    assert (await http.post(QUERY, json={**asked, "q": 42})).status_code == 400


async def test_results_come_in_pages(http: httpx.AsyncClient) -> None:
    answer = await http.get(ENTITIES, params={"type": "Tank", "limit": "2", "offset": "2"})
    assert ids(answer) == ["3", "4"]
    links = answer.headers.get_list("link")
    assert f'<{ENTITIES}?limit=2&offset=0&type=Tank>; rel="prev"; type="application/json"' in links
    assert f'<{ENTITIES}?limit=2&offset=4&type=Tank>; rel="next"; type="application/json"' in links
    last = await http.get(ENTITIES, params={"type": "Tank", "limit": "2", "offset": "4"})
    assert 'rel="next"' not in str(last.headers.get_list("link"))
    counted = await http.get(ENTITIES, params={"type": "Tank", "limit": "0", "count": "true"})
    assert counted.json() == []
    assert counted.headers["NGSILD-Results-Count"] == "5"
    assert 'rel="' not in str(counted.headers.get_list("link")).replace('rel="http', "")


async def test_geojson_has_its_context_unless_it_is_not_wanted(http: httpx.AsyncClient) -> None:
    accept = {"Accept": "application/geo+json"}
    answer = await http.get(ENTITIES, params={"type": "Tank"}, headers=accept)
    assert answer.headers["content-type"] == "application/geo+json"
    collection = answer.json()
    assert "@context" in collection
    assert len(collection["features"]) == 5
    assert collection["features"][0]["geometry"]["coordinates"] == [76.1, 43]
    plain = await http.get(
        f"{ENTITIES}/urn:ngsi-ld:Tank:1", headers={**accept, "Prefer": "body=json"}
    )
    assert "@context" not in plain.json()
    assert "link" in plain.headers


async def test_an_older_version_is_served(http: httpx.AsyncClient) -> None:
    one = f"{ENTITIES}/urn:ngsi-ld:Tank:1"
    older = await http.get(one, headers={"Prefer": "ngsi-ld=1.5"})
    assert older.status_code == 203
    assert older.headers["Preference-Applied"] == "ngsi-ld=1.5"
    assert older.json()["kind"] == {"type": "Property", "value": "potable"}
    same = await http.get(one, headers={"Prefer": "ngsi-ld=1.9"})
    assert same.status_code == 200
    assert same.headers["Preference-Applied"] == "ngsi-ld=1.9"


async def test_weights_choose_the_media_type(http: httpx.AsyncClient) -> None:
    one = f"{ENTITIES}/urn:ngsi-ld:Tank:1"
    answer = await http.get(one, headers={"Accept": "application/json;q=0, */*"})
    assert answer.headers["content-type"] == "application/ld+json"
    assert (await http.get(one, headers={"Accept": "application/xml"})).status_code == 406
