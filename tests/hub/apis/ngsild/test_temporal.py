"""The routes of the evolution of entities, over a broker with real files."""

import httpx
import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild.app import build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.doors import OpenDoor

ENTITIES = "/ngsi-ld/v1/entities"
TEMPORAL = "/ngsi-ld/v1/temporal/entities"
BY_POST = "/ngsi-ld/v1/temporal/entityOperations/query"
TANK = "urn:ngsi-ld:Tank:1"
ALL = {"type": "Tank", "timerel": "after", "timeAt": "1970-01-01T00:00:00Z"}
BEGIN = 1_767_225_600 * 10**9  # 2026-01-01


@pytest.fixture
def clock():
    return VirtualClock(BEGIN)


@pytest.fixture
async def http(tmp_path, clock):
    contexts = Contexts(tmp_path / "contexts.sqlite", clock, [])
    broker = Broker(tmp_path / "broker", clock, contexts, OpenDoor(), instances_max=5)
    transport = httpx.ASGITransport(app=build_ngsild(broker))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
        yield client
    broker.close()
    contexts.close()


def level(value, minute, **more):
    moment = f"2026-01-01T00:{minute:02d}:00Z"
    return {"type": "Property", "value": value, "observedAt": moment, **more}


def tank(number=1, **attributes):
    return {"id": f"urn:ngsi-ld:Tank:{number}", "type": "Tank", **attributes}


async def provide(http, document, expected=201):
    answer = await http.post(TEMPORAL, json=document)
    assert answer.status_code == expected, answer.text
    return answer


def problem(answer):
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def instances(http, name="level", **params):
    found = (await http.get(f"{TEMPORAL}/{TANK}", params=params)).json()[name]
    return [one["value"] for one in found]


async def test_an_evolution_is_provided_added_to_and_retrieved(http):
    made = await provide(http, tank(level=[level(1, 0), level(2, 1)]))
    assert made.headers["location"] == f"{TEMPORAL}/{TANK}"
    await provide(http, tank(level=[level(3, 2)]), 204)
    answer = await http.post(f"{TEMPORAL}/{TANK}/attrs", json={"flow": [level(7, 0)]})
    assert (answer.status_code, answer.content) == (204, b"")
    answer = await http.get(f"{TEMPORAL}/{TANK}")
    assert answer.status_code == 200
    document = answer.json()
    identifiers = [one.pop("instanceId") for one in document["level"] + document["flow"]]
    assert all(one.startswith("urn:ngsi-ld:Instance:") for one in identifiers)
    assert len(set(identifiers)) == 4
    assert document == tank(level=[level(1, 0), level(2, 1), level(3, 2)], flow=[level(7, 0)])
    # It is history: there is no such entity.
    assert (await http.get("/ngsi-ld/v1/types")).json()["typeList"] == []


async def test_what_is_not_there_is_not_found(http):
    unknown = f"{TEMPORAL}/urn:ngsi-ld:Tank:9"
    instance = "urn:ngsi-ld:Instance:9"
    for answer in (
        await http.get(unknown),
        await http.delete(unknown),
        await http.post(f"{unknown}/attrs", json={"level": [level(1, 0)]}),
        await http.delete(f"{unknown}/attrs/level"),
        await http.delete(f"{unknown}/attrs/level/{instance}"),
        await http.patch(f"{unknown}/attrs/level/{instance}", json=level(1, 0)),
    ):
        assert problem(answer) == (404, "ResourceNotFound")
    await provide(http, tank(level=[level(1, 0)]))
    for answer in (
        await http.get(f"{TEMPORAL}/{TANK}?attrs=flow"),
        await http.get(f"{TEMPORAL}/{TANK}?pick=flow"),
        await http.get(f"{TEMPORAL}/{TANK}?omit=id,type,level"),
        await http.delete(f"{TEMPORAL}/{TANK}/attrs/flow"),
        await http.delete(f"{TEMPORAL}/{TANK}/attrs/level/{instance}"),
    ):
        assert problem(answer) == (404, "ResourceNotFound")


async def test_paths_that_name_nothing_are_refused(http):
    assert (await http.delete(f"{TEMPORAL}/")).status_code == 405
    instance = "urn:ngsi-ld:Instance:9"
    for path in (
        "x",
        "/attrs/level",
        f"/attrs/level/{instance}",
        f"{TANK}/attrs/a(b",
        f"{TANK}/attrs/%2e%2e",
    ):
        answer = await http.delete(f"{TEMPORAL}/{path}")
        assert problem(answer) == (400, "BadRequestData"), path
    for path, status in (("level/", 405), (f"/{instance}", 405), ("level/x", 400)):
        answer = await http.patch(f"{TEMPORAL}/{TANK}/attrs/{path}", json=level(1, 0))
        assert answer.status_code == status, path


async def test_an_attribute_may_be_named_by_an_iri_with_slashes(http):
    name = "https://example.org/a/level"
    await provide(http, {"id": TANK, "type": "Tank", name: [level(1, 0), level(2, 1)]})
    document = (await http.get(f"{TEMPORAL}/{TANK}")).json()
    instance = document[name][0]["instanceId"]
    answer = await http.delete(f"{TEMPORAL}/{TANK}/attrs/{name}/{instance}")
    assert answer.status_code == 204
    assert await instances(http, name) == [2]
    answer = await http.delete(f"{TEMPORAL}/{TANK}/attrs/{name}")
    assert answer.status_code == 204
    assert name not in (await http.get(f"{TEMPORAL}/{TANK}")).json()


async def test_one_instance_is_changed_and_deleted(http):
    await provide(http, tank(level=[level(1, 0), level(2, 1)]))
    found = (await http.get(f"{TEMPORAL}/{TANK}")).json()["level"]
    path = f"{TEMPORAL}/{TANK}/attrs/level/{found[0]['instanceId']}"
    assert (await http.patch(path, json=level(9, 0))).status_code == 204
    changed = (await http.get(f"{TEMPORAL}/{TANK}")).json()["level"]
    assert changed[0] == found[0] | {"value": 9}
    other = {"type": "Relationship", "object": "urn:x:1"}
    assert problem(await http.patch(path, json=other)) == (400, "BadRequestData")
    null = {"value": "urn:ngsi-ld:null"}
    assert problem(await http.patch(path, json=null)) == (400, "BadRequestData")
    assert (await http.delete(path)).status_code == 204
    assert await instances(http) == [2]


async def test_an_attribute_is_deleted_by_dataset_or_wholly(http):
    await provide(
        http, tank(level=[level(1, 0), level(2, 1, datasetId="urn:d:1")], flow=[level(3, 0)])
    )
    path = f"{TEMPORAL}/{TANK}/attrs/level"
    assert (await http.delete(path, params={"datasetId": "urn:d:1"})).status_code == 204
    assert await instances(http) == [1]
    assert (await http.delete(path, params={"deleteAll": "true"})).status_code == 204
    assert "level" not in (await http.get(f"{TEMPORAL}/{TANK}")).json()
    assert (await http.delete(f"{TEMPORAL}/{TANK}")).status_code == 204
    assert (await http.get(f"{TEMPORAL}/{TANK}")).status_code == 404


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"type": "Tank", "level": []}, "BadRequestData"),
        ({"id": TANK}, "BadRequestData"),
        ([], "BadRequestData"),
        (tank(expiresAt="urn:ngsi-ld:null"), "BadRequestData"),
        (tank(level=[level(1, 0) | {"observedAt": "2026-01-01T00:00:00+05:00"}]), "BadRequestData"),
        (tank(level=[level(1, 0) | {"observedAt": "urn:ngsi-ld:null"}]), "BadRequestData"),
        (tank(scope=[{"type": "Property", "value": "/A", "unitCode": "X"}]), "BadRequestData"),
    ],
)
async def test_what_is_no_evolution_is_refused(http, document, error):
    assert problem(await http.post(TEMPORAL, json=document)) == (400, error)
    assert (await http.get(f"{TEMPORAL}/{TANK}")).status_code == 404


async def test_what_is_no_json_is_an_invalid_request(http):
    headers = {"Content-Type": "application/json"}
    answer = await http.post(TEMPORAL, content=b"", headers=headers)
    assert problem(answer) == (400, "InvalidRequest")


async def test_changes_of_an_entity_are_its_evolution(http, clock):
    assert (await http.post(ENTITIES, json=tank(scope="/A", level=level(1, 0)))).status_code == 201
    clock.advance(10**9)
    await http.post(f"{ENTITIES}/{TANK}/attrs", json={"level": level(2, 1), "scope": "/B"})
    answer = await http.get(f"{TEMPORAL}/{TANK}", params={"options": "sysAttrs"})
    document = answer.json()
    assert [one["value"] for one in document["level"]] == [1, 2]
    assert [one["value"] for one in document["scope"]] == ["/A", "/B"]
    assert [one["observedAt"] == one["modifiedAt"] for one in document["scope"]] == [True, True]
    assert (document["createdAt"], document["modifiedAt"]) == (
        "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z",
    )  # fmt: skip
    assert (await http.delete(f"{ENTITIES}/{TANK}/attrs/level")).status_code == 204
    gone = (await http.get(f"{TEMPORAL}/{TANK}?timeproperty=deletedAt")).json()
    (ended,) = gone["level"]
    assert ended.pop("instanceId")
    assert ended == {
        "type": "Property", "value": "urn:ngsi-ld:null", "deletedAt": "2026-01-01T00:00:01Z",
    }  # fmt: skip
    assert (await http.delete(f"{ENTITIES}/{TANK}")).status_code == 204
    document = (await http.get(f"{TEMPORAL}/{TANK}")).json()
    assert document["deletedAt"] == "2026-01-01T00:00:01Z"


async def test_an_attribute_that_only_evolution_has_can_be_ended(http):
    name = {"type": "LanguageProperty", "languageMap": {"kk": "Су"}}
    await provide(http, tank(scope=["/A"], name=[name | {"observedAt": "2026-01-01T00:00:00Z"}]))
    for attribute in ("name", "scope"):
        answer = await http.delete(f"{ENTITIES}/{TANK}/attrs/{attribute}")
        assert answer.status_code == 204
        again = await http.delete(f"{ENTITIES}/{TANK}/attrs/{attribute}")
        assert problem(again) == (404, "ResourceNotFound")
    params = {"timeproperty": "deletedAt", "options": "temporalValues"}
    document = (await http.get(f"{TEMPORAL}/{TANK}", params=params)).json()
    moment = "2026-01-01T00:00:00Z"
    null = {"languageMap": {"@none": "urn:ngsi-ld:null"}}
    assert document["name"] == {"type": "LanguageProperty", "languageMaps": [[null, moment]]}
    assert document["scope"] == {"type": "Property", "values": [[[], moment]]}


async def test_long_evolutions_come_in_parts_that_follow_each_other(http):
    await provide(http, tank(level=[level(at, at) for at in range(12)], flow=[level(1, 11)]))
    seen, params = [], ALL | {"timeAt": "2026-01-01T00:00:00Z"}
    while True:
        answer = await http.get(f"{TEMPORAL}/{TANK}", params=dict(params, type="Tank"))
        document = answer.json()
        seen += [one["value"] for one in document["level"] if one["value"] not in seen]
        if answer.status_code == 200:
            break
        assert answer.status_code == 206
        assert document["flow"] == []
        unit, span = answer.headers["content-range"].split(" ")
        assert (unit, span.rpartition("/")[2]) == ("date-time", "*")
        assert span.startswith(params["timeAt"] + "-")
        params["timeAt"] = span.removeprefix(params["timeAt"] + "-").removesuffix("/*")
    assert seen == list(range(12))
    assert [one["value"] for one in document["flow"]] == [1]
    answer = await http.get(f"{TEMPORAL}/{TANK}", params={"lastN": "8"})
    assert answer.headers["content-range"].endswith("/8")
    assert [one["value"] for one in answer.json()["level"]] == [11, 10, 9, 8, 7]
    values = await http.get(f"{TEMPORAL}/{TANK}", params=ALL | {"options": "temporalValues"})
    assert values.json()["flow"] == {"type": "Property", "values": []}


async def test_values_and_what_they_come_to(http):
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [76.9, 43.2]}}
    await provide(
        http,
        tank(
            level=[level(1, 0), level(3, 1), level(5, 2, datasetId="urn:d:1")],
            location=[place | {"observedAt": "2026-01-01T00:00:00Z"}],
        ),
    )
    path, first, second = f"{TEMPORAL}/{TANK}", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
    document = (await http.get(path, params={"format": "temporalValues"})).json()
    assert document["level"] == [
        {"type": "Property", "values": [[1, first], [3, second]]},
        {"type": "Property", "datasetId": "urn:d:1", "values": [[5, "2026-01-01T00:02:00Z"]]},
    ]
    assert document["location"]["values"] == [[place["value"], first]]
    params = {
        "options": "aggregatedValues", "aggrMethods": "avg,totalCount",
        "aggrPeriodDuration": "PT1H", "attrs": "level", "datasetId": "@none",
    }  # fmt: skip
    document = (await http.get(path, params=params)).json()
    hour = [first, "2026-01-01T01:00:00Z"]
    assert document == tank(
        level={"type": "Property", "avg": [[2.0, *hour]], "totalCount": [[2, *hour]]}
    )


async def test_a_query_selects_by_what_was_within_the_window(http):
    await provide(http, tank(1, level=[level(1, 0), level(90, 30)]))
    await provide(http, tank(2, level=[level(90, 0)]))
    await provide(http, {"id": "urn:ngsi-ld:Pump:1", "type": "Pump", "level": [level(90, 0)]})

    async def found(**params):
        answer = await http.get(TEMPORAL, params=ALL | params)
        assert answer.status_code == 200, answer.text
        return [one["id"].removeprefix("urn:ngsi-ld:") for one in answer.json()]

    early = {"timerel": "before", "timeAt": "2026-01-01T00:10:00Z"}
    assert await found() == ["Tank:1", "Tank:2"]
    assert await found(q="level>50", **early) == ["Tank:2"]
    assert await found(type="Tank|Pump", orderBy="id") == ["Pump:1", "Tank:1", "Tank:2"]
    assert await found(orderBy="id;desc") == ["Tank:2", "Tank:1"]
    assert await found(id="urn:ngsi-ld:Tank:2") == ["Tank:2"]
    assert await found(idPattern=".*:1$") == ["Tank:1"]
    assert await found(attrs="flow") == []
    assert await found(datasetId="urn:d:1") == []
    late = {"timerel": "after", "timeAt": "2026-01-01T00:10:00Z"}
    assert await found(**late) == ["Tank:1"]
    body = {
        "type": "Query",
        "entities": [{"type": "Tank"}],
        "temporalQ": early,
        "q": "level>50",
    }
    answer = await http.post(BY_POST, json=body)
    assert [one["id"] for one in answer.json()] == ["urn:ngsi-ld:Tank:2"]
    body |= {"aggrParams": {"aggrMethods": ["max"]}}
    answer = await http.post(BY_POST, json=body)
    (one,) = answer.json()
    assert [value for value, _, _ in one["level"]["max"]] == [90.0]


async def test_scopes_count_while_they_held(http):
    scope = [
        {"type": "Property", "value": path, "observedAt": f"2026-01-01T00:{minute}:00Z"}
        for path, minute in (("/A", "10"), ("/B", "20"))
    ]
    await provide(http, tank(scope=scope, level=[level(1, 5), level(2, 15), level(3, 25)]))
    answer = await http.get(TEMPORAL, params=ALL | {"scopeQ": "/A"})
    (one,) = answer.json()
    assert [each["value"] for each in one["level"]] == [2]
    assert (await http.get(TEMPORAL, params=ALL | {"scopeQ": "/C"})).json() == []


async def test_pages_of_entities_follow_each_other(http):
    for number in range(3):
        await provide(http, tank(number, level=[level(number, 0)]))
    answer = await http.get(TEMPORAL, params=ALL | {"limit": "2", "count": "true"})
    assert answer.headers["ngsild-results-count"] == "3"
    assert len(answer.json()) == 2
    links = [link for link in answer.headers.get_list("link") if 'rel="next"' in link]
    (following,) = [link[1 : link.index(">")] for link in links]
    answer = await http.get(following)
    assert [one["id"] for one in answer.json()] == ["urn:ngsi-ld:Tank:2"]
    assert any('rel="prev"' in link for link in answer.headers.get_list("link"))
    assert not any('rel="next"' in link for link in answer.headers.get_list("link"))


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"type": "Tank"}, "BadRequestData"),
        ({"timerel": "after", "timeAt": "2026-01-01T00:00:00Z"}, "BadRequestData"),
        (ALL | {"timerel": "during"}, "BadRequestData"),
        (ALL | {"timerel": "between"}, "BadRequestData"),
        (ALL | {"timeAt": "2026-01-01"}, "BadRequestData"),
        (ALL | {"timeproperty": "expiresAt"}, "BadRequestData"),
        (ALL | {"lastN": "0"}, "BadRequestData"),
        (ALL | {"lastN": "2.5"}, "BadRequestData"),
        (ALL | {"orderBy": "level"}, "BadRequestData"),
        (ALL | {"orderBy": "id,level"}, "BadRequestData"),
        (ALL | {"q": 'owner{name}=="x"'}, "BadRequestData"),
        (ALL | {"pick": "owner{name}"}, "BadRequestData"),
        (ALL | {"pick": "level", "attrs": "level"}, "BadRequestData"),
        (ALL | {"csf": "))("}, "BadRequestData"),
        (ALL | {"options": "aggregatedValues"}, "BadRequestData"),
        (ALL | {"aggrMethods": "median"}, "BadRequestData"),
        (ALL | {"aggrPeriodDuration": "hourly"}, "BadRequestData"),
        (ALL | {"options": "temporalValues,other"}, "InvalidRequest"),
        (ALL | {"format": "keyValues"}, "InvalidRequest"),
        (ALL | {"format": "temporalValues", "options": "other"}, "InvalidRequest"),
        (ALL | {"other": "1"}, "InvalidRequest"),
    ],
)
async def test_what_cannot_be_asked_is_refused(http, params, error):
    assert problem(await http.get(TEMPORAL, params=params)) == (400, error)
