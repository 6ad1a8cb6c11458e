"""DLMS server: waits for meters that push over TCP or UDP, and tells each device its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Final

import structlog

from citytwin.adapter import Direction
from citytwin.clock import Clock
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.connection import Tap, nobody_looks
from citytwin_edge.adapters.meter_listener import Heard
from citytwin_edge.wire.dlms_cutters import WrapperCutter
from citytwin_edge.wire.messages import Message

CONNECTIONS_MAX: Final = 256
"""So many meters may be connected at a time; a further one is turned away."""
SILENT_S_MAX: Final = 3600.0
"""A connection on which nothing came for so long is closed: its meter may have gone."""
HEARD_MAX: Final = 256
"""So many messages wait for a device to take them; the oldest goes first."""

_log = structlog.get_logger(__name__)


class _Party:
    """What one device has not taken yet."""

    def __init__(self, owner: object, peer: str) -> None:
        self.owner, self.peer = owner, peer
        self.heard: deque[Heard] = deque(maxlen=HEARD_MAX)
        self.news = asyncio.Event()
        self.end = ""

    def tell(self, peer: str, message: Message, time_ns: int) -> None:
        if not self.peer or self.peer == peer:
            self.heard.append(Heard(message, time_ns))
            self.news.set()


class DlmsServer:
    """One TCP or UDP port; it is open while somebody listens."""

    def __init__(
        self, kind: str, bind: str, port: int, clock: Clock, tap: Tap = nobody_looks
    ) -> None:
        """Touch no network; ``tap`` is shown what comes."""
        self.kind, self.bind, self.port = kind, bind, port
        self._clock, self._tap = clock, tap
        self._parties: list[_Party] = []
        self._opening = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._links: set[_Link] = set()

    def __str__(self) -> str:
        return f"{self.kind} {self.bind}:{self.port}"

    @property
    def where(self) -> tuple[str, int]:
        """The address and port that it waits at, once it is open."""
        ends: Any = self._server.sockets if self._server is not None else None
        if ends:
            name = ends[0].getsockname()
        else:
            name = self._datagrams.get_extra_info("sockname") if self._datagrams else ("", 0)
        return name[0], name[1]

    async def listen(self, owner: object, peer: str) -> AsyncGenerator[Heard, None]:
        """Yield what a meter pushes, ``peer`` being its IP address, empty: whoever sends.

        Raises:
            DeviceSilent: the port cannot be opened, or is closed.
        """
        party = _Party(owner, peer)
        self._parties.append(party)
        try:
            await self._open()
            while True:
                while not party.heard:
                    if party.end:
                        raise DeviceSilent(party.end)
                    party.news.clear()
                    await party.news.wait()
                yield party.heard.popleft()
        finally:
            self._parties.remove(party)
            if not self._parties:
                self._shut()

    def end(self, owner: object) -> None:
        """End the listening of an owner."""
        for party in self._parties:
            if party.owner is owner:
                party.end = f"{self} was closed"
                party.news.set()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._opening:
            if self._server is not None or self._datagrams is not None:
                return
            try:
                if self.kind == "tcp":
                    self._server = await loop.create_server(
                        lambda: _Link(self), self.bind, self.port, backlog=CONNECTIONS_MAX
                    )
                else:
                    self._datagrams, _ = await loop.create_datagram_endpoint(
                        lambda: _Datagrams(self), (self.bind, self.port)
                    )
            except OSError as error:
                raise DeviceSilent(f"{self} cannot be opened: {error.strerror}") from None

    def _shut(self) -> None:
        server, self._server = self._server, None
        datagrams, self._datagrams = self._datagrams, None
        if datagrams is not None:
            datagrams.abort()
        for link in list(self._links):
            link.drop()
        if server is not None:
            server.close()

    # ---- called by its links
    def joined(self, link: _Link) -> bool:
        """Note a connection; return whether there is room for it."""
        if len(self._links) >= CONNECTIONS_MAX:
            _log.warning("dlms.turned_away", at=str(self), connections=len(self._links))
            return False
        self._links.add(link)
        return True

    def parted(self, link: _Link) -> None:
        """Note that a connection has ended."""
        self._links.discard(link)

    def show(self, peer: str, data: bytes) -> None:
        """Show bytes that came to whoever looks."""
        self._tap(str(self), Direction.RECEIVED, data, note=peer)

    def take(self, peer: str, messages: list[Message]) -> None:
        """Hand messages of a meter to whom they concern."""
        time_ns = self._clock.now_ns()
        for message in messages:
            for party in self._parties:
                party.tell(peer, message, time_ns)


class _Link(asyncio.Protocol):
    """One meter that has connected."""

    def __init__(self, server: DlmsServer) -> None:
        self._server = server
        self._cutter = WrapperCutter()
        self._peer = ""
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._peer = _plain(transport.get_extra_info("peername")[0])
        if self._server.joined(self):
            self._wait()
        else:
            self.drop()

    def data_received(self, data: bytes) -> None:
        self._server.show(self._peer, data)
        messages = self._cutter.feed(data)
        self._server.take(self._peer, messages)
        if any(one.broken for one in messages):  # out of step for good
            self.drop()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        if self._timer is not None:
            self._timer.cancel()
        self._server.parted(self)

    def drop(self) -> None:
        self._transport.abort()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(SILENT_S_MAX, self.drop)


class _Datagrams(asyncio.DatagramProtocol):
    """Meters that send datagrams, each a whole message."""

    def __init__(self, server: DlmsServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        peer, cutter = _plain(addr[0]), WrapperCutter()
        self._server.show(peer, data)
        messages = cutter.feed(data)
        if cutter.is_within:
            messages.append(Message(b"", "a datagram holds less than its header says"))
        self._server.take(peer, messages)


def _plain(address: str) -> str:
    """Return an IPv4 address as such, though it came over an IPv6 socket."""
    return address.removeprefix("::ffff:")


class ServerSource:
    """A meter that is heard by a server; see :class:`..meter_listener.Source`."""

    def __init__(self, server: DlmsServer, peer: str) -> None:
        """Touch no network."""
        self._server, self._peer = server, peer

    @property
    def name(self) -> str:
        """What it is called to people."""
        return f"the meter {self._peer or 'that sends'} to {self._server}"

    async def close(self) -> None:
        """Listen no more."""
        self._server.end(self)

    async def messages(self) -> AsyncGenerator[Heard, None]:
        """Yield messages as they come."""
        async with contextlib.aclosing(self._server.listen(self, self._peer)) as stream:
            async for heard in stream:
                yield heard
