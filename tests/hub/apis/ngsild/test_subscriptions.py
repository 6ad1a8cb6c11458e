"""Subscriptions over HTTP, and notifications that come of changes."""

import asyncio
import contextlib
import json

import httpx
import pytest

from citytwin import SystemClock
from citytwin_hub.apis.ngsild.app import build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.doors import OpenDoor
from tests.servers import peer
from tests.waiting import cancelled, until

PATH = "/ngsi-ld/v1/subscriptions"
ONE = "urn:ngsi-ld:Subscription:1"
LD = {"Content-Type": "application/ld+json"}


@contextlib.asynccontextmanager
async def hub(folder):
    """Run a broker; yields a client of it."""
    clock = SystemClock()
    contexts = Contexts(folder / "contexts.db", clock)
    broker = Broker(folder / "entities", clock, contexts, OpenDoor())
    transport = httpx.ASGITransport(app=build_ngsild(broker))
    running = asyncio.create_task(broker.run())
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
        try:
            yield client
        finally:
            await cancelled(running)
            broker.close()
            contexts.close()


@pytest.fixture
async def http(tmp_path):
    async with hub(tmp_path) as client:
        yield client


@contextlib.asynccontextmanager
async def receiver():
    """Run a receiver; yields its address and what it was told."""
    told = []

    async def serve(reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].split("\r\n")[0])
            told.append(json.loads(await reader.readexactly(length)))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with peer(serve) as port:
        yield f"http://127.0.0.1:{port}/notify", told


def document(subscription_id=ONE, uri="http://127.0.0.1:9/", **more):
    """Return a subscription to tanks."""
    return {
        "id": subscription_id,
        "type": "Subscription",
        "entities": [{"type": "Tank"}],
        "notification": {"endpoint": {"uri": uri}},
    } | more


def tank(number, level):
    """Return an entity."""
    return {
        "id": f"urn:ngsi-ld:Tank:{number}",
        "type": "Tank",
        "level": {"type": "Property", "value": level},
    }


async def test_made_listed_changed_and_deleted(http):
    answer = await http.post(PATH, json=document(throttling=5))
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{ONE}"
    assert (await http.post(PATH, json=document())).status_code == 409
    shown = (await http.get(f"{PATH}/{ONE}")).json()
    assert shown["status"] == "active"
    assert shown["entities"] == [{"type": "Tank"}]
    assert "createdAt" not in shown
    shown = (await http.get(f"{PATH}/{ONE}?options=sysAttrs")).json()
    assert shown["createdAt"] == shown["modifiedAt"]
    change = {"isActive": False, "throttling": None}
    assert (await http.patch(f"{PATH}/{ONE}", json=change)).status_code == 204
    shown = (await http.get(f"{PATH}/{ONE}")).json()
    assert (shown["status"], shown["isActive"], "throttling" in shown) == ("paused", False, False)
    assert (await http.delete(f"{PATH}/{ONE}")).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await http.request(method, f"{PATH}/{ONE}")).status_code == 404
    assert (await http.patch(f"{PATH}/{ONE}", json=change)).status_code == 404


async def test_the_list_comes_in_pages(http):
    for number in range(5):
        await http.post(PATH, json=document(f"urn:ngsi-ld:Subscription:{number}"))
    answer = await http.get(f"{PATH}?limit=2&offset=2&count=true")
    assert [one["id"][-1] for one in answer.json()] == ["2", "3"]
    assert answer.headers["NGSILD-Results-Count"] == "5"
    links = [link for link in answer.headers.get_list("link") if "rel=" in link]
    assert any(f'<{PATH}?limit=2&count=true&offset=0>;rel="prev"' in link for link in links)
    assert any(f'<{PATH}?limit=2&count=true&offset=4>;rel="next"' in link for link in links)


@pytest.mark.parametrize(
    ("more", "status", "kind"),
    [
        ({"expiresAt": "2000-01-01T00:00:00Z"}, 400, "BadRequestData"),
        ({"q": "(("}, 400, "BadRequestData"),
        ({"jsonldContext": "http://contexts.invalid/a"}, 504, "LdContextNotAvailable"),
        ({"notification": {"endpoint": {"uri": "http://10.0.0.1/"}}}, 400, "BadRequestData"),
    ],
)
async def test_what_is_wrong_is_refused(http, more, status, kind):
    answer = await http.post(PATH, json=document(**more))
    assert answer.status_code == status
    assert answer.json()["type"].endswith(kind)
    assert (await http.get(PATH)).json() == []


async def test_who_subscribes_is_told_and_sees_how_often(http):
    async with receiver() as (uri, told):
        await http.post(PATH, json=document(uri=uri))
        await http.post("/ngsi-ld/v1/entities", json=tank(1, 3))
        await until(lambda: told, "a notification")
        assert told[0]["subscriptionId"] == ONE
        assert told[0]["data"] == [tank(1, 3)]

        async def shown():
            return (await http.get(f"{PATH}/{ONE}")).json()["notification"]

        async with asyncio.timeout(30):
            while "lastSuccess" not in (found := await shown()):
                await asyncio.sleep(0)
        assert (found["status"], found["timesSent"]) == ("ok", 1)


async def test_a_context_without_a_url_is_served_to_receivers(http):
    given = {"height": "https://example.org/level", "Tank": "https://example.org/Tank"}
    async with receiver() as (uri, told):
        one = document(uri=uri) | {"@context": given}
        assert (await http.post(PATH, json=one, headers=LD)).status_code == 201
        link = (await http.get(f"{PATH}/{ONE}")).json()["jsonldContext"]
        assert link.startswith("http://hub.example/ngsi-ld/v1/jsonldContexts/")
        assert (await http.get(link)).json() == {"@context": given}
        names = {"level": "https://example.org/level", "Tank": "https://example.org/Tank"}
        entity = tank(1, 3) | {"@context": names}
        await http.post("/ngsi-ld/v1/entities", json=entity, headers=LD)
        await until(lambda: told, "a notification")
        assert told[0]["data"][0]["height"]["value"] == 3


async def test_each_tenant_has_its_own_and_is_told_after_a_restart(tmp_path):
    header = {"NGSILD-Tenant": "other"}
    async with receiver() as (uri, told):
        async with hub(tmp_path) as http:
            await http.post(PATH, json=document(uri=uri), headers=header)
            assert (await http.get(PATH)).json() == []
            await http.post("/ngsi-ld/v1/entities", json=tank(1, 3))
            await http.post("/ngsi-ld/v1/entities", json=tank(2, 4), headers=header)
            await until(lambda: told, "a notification")
        async with hub(tmp_path) as http:
            await http.post("/ngsi-ld/v1/entities", json=tank(3, 5), headers=header)
            await until(lambda: len(told) > 1, "a notification after the restart")
    assert [one["data"][0]["id"] for one in told] == [tank(2, 0)["id"], tank(3, 0)["id"]]


async def test_how_far_it_is_and_once_more_from_a_record(http):
    async with receiver() as (uri, told):
        await http.post(PATH, json=document(uri=uri))
        for number in (1, 2):
            await http.post("/ngsi-ld/v1/entities", json=tank(number, number))
        await until(lambda: len(told) == 2, "two notifications")
        told.clear()

        async def lag():
            return (await http.get(f"{PATH}/{ONE}/progress")).json()

        async with asyncio.timeout(30):
            while (found := await lag())["lag"]:
                await asyncio.sleep(0)
        assert found == {"status": "active", "head": 4, "lag": 0, "pending": 0}
        assert (await http.post(f"{PATH}/{ONE}/progress?after=2")).status_code == 202
        await until(lambda: told, "the second one again")
        assert [one["data"][0]["id"] for one in told] == [tank(2, 0)["id"]]
        assert (await http.post(f"{PATH}/{ONE}/progress?after=9")).status_code == 400


async def test_a_failing_one_says_why(http):
    await http.post(PATH, json=document(uri="http://127.0.0.1:9/notify"))
    await http.post("/ngsi-ld/v1/entities", json=tank(1, 3))

    async def found():
        return (await http.get(f"{PATH}/{ONE}/progress")).json()

    async with asyncio.timeout(30):
        while "failure" not in (shown := await found()):
            await asyncio.sleep(0)
    assert "127.0.0.1:9/notify cannot be reached" in shown["failure"]
    assert (shown["lag"], shown["pending"]) == (2, 1)
    assert "waitsSince" in shown
