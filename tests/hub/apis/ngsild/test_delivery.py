"""Notifications that go out to real servers."""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild import subscription_reading as reading
from citytwin_hub.apis.ngsild.delivery import Delivery
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.notices import Notice, Undelivered
from citytwin_hub.entities.store import Change
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.entities.samples import entity, prop
from tests.servers import free_port, peer

NOTICE = Notice((Change(None, entity(1, level=prop(3))),), 5)


class Http:
    """A receiver that answers every request with a status, and keeps what it got."""

    def __init__(self, status="200 OK", header=""):
        self.status, self.header, self.requests = status, header, []

    async def __call__(self, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            named = {name.lower(): value for name, value in fields.items()}
            body = await reader.readexactly(int(named["content-length"]))
            self.requests.append((head.split()[1], named, body))
            writer.write(
                f"HTTP/1.1 {self.status}\r\n{self.header}Content-Length: 0\r\n\r\n".encode()
            )


@contextlib.asynccontextmanager
async def delivery(folder):
    """Give a delivery on contexts of its own."""
    contexts = Contexts(folder / "contexts.db", VirtualClock())
    made = Delivery(contexts, Receivers())
    try:
        yield made
    finally:
        await made.close()
        contexts.close()


def subscription(uri, **endpoint):
    """Return a subscription with a receiver."""
    document = {
        "type": "Subscription",
        "watchedAttributes": ["level"],
        "notification": {"endpoint": {"uri": uri} | endpoint},
    }
    return reading.create(document, Contexts.core, Receivers())


def nobody(_ids):
    return {}


async def test_it_is_posted_on_connections_that_stay(tmp_path):
    receiver = Http()
    async with delivery(tmp_path) as sending, peer(receiver) as port:
        one = subscription(
            f"http://127.0.0.1:{port}/notify?a=b", receiverInfo=[{"key": "X-Key", "value": "v"}]
        )
        for _ in range(3):
            await sending.deliver(one, NOTICE, nobody, "city")
    assert len(receiver.requests) == 3
    path, header, body = receiver.requests[0]
    assert path == "/notify?a=b"
    assert header["content-type"] == "application/json"
    assert header["x-key"] == "v"
    assert header["ngsild-tenant"] == "city"
    assert b'"type":"Notification"' in body


@pytest.mark.parametrize("status", ["404 Not Found", "500 No", "302 Found", "301 Moved"])
async def test_what_is_not_taken_is_a_failure_and_redirects_are_not_followed(tmp_path, status):
    elsewhere, receiver = Http(), Http(status)
    async with delivery(tmp_path) as sending, peer(elsewhere) as other, peer(receiver) as port:
        receiver.header = f"Location: http://127.0.0.1:{other}/\r\n"
        with pytest.raises(Undelivered, match=f"answered with status {status[:3]}"):
            await sending.deliver(subscription(f"http://127.0.0.1:{port}/"), NOTICE, nobody, "")
    assert not elsewhere.requests


async def test_where_nobody_listens_it_says_so(tmp_path):
    async with delivery(tmp_path) as sending:
        for uri in (f"http://127.0.0.1:{free_port()}/", f"mqtt://127.0.0.1:{free_port()}/t"):
            with pytest.raises(Undelivered, match=r"cannot be reached|does not take it"):
                await sending.deliver(subscription(uri), NOTICE, nobody, "")


async def test_who_does_not_answer_is_given_up(tmp_path):
    async def silent(reader, _writer):
        await reader.read()

    async with delivery(tmp_path) as sending, peer(silent) as port:
        for scheme in ("http", "mqtt"):
            one = subscription(f"{scheme}://127.0.0.1:{port}/t", timeout=50)
            with pytest.raises(Undelivered, match=r"did not answer within 0\.05 s"):
                await sending.deliver(one, NOTICE, nobody, "")


async def test_a_receiver_that_may_not_be_called_any_more_is_not(tmp_path):
    one = subscription("http://127.0.0.1:1/")
    forbidden = replace(one, notify=replace(one.notify, uri="http://10.0.0.1/"))
    async with delivery(tmp_path) as sending:
        with pytest.raises(BadRequestData, match="notify_hosts"):
            await asyncio.wait_for(sending.deliver(forbidden, NOTICE, nobody, ""), 5)
