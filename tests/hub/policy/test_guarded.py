"""Guarded: whoever is limited finds, counts and changes only what is his, by every route."""

import pytest

from tests.hub.policy.city import CITY, INSIDE, LD, OGC, OUTSIDE, entity, town

MANY = {"limit": "100"}
SINCE = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "modifiedAt"}


@pytest.fixture
async def call(tmp_path):
    async with town(tmp_path) as calling:
        yield calling


def ids(answer):
    assert answer.status_code == 200, answer.text
    return sorted(one["id"].removeprefix("urn:ngsi-ld:") for one in answer.json())


async def test_what_is_not_of_a_role_is_absent_from_queries_and_counts(call):
    for role, seen in (
        ("types", ["Pump:1", "Pump:2"]),
        ("attributes", ["Pump:1", "Pump:2", "Tank:1", "Tank:2"]),
        ("area", ["Person:1", "Pump:1", "Tank:1"]),
        ("points", []),
        ("admin", ["Person:1", "Pump:1", "Pump:2", "Tank:1", "Tank:2"]),
    ):
        answer = await call(
            role, "GET", LD + "entities", params=MANY | {"local": "true", "count": "true"}
        )
        assert ids(answer) == seen, role
        assert answer.headers["ngsild-results-count"] == str(len(seen)), role
    by_post = {"type": "Query", "entities": [{"type": "Tank"}, {"type": "Pump"}]}
    answer = await call("area", "POST", LD + "entityOperations/query", json=by_post)
    assert ids(answer) == ["Pump:1", "Tank:1"]
    assert (await call("types", "GET", LD + "entities/urn:ngsi-ld:Tank:1")).status_code == 404
    assert (await call("area", "GET", LD + "entities/urn:ngsi-ld:Tank:2")).status_code == 404


async def test_a_hidden_attribute_is_neither_shown_nor_found(call):
    one = (await call("attributes", "GET", LD + "entities/urn:ngsi-ld:Tank:1")).json()
    assert one["level"]["value"] == 2.3
    assert "ownerName" not in one
    by_q = MANY | {"type": "Tank", "q": 'ownerName=="S. Li"', "count": "true"}
    for role, seen in (("admin", ["Tank:2"]), ("attributes", [])):
        answer = await call(role, "GET", LD + "entities", params=by_q)
        assert (ids(answer), answer.headers["ngsild-results-count"]) == (seen, str(len(seen)))
    by_attrs = MANY | {"attrs": "ownerName", "count": "true"}
    answer = await call("attributes", "GET", LD + "entities", params=by_attrs)
    assert (ids(answer), answer.headers["ngsild-results-count"]) == ([], "0")
    order = MANY | {"type": "Tank", "orderBy": "ownerName"}
    assert (await call("attributes", "GET", LD + "entities", params=order)).status_code == 200
    assert "ownerName" not in (await call("attributes", "GET", LD + "attributes")).text
    assert (await call("attributes", "GET", LD + "attributes/ownerName")).status_code == 404


async def test_types_are_those_of_what_is_seen(call):
    for role, types in (("types", ["Pump"]), ("area", ["Person", "Pump", "Tank"])):
        found = (await call(role, "GET", LD + "types")).json()["typeList"]
        assert sorted(found) == types
    assert (await call("types", "GET", LD + "types/Tank")).status_code == 404
    assert (await call("area", "GET", LD + "types/Tank")).json()["entityCount"] == 1


async def test_evolution_is_of_what_is_seen(call):
    temporal = LD + "temporal/entities"
    for role, seen in (("types", ["Pump:1", "Pump:2"]), ("area", ["Person:1", "Pump:1", "Tank:1"])):
        given = SINCE | {"type": "Pump,Tank,Person"}
        assert ids(await call(role, "GET", temporal, params=given)) == seen
    one = (await call("attributes", "GET", temporal + "/urn:ngsi-ld:Tank:1")).json()
    assert ("level" in one, "ownerName" in one) == (True, False)
    assert (await call("types", "GET", temporal + "/urn:ngsi-ld:Tank:1")).status_code == 404
    gone = await call("types", "DELETE", temporal + "/urn:ngsi-ld:Tank:1")
    assert gone.status_code == 404
    gone = await call("attributes", "DELETE", temporal + "/urn:ngsi-ld:Tank:1")
    assert gone.status_code == 403
    later = (await call("admin", "GET", LD + "info/sourceIdentity")).json()["contextSourceTimeAt"]
    shown = await call("area", "GET", LD + "entities", params={"type": "Tank", "at": later})
    assert shown.status_code == 200
    assert all(one["id"] == "urn:ngsi-ld:Tank:1" for one in shown.json())


async def test_features_tiles_and_exports_have_only_what_is_seen(call):
    listed = (await call("types", "GET", OGC)).json()["collections"]
    assert [one["id"] for one in listed] == ["Pump"]
    assert (await call("types", "GET", OGC + "/Tank/items")).status_code == 404
    items = (await call("area", "GET", OGC + "/Tank/items")).json()
    assert [one["id"] for one in items["features"]] == ["urn:ngsi-ld:Tank:1"]
    assert items["numberMatched"] == 1
    assert (await call("area", "GET", OGC + "/Tank/items/urn:ngsi-ld:Tank:2")).status_code == 404
    [medeu] = (await call("area", "GET", OGC + "/Tank")).json()["extent"]["spatial"]["bbox"]
    assert medeu[:2] == INSIDE
    table = (await call("attributes", "GET", OGC + "/Tank/export", params={"f": "csv"})).text
    assert "level" in table
    assert "Bekova" not in table
    by_filter = {"filter": "ownerName = 'S. Li'"}
    found = await call("attributes", "GET", OGC + "/Tank/items", params=by_filter)
    assert found.status_code == 400 or found.json()["features"] == []
    whole, part = [
        (await call(role, "GET", "/tiles/Tank/8/182/93.mvt")).content for role in ("admin", "area")
    ]
    assert (b"urn:ngsi-ld:Tank:2" in whole, b"urn:ngsi-ld:Tank:2" in part) == (True, False)
    assert b"urn:ngsi-ld:Tank:1" in part


async def test_what_may_not_be_changed_is_refused_and_what_is_not_seen_is_not_there(call):
    pump, tank, far = (f"{LD}entities/urn:ngsi-ld:{one}" for one in ("Pump:1", "Tank:1", "Tank:2"))
    level, owner = ({"type": "Property", "value": one} for one in (5, "X"))
    move = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": OUTSIDE}}
    cases = [
        ("types", "PATCH", tank + "/attrs", {"level": level}, 404),
        ("types", "DELETE", tank, None, 404),
        ("types", "POST", LD + "entities", entity(9, "Tank", INSIDE), 403),
        ("types", "POST", LD + "entities", entity(1, "Tank", INSIDE), 403),
        ("types", "PATCH", pump, {"type": "Tank"}, 403),
        ("types", "PATCH", pump, {"speed": level}, 204),
        ("attributes", "PATCH", tank + "/attrs", {"ownerName": owner}, 403),
        ("attributes", "PATCH", pump + "/attrs/ownerName", owner, 403),
        ("attributes", "PATCH", pump + "/attrs/nothing", owner, 404),
        ("attributes", "DELETE", tank + "/attrs/ownerName", None, 403),
        ("attributes", "PUT", tank, CITY[2] | {"ownerName": owner}, 403),
        ("attributes", "DELETE", tank, None, 403),
        ("attributes", "DELETE", LD + "entities?type=Tank", None, 403),
        ("attributes", "DELETE", LD + "entities?type=Tank&drop=ownerName", None, 403),
        ("attributes", "PATCH", tank + "/attrs", {"level": level}, 204),
        ("area", "PATCH", far + "/attrs", {"level": level}, 404),
        ("area", "POST", LD + "entities", entity(9, "Tank", OUTSIDE), 403),
        ("area", "PATCH", tank + "/attrs", {"location": move}, 403),
        ("area", "DELETE", tank + "/attrs/location", None, 403),
        ("area", "POST", LD + "entities", entity(9, "Tank", INSIDE), 201),
        ("reader", "PATCH", pump + "/attrs", {"speed": level}, 403),
        ("reader", "PATCH", far + "/attrs", {"level": level}, 204),
        ("points", "PATCH", far + "/attrs", {"level": level}, 403),
        ("types", "POST", "/ngsi-ld/v1/csourceRegistrations", {}, 403),
        ("types", "POST", "/ngsi-ld/v1/jsonldContexts", {"@context": {}}, 403),
    ]  # fmt: skip
    for role, method, path, body, status in cases:
        answer = await call(role, method, path, json=body)
        assert answer.status_code == status, (role, method, path, answer.status_code, answer.text)
    batch = [entity(1, "Pump", INSIDE, speed=9), entity(1, "Tank", INSIDE, level=9)]
    answer = await call("types", "POST", LD + "entityOperations/upsert?options=update", json=batch)
    assert answer.status_code == 207
    [error] = answer.json()["errors"]
    assert (error["entityId"], error["error"]["status"]) == ("urn:ngsi-ld:Tank:1", 403)
    assert (await call("admin", "GET", tank)).json()["level"]["value"] == 5


async def test_a_scenario_shows_no_more_and_a_planner_changes_nothing_but_scenarios(call):
    made = await call("types", "POST", "/api/v1/scenarios", json={"name": "what if"})
    assert made.status_code == 201, made.text
    inside = {"NGSILD-Snapshot": made.json()["id"]}
    every = MANY | {"local": "true"}
    shown = await call("types", "GET", LD + "entities", params=every, headers=inside)
    assert ids(shown) == ["Pump:1", "Pump:2"]
    five = {"speed": {"type": "Property", "value": 5}}
    pump, tank = LD + "entities/urn:ngsi-ld:Pump:1/attrs", LD + "entities/urn:ngsi-ld:Tank:1/attrs"
    assert (await call("types", "PATCH", pump, json=five, headers=inside)).status_code == 204
    assert (await call("types", "PATCH", tank, json=five, headers=inside)).status_code == 404
    assert (await call("planner", "PATCH", pump, json=five)).status_code == 403
    level = {"level": {"type": "Property", "value": 1}}
    assert (await call("planner", "PATCH", tank, json=level, headers=inside)).status_code == 204
    asked = {"id": made.json()["id"]}
    found = (await call("types", "GET", "/api/v1/scenarios/differences", params=asked)).json()
    assert [one["id"] for one in found["differences"]] == ["urn:ngsi-ld:Pump:1"]
    assert found["count"] == 1
    kept = await call("types", "POST", "/api/v1/scenarios/keep", params=asked)
    assert kept.status_code == 403
    members = {
        "type": "Snapshot",
        "snapshotQueries": [{"type": "Query", "q": 'ownerName=="S. Li"'}],
    }
    made = await call("planner", "POST", LD + "snapshots", json=members)
    inside = {"NGSILD-Snapshot": made.headers["location"].rpartition("/")[2]}
    assert (
        ids(await call("admin", "GET", LD + "entities", params={"local": "true"}, headers=inside))
        == []
    )
