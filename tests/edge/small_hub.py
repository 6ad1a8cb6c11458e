"""A hub for tests of the gateway: the hub's end of the session, a list for a journal, no more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np

from citytwin import Batch, Command, Outcome
from citytwin.errors import LineClosed
from citytwin.testing import NullLine
from citytwin_edge.enrol import Identity
from citytwin_hub.authority import Authority
from citytwin_protos.session import (
    Announced,
    ClockCompared,
    ConfigReported,
    HelloReceived,
    HubSession,
    Limits,
    OutcomeReceived,
    SamplesReceived,
)
from citytwin_protos.transport import OPTIONS, exchange_handler


class SmallHub:
    """Welcomes whoever comes, keeps what it gets, and does what the test says.

    Attributes:
        entries: (number, batch or outcome), in the order in which they became durable.
        down: no line can be opened.
        mute: accepts frames and answers nothing.
        rejects: (reason, detail) that answers every Hello.
        refuses: numbers that are refused, with a reason.
        holds_back: nothing is acknowledged as long as it is set.
        wall_offset_ns: the hub's clock minus that of the test.
    """

    def __init__(self, clock: Any, limits: Limits | None = None) -> None:
        self.clock, self.limits = clock, limits
        self.entries: list[tuple[int, Any]] = []
        self.durable: dict[bytes, int] = {}
        self.points: dict[int, Any] = {}
        self.gone: set[int] = set()
        self.reports: list[Any] = []
        self.texts: dict[int, str] = {}
        self.lines: list[Any] = []
        self.session: HubSession | None = None
        self.hellos: list[HelloReceived] = []
        self.endings: list[Any] = []
        self.lines_tried = 0
        self.acknowledgements = 0
        self.repeated = 0
        self.down = self.mute = self.holds_back = False
        self.announce_wanted = True
        self.rejects: tuple[str, str] | None = None
        self.refuses: dict[int, str] = {}
        self.wall_offset_ns = 0
        self._serving: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()

    # ---- what the test looks at
    @property
    def samples(self) -> Batch:
        """Every sample that became durable, in order."""
        return Batch.concat([what for _, what in self.entries if isinstance(what, Batch)])

    @property
    def outcomes(self) -> list[Outcome]:
        return [what for _, what in self.entries if isinstance(what, Outcome)]

    def of(self, point_id: str) -> Batch:
        """Every sample of one point."""
        number = next(n for n, point in self.points.items() if point.id == point_id)
        return self.samples.select(self.samples.point == number)

    async def until(self, done: Any, timeout_s: float = 20) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(timeout_s):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    # ---- what the gateway meets
    async def connect(self) -> Any:
        """Open a line in process."""
        self.lines_tried += 1
        if self.down:
            raise LineClosed("the hub is down")
        here, there = NullLine.pair()
        task = asyncio.ensure_future(self.serve(there))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return here

    def order(self, command: Command) -> None:
        """Send a command."""
        assert self.session is not None
        self.session.order(command)
        self._poke()

    def bye(self, reason: str, detail: str) -> None:
        """End the session."""
        assert self.session is not None
        self.session.bye(reason, detail)
        self._poke()

    def _poke(self) -> None:
        self._flushing = asyncio.ensure_future(self._flush(self.lines[-1], self.session))

    async def serve(self, line: Any, _context: Any = None) -> None:
        """Serve one line to its end."""
        session = self.session = HubSession(self.limits)
        self.lines.append(line)
        session.start(self.clock.monotonic_ns())
        outbox = b""
        with contextlib.suppress(LineClosed):
            while session.closed is None:
                wait_s = (session.next_tick_ns() - self.clock.monotonic_ns()) / 1e9
                now = self.clock.now_ns
                try:
                    async with asyncio.timeout(max(wait_s, 0)):
                        frame = await line.receive()
                except TimeoutError:
                    session.tick(self.clock.monotonic_ns(), now() + self.wall_offset_ns)
                else:
                    if self.mute:
                        continue
                    time_ns = now() + self.wall_offset_ns
                    for event in session.receive(frame, self.clock.monotonic_ns(), time_ns):
                        outbox = self._handle(session, event, outbox)
                await self._flush(line, session)
                self._changed.set()
        self.endings.append(session.closed)
        self._changed.set()
        await line.close()

    def _handle(self, session: HubSession, event: Any, outbox: bytes) -> bytes:
        if isinstance(event, HelloReceived):
            self.hellos.append(event)
            if self.rejects is not None:
                session.bye(*self.rejects)
                return event.outbox
            session.welcome(
                durable_through=self.durable.get(event.outbox, 0),
                announce_wanted=self.announce_wanted,
                time_ns=self.clock.now_ns() + self.wall_offset_ns,
            )
            return event.outbox
        if isinstance(event, Announced):
            self.points.update(event.points)
            self.gone = self.gone - event.points.keys() | event.gone
            self.texts.update(event.texts)
        elif isinstance(event, SamplesReceived | OutcomeReceived):
            self._journal(session, event, outbox)
        elif isinstance(event, ConfigReported):
            self.reports.append(event)
        else:
            assert isinstance(event, ClockCompared) or session.closed is not None, event
        return outbox

    def _journal(self, session: HubSession, event: Any, outbox: bytes) -> None:
        if event.number in self.refuses:
            session.refuse(event.number, "invalid", self.refuses[event.number])
            return
        if event.number <= self.durable.get(outbox, 0):
            self.repeated += 1
            return
        if isinstance(event, SamplesReceived):
            assert np.isin(event.batch.point, list(self.points)).all(), "announced before use"
            event.batch.check(points=10**6, now_ns=self.clock.now_ns() + self.wall_offset_ns)
        what = event.batch if isinstance(event, SamplesReceived) else event.outcome
        self.entries.append((event.number, what))
        self.durable[outbox] = event.number
        if not self.holds_back:
            self.acknowledgements += 1
            session.acknowledge(event.number)

    async def _flush(self, line: Any, session: Any) -> None:
        for frame in session.outgoing():
            await line.send(frame)
        if session.closed is not None:
            await line.close()

    @contextlib.asynccontextmanager
    async def listening(self, authority: Authority, port: int = 0) -> AsyncIterator[str]:
        """Listen for gateways over mutual TLS; yields host:port."""
        pair = [(authority.server_key_pem, authority.server_pem)]
        mutual = grpc.ssl_server_credentials(pair, authority.pem, require_client_auth=True)
        server = grpc.aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers((exchange_handler(self.serve),))
        port = server.add_secure_port(f"127.0.0.1:{port}", mutual)
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(0.2)


def identity_of(
    authority: Authority, gateway: str, state: Path, hub: str = "", expires_ns: int = 0
) -> Identity:
    """Give a gateway its key and certificate without enrolling; kept in ``state``."""
    from citytwin_edge import enrol

    key, request = enrol._key_and_request(gateway)
    pem, _ = authority.sign(gateway, request, _now_ns())
    identity = Identity(key, pem, authority.pem, hub, gateway, expires_ns)
    state.mkdir(parents=True, exist_ok=True)
    enrol._save(state, identity)
    return identity


def _now_ns() -> int:
    from citytwin.clock import SystemClock

    return SystemClock().now_ns()
