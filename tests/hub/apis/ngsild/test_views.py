"""Views: a subscriber is told no more than he may see, as it is when he is told."""

from typing import Any

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild.views import OWNER_NS, Views
from citytwin_hub.entities.model import Entity
from citytwin_hub.entities.store import Change
from citytwin_hub.policy.document import load
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import Permit
from citytwin_hub.policy.sight import Sight
from tests.hub.apis.ngsild.test_subscriptions import receiver
from tests.hub.policy.city import INSIDE, LD, OUTSIDE, entity, town
from tests.waiting import until

SUBSCRIPTIONS = LD + "subscriptions"
TOLD = "urn:ngsi-ld:Subscription:"


def asking(name, uri, kind, **more):
    return {
        "id": TOLD + name,
        "type": "Subscription",
        "entities": [{"type": kind}],
        "notificationTrigger": ["entityCreated", "entityUpdated", "entityDeleted"],
        "notification": {"endpoint": {"uri": uri}},
    } | more


def told_of(told, name):
    found = [one for one in told if one["subscriptionId"] == TOLD + name]
    return [entity for one in found for entity in one["data"]]


async def test_notifications_are_as_their_owner_sees(tmp_path):
    async with town(tmp_path) as call, receiver() as (uri, told):
        for role, name, kind, more in (
            ("attributes", "attributes", "Tank", {}),
            ("area", "area", "Tank", {}),
            ("types", "types", "Tank", {}),
            ("attributes", "q", "Tank", {"q": 'ownerName=="Z"'}),
            ("operator", "all", "Tank", {"q": 'ownerName=="Z"'}),
        ):
            asked = asking(name, uri, kind, **more)
            answer = await call(role, "POST", SUBSCRIPTIONS, json=asked)
            assert answer.status_code == 201, (role, answer.text)
        assert (await call("viewer", "POST", SUBSCRIPTIONS, json=asked)).status_code == 403
        for number, place in ((5, OUTSIDE), (6, INSIDE)):
            made = entity(number, "Tank", place, level=1, ownerName="Z")
            assert (await call("admin", "POST", LD + "entities", json=made)).status_code == 201
        away = {"type": "Point", "coordinates": OUTSIDE}
        gone = {"location": {"type": "GeoProperty", "value": away}}
        tank = LD + "entities/urn:ngsi-ld:Tank:6/attrs"
        assert (await call("admin", "PATCH", tank, json=gone)).status_code == 204
        await until(lambda: len(told_of(told, "all")) >= 3 and len(told_of(told, "area")) >= 2
                    and len(told_of(told, "attributes")) >= 3, "all are told")  # fmt: skip
        assert all("level" in one for one in told_of(told, "all"))
        assert all("ownerName" not in one for one in told_of(told, "attributes"))
        assert {one["id"] for one in told_of(told, "area")} == {"urn:ngsi-ld:Tank:6"}
        last = told_of(told, "area")[-1]
        assert "level" not in last or "null" in str(last["level"]), "it has left"
        assert told_of(told, "types") == told_of(told, "q") == []


async def test_subscriptions_are_their_owners(tmp_path):
    async with town(tmp_path) as call:
        for role in ("types", "area"):
            asked = asking(role, "http://127.0.0.1:9/", "Pump")
            assert (await call(role, "POST", SUBSCRIPTIONS, json=asked)).status_code == 201
        both = ["types", "area"]
        for role, seen in (("types", ["types"]), ("area", ["area"]), ("operator", both)):
            listed = await call(role, "GET", SUBSCRIPTIONS, params={"count": "true"})
            assert [one["id"] for one in listed.json()] == [TOLD + one for one in seen]
            assert listed.headers["ngsild-results-count"] == str(len(seen))
        other = f"{SUBSCRIPTIONS}/{TOLD}area"
        for method, path in (("GET", other), ("DELETE", other), ("GET", other + "/progress"),
                             ("POST", other + "/progress")):  # fmt: skip
            assert (await call("types", method, path)).status_code == 404
        assert (await call("types", "PATCH", other, json={"isActive": False})).status_code == 404
        assert (await call("area", "DELETE", other)).status_code == 204


def test_what_an_owner_may_is_looked_up_now_and_then():
    clock, roles, policy = VirtualClock(), ["operator"], load()

    class Door:
        def of_user(self, name):
            return Permit(name, policy.rights(roles)) if roles else None

    class Everything:
        def find(self, ids):
            return {one: Entity(id=one, types=("Device",)) for one in ids}

    door: Any = Door()
    every: Any = Everything()
    owner = Views(clock, door, None).onlooker(every, "aigul")
    change = Change(None, Entity(id="urn:x:1", types=("Tank",)))
    assert owner.change(change) is change
    assert set(owner.find(["urn:x:2"])) == {"urn:x:2"}
    roles.clear()
    assert owner.change(change) is change
    clock.advance(OWNER_NS)
    assert owner.change(change) is None
    assert owner.find(["urn:x:2"]) == {}
    roles.append("viewer")
    clock.advance(OWNER_NS)
    assert owner.change(change) is None, "who may not subscribe is told nothing"


def test_nothing_is_wrapped_where_nothing_is_limited():
    assert Sight(load().rights(["admin"]), Act.READ).is_whole
