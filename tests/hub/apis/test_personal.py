"""Personal: whoever is told an attribute of a person is in the log, and nobody else is."""

from citytwin_hub.apis.personal import IDS_MAX, READ, note
from citytwin_hub.audit import entries
from citytwin_hub.policy.permit import EVERYTHING
from tests.hub.apis.ngsild.test_subscriptions import receiver
from tests.hub.doors import OpenDoor
from tests.hub.policy.city import INSIDE, LD, OGC, entity, town
from tests.waiting import until

ONE = LD + "entities/urn:ngsi-ld:Tank:1"
BY_OWNER = LD + 'entities?type=Tank&pick=id&q=ownerName=="S. Li"'
POSTED = {"type": "Query", "entities": [{"type": "Tank"}], "q": 'ownerName=="X"'}


async def test_every_reading_of_a_personal_attribute_is_written_down(tmp_path):
    async with town(tmp_path) as call:
        reads = [
            ("admin", "GET", ONE, None, "Tank:1"),
            ("admin", "GET", ONE + "?attrs=level", None, None),
            ("attributes", "GET", ONE, None, None),
            ("admin", "GET", LD + "entities?type=Tank&options=keyValues", None, "Tank:2"),
            ("admin", "GET", LD + "entities?type=Tank&pick=level", None, None),
            (
                "admin",
                "GET",
                BY_OWNER,
                None,
                "Tank:2",
            ),
            ("admin", "POST", LD + "entityOperations/query", POSTED, "of nothing"),
            ("admin", "GET", LD + "temporal/entities/urn:ngsi-ld:Tank:1", None, "Tank:1"),
            ("admin", "GET", OGC + "/Tank/items", None, "Tank:2"),
            ("admin", "GET", OGC + "/Tank/items/urn:ngsi-ld:Tank:1", None, "Tank:1"),
            ("admin", "GET", OGC + "/Tank/export?f=csv", None, "Tank:2"),
            ("admin", "GET", OGC + "/Tank/items?ownerName=Nobody", None, "of nothing"),
            ("attributes", "GET", OGC + "/Tank/items", None, None),
            ("admin", "GET", LD + "types", None, None),
        ]
        for role, method, path, body, told in reads:
            before = [*entries(tmp_path / "hub" / "audit")]
            answer = await call(role, method, path, json=body)
            assert answer.status_code == 200, (path, answer.text)
            new = [*entries(tmp_path / "hub" / "audit")][len(before) :]
            if told is None:
                assert not new, (role, path, new)
            else:
                [one] = new
                assert (one.deed.who, one.deed.what) == (f"u-{role}", READ)
                assert told in one.deed.on
                assert "ownerName" in one.deed.on
                assert "Bekova" not in one.deed.on
        tile = (await call("admin", "GET", "/tiles/Tank/8/182/93.mvt")).content
        assert b"Bekova" not in tile


async def test_a_notification_is_a_reading_of_its_owner(tmp_path):
    async with town(tmp_path) as call, receiver() as (uri, told):
        asked = {
            "id": "urn:ngsi-ld:Subscription:1",
            "type": "Subscription",
            "entities": [{"type": "Tank"}],
            "notification": {"endpoint": {"uri": uri}},
        }
        assert (await call("operator", "POST", LD + "subscriptions", json=asked)).status_code == 201
        made = entity(7, "Tank", INSIDE, ownerName="Z")
        assert (await call("admin", "POST", LD + "entities", json=made)).status_code == 201
        await until(lambda: told, "the subscriber is told")
        found = [one.deed for one in entries(tmp_path / "hub" / "audit") if one.deed.what == READ]
    assert {one.who for one in found} == {"u-operator"}
    assert all("Tank:7" in one.on and "Subscription:1" in one.on for one in found)


def test_a_record_names_only_some_of_many():
    door = OpenDoor()
    note(door, EVERYTHING, "GET /x", ["b", "a"], [str(number) for number in range(IDS_MAX + 2)])
    note(door, EVERYTHING, "GET /x", [], ["1"])
    [(what, on)] = door.noted
    assert what == READ
    assert on.startswith("a b of 0 1 2 ")
    assert on.endswith("49 and 2 more; GET /x")
