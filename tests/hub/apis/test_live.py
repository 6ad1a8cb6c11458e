"""The live stream: batched, bounded, for who has a token; a slow browser slows nobody."""

import asyncio
import json
import socket
import struct

import numpy as np
import pytest
import websockets

from citytwin import Batch, Point
from citytwin_hub.access import Role
from citytwin_hub.apis import live
from citytwin_hub.apis.live import Clients, frame
from citytwin_hub.twin import Twin
from tests.hub.doors import permit
from tests.hub.test_metrics import enrol
from tests.waiting import until


def decoded(data):
    """Return {row: (time_ms, value, quality)} of a binary frame, as a browser reads it."""
    version, count = struct.unpack_from("<B3xI", data)
    assert version == 1
    assert len(data) == 8 + 21 * count
    rows = np.frombuffer(data, "<i4", count, 8)
    times = np.frombuffer(data, "<f8", count, 8 + 4 * count)
    values = np.frombuffer(data, "<f8", count, 8 + 12 * count)
    quality = np.frombuffer(data, "u1", count, 8 + 20 * count)
    return {r: (t, v, q) for r, t, v, q in zip(rows, times, values, quality, strict=True)}


class Browser:
    """One connection; keeps what it was sent."""

    def __init__(self, socket):
        self.socket, self.values, self.messages, self.frames = socket, {}, [], 0

    async def take(self):
        message = await self.socket.recv()
        if isinstance(message, bytes):
            self.frames += 1
            self.values |= decoded(message)
        else:
            self.messages.append(json.loads(message))

    async def until(self, done, timeout_s=20):
        async with asyncio.timeout(timeout_s):
            while not done():
                await self.take()

    def last(self, kind):
        found = [message for message in self.messages if message["type"] == kind]
        return found[-1][kind] if found else None


class Stream:
    def __init__(self, running, role=Role.VIEWER, **options):
        self.running, self.token = running, running.tokens[role]
        self.connecting = websockets.connect(running.socket, **options)

    async def __aenter__(self):
        opened = await self.connecting.__aenter__()
        await opened.send(json.dumps({"token": self.token}))
        return Browser(opened)

    async def __aexit__(self, *error):
        await self.connecting.__aexit__(*error)


def test_frames_are_what_the_document_says():
    twin = Twin()
    twin.apply(
        Batch.of([2, 70_000], [10**18, 10**18 + 1_500_000], [1.5, np.nan], [0, 0x81]), 10**18
    )
    read = decoded(frame(twin.read()))
    assert read[2] == (1e12, 1.5, 0)
    assert read[70_000][0] == 1e12 + 1.5
    assert np.isnan(read[70_000][1])
    assert read[70_000][2] == 0x81


async def test_it_begins_with_everything(running):
    row = int(running.rows[0])
    async with Stream(running) as browser:
        await browser.until(lambda: browser.values and browser.last("gateways") is not None)
        assert browser.messages[0]["type"] == "hello"
        assert {one["type"] for one in browser.messages} == {"hello", "alarms", "gateways"}
        assert {row: value for row, (_, value, _) in browser.values.items()} == {row: 35.99}


async def test_only_what_changed_comes_and_the_newest_of_it(running):
    first, second = (int(row) for row in running.rows)
    async with Stream(running) as browser:
        await browser.until(lambda: first in browser.values)
        assert second not in browser.values
        frames = browser.frames
        for number in range(200):
            running.take(Batch.of([second], running.now_ns + number, [float(number)]))
        await browser.until(lambda: browser.values.get(second, (0, 0, 0))[1] == 199.0)
        assert browser.frames - frames < 50, "many changes, few frames"


async def test_ten_thousand_points_come_in_batches(running):
    """A second of a whole city: each point once a frame at most, whatever came between."""
    rows = running.hub.registry.rows([Point(id=f"g-1/many/p{n}") for n in range(10_000)])
    async with Stream(running) as browser:
        await browser.until(lambda: browser.frames > 0)
        frames = browser.frames
        for second in range(10):
            at_ns = running.now_ns + second * 10**9
            for part in np.array_split(rows, 20):
                running.take(Batch.of(part, at_ns, np.full(len(part), float(second))))
                await asyncio.sleep(0)
        await browser.until(lambda: all(browser.values.get(row, (0, 0))[1] == 9.0 for row in rows))
        assert browser.frames - frames < 100


async def test_lists_come_when_they_change_and_are_made_once_for_all(running, monkeypatch):
    made = 0
    real = type(running.hub.app.state.city).gateways

    def counted(city):
        nonlocal made
        made += 1
        return real(city)

    monkeypatch.setattr(type(running.hub.app.state.city), "gateways", counted)
    async with Stream(running) as one, Stream(running) as two, Stream(running) as three:
        for browser in (one, two, three):
            await browser.until(lambda browser=browser: browser.last("gateways") == [])
        enrol(running.hub.registry, "g-1", running.now_ns)
        before = made
        for browser in (one, two, three):
            await browser.until(lambda browser=browser: bool(browser.last("gateways")))
        assert made - before <= 2, "not once for each browser"
        told, before = len(one.messages), made
        await until(lambda: made >= before + 3, "the lists to be made again")
        running.take(Batch.of([running.rows[1]], running.now_ns, [1.0]))
        await one.until(lambda: int(running.rows[1]) in one.values)
        assert len(one.messages) == told, "unchanged lists are not sent again"


async def test_commands_are_told_to_everybody(running):
    user = permit("operator", "operator")
    async with Stream(running) as one, Stream(running) as two:
        for browser in (one, two):
            await browser.until(lambda browser=browser: browser.last("gateways") is not None)
        running.hub.commands.submit(user, "g-1/d/pump", 1.0, running.hub.clock.now_ns())
        for browser in (one, two):
            await browser.until(lambda browser=browser: browser.last("command") is not None)
            shown = browser.last("command") or {}
            assert (shown["state"], shown["value"], shown["issued_by"]) == (
                "submitted", 1.0, "operator",
            )  # fmt: skip
            assert int(running.rows[1]) not in browser.values, "desired is not reported"


def test_a_browser_that_does_not_keep_up_loses_the_oldest():
    clients = Clients()
    slow, quick = clients.join(), clients.join()
    for number in range(live.COMMANDS_MAX + 10):
        clients.command({"number": number})
        quick.clear()
    assert [slow[0]["number"], len(slow)] == [10, live.COMMANDS_MAX]
    clients.leave(quick)
    clients.command({"number": -1})
    assert (len(clients), len(quick)) == (1, 0)


@pytest.mark.slow
async def test_a_slow_browser_is_let_go_and_slows_nobody(running, monkeypatch):
    monkeypatch.setattr(live, "SEND_S_MAX", 1.0)
    rows = running.hub.registry.rows([Point(id=f"g-1/many/p{n}") for n in range(20_000)])
    clients = running.hub.app.state.clients
    # It reads nothing at all: its own buffers fill, then the hub's.
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", running.hub.http_port))
    async with Stream(running, sock=small, close_timeout=0.2) as slow:
        slow.socket.transport.pause_reading()
        async with Stream(running) as quick:
            await quick.until(lambda: quick.frames > 0)
            assert len(clients) == 2
            number = 0
            async with asyncio.timeout(60):
                while len(clients) == 2:
                    number += 1
                    running.take(Batch.of(rows, running.now_ns + number, np.full(20_000, number)))
                    frames = quick.frames
                    await quick.until(lambda frames=frames: quick.frames > frames, timeout_s=5)
            await quick.until(lambda: quick.values[rows[-1]][1] == number)
            assert len(clients) == 1


@pytest.mark.parametrize(
    "first", ['{"token": "no"}', "junk", "[]", '{"token": 5}', b"\x00\x01", "{}"]
)
async def test_without_a_token_nothing_is_sent(running, first):
    async with websockets.connect(running.socket) as opened:
        await opened.send(first)
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await asyncio.wait_for(opened.recv(), 10)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008
        assert "token" in caught.value.rcvd.reason


async def test_who_says_nothing_is_let_go(running, monkeypatch):
    monkeypatch.setattr(live, "TOKEN_S_MAX", 0.2)
    async with websockets.connect(running.socket) as opened:
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await asyncio.wait_for(opened.recv(), 10)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, "slow" in caught.value.rcvd.reason) == (1013, True)


async def test_who_is_removed_is_cut_off_while_connected(running, monkeypatch):
    monkeypatch.setattr(live, "RECHECK_S", 0.2)
    async with Stream(running) as browser:
        await browser.until(lambda: browser.frames > 0)
        assert running.hub.access.remove("viewer")
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await browser.until(lambda: False)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


async def test_browsers_have_a_limit(running, monkeypatch):
    monkeypatch.setattr(live, "CLIENTS_MAX", 1)
    async with Stream(running) as browser:
        await browser.until(lambda: browser.frames > 0)
        async with websockets.connect(running.socket) as second:
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await asyncio.wait_for(second.recv(), 10)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1013
    clients = running.hub.app.state.clients
    await until(lambda: not len(clients), "the browser to be forgotten")
