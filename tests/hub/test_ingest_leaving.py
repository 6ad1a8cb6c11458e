"""Ingest when a line ends: however that goes, the gateway's place is free for its next line."""

import asyncio

import pytest

from citytwin.errors import LineClosed
from citytwin.testing import NullLine
from citytwin_hub import ingest
from citytwin_protos.session import Welcomed
from tests.hub.conftest import Peer

OUTBOX = b"0123456789abcdef"


class Deaf:
    """A line that takes no frame from the hub once it is told so."""

    def __init__(self, line):
        self._line, self.deaf = line, False
        self.refused, self.ended = asyncio.Event(), asyncio.Event()

    async def send(self, frame):
        if self.deaf:
            self.refused.set()
            await asyncio.get_running_loop().create_future()
        await self._line.send(frame)

    async def receive(self):
        try:
            return await self._line.receive()
        except LineClosed:
            self.ended.set()
            raise

    async def close(self):
        await self._line.close()


async def served(core, gateway="medeu-1"):
    """Return the call of a gateway that is connected, its line and its end of the session."""
    if not core.registry.gateways():
        await core.enrol(gateway, core.token(gateway))
    (known,) = core.registry.gateways()
    here, there = NullLine.pair()
    line = Deaf(there)
    call = asyncio.ensure_future(core.ingest.serve(line, gateway, known.serial, "test"))
    peer = Peer(here, core.clock, OUTBOX)
    await peer.until(Welcomed)
    return call, line, peer


async def test_a_call_that_is_cancelled_while_it_says_goodbye_leaves_its_place(core):
    call, line, _peer = await served(core)
    connection = core.ingest.connections["medeu-1"]
    line.deaf = True
    connection.session.bye("shutdown", "the hub is stopping")
    connection.wake.set()
    await line.refused.wait()
    await line.close()
    await line.ended.wait()  # and the call now waits for its Bye to be taken
    assert not connection.gone.is_set()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert connection.gone.is_set()
    assert "medeu-1" not in core.ingest.connections
    again, _, peer = await served(core)
    await peer.line.close()
    await again


async def test_a_lost_line_is_forgotten_without_waiting_for_anybody(core, monkeypatch):
    monkeypatch.setattr(ingest, "BYE_S_MAX", 3600)
    call, _line, peer = await served(core)
    connection = core.ingest.connections["medeu-1"]
    await peer.line.close()
    async with asyncio.timeout(20):
        await call
    assert connection.gone.is_set()
    assert core.ingest.connections == {}
