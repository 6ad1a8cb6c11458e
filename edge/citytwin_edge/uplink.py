"""Uplink: sends what the outbox holds, live and backlog alike, and hears what the hub says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Protocol, TypeVar

import structlog

from citytwin.clock import Clock
from citytwin.command import Command
from citytwin.errors import LineClosed, StoreError, WireError
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import Entry, EntryKind, Outbox
from citytwin_protos.codec import outcome_from_bytes, unpack
from citytwin_protos.session import (
    Acknowledged,
    ClockCompared,
    Closed,
    CommandReceived,
    EntryRefused,
    GatewaySession,
    Welcomed,
)
from citytwin_protos.transport import Line

SOFTWARE: Final = "citytwin-edge 0.1.0"
RETRY_S_MIN: Final = 0.5
RETRY_S_MAX: Final = 30.0
REFUSED_RETRY_S: Final = 60.0
"""A hub that does not want this gateway is asked again, but seldom."""
REFUSALS: Final = frozenset({"revoked", "duplicate", "version"})
CHUNK: Final = 16

_log = structlog.get_logger(__name__)
T = TypeVar("T")


class Disk(Protocol):
    """Runs a blocking call on the gateway's one disk thread."""

    async def __call__(self, call: Callable[..., T], *arguments: object) -> T:
        """Return what ``call(*arguments)`` returns."""
        ...


class Uplink:
    """Keeps one line to the hub; belongs to the event loop."""

    def __init__(  # each is a part that the agent owns
        self,
        outbox: Outbox,
        numbering: Numbering,
        connect: Callable[[], Awaitable[Line]],
        clock: Clock,
        disk: Disk,
        *,
        trust: ClockTrust,
        command: Callable[[Command], object],
        random: Random,
    ) -> None:
        """Send from ``outbox`` over lines that ``connect`` gives; hand commands to ``command``."""
        self._outbox, self._numbering, self._connect = outbox, numbering, connect
        self._clock, self._disk, self._trust = clock, disk, trust
        self._command, self._random = command, random
        self._wake = asyncio.Event()
        self._sent = 0
        self._announced = (-1, -1)
        self.connected = False
        self.connects = 0
        self.sent_bytes = 0

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._wake.set()

    async def run(self) -> None:
        """Connect, send, and connect again, for ever."""
        pause_s = RETRY_S_MIN
        while True:
            closed: Closed | None = None
            try:
                line = await self._connect()
            except LineClosed as error:
                _log.warning("uplink.unreachable", reason=str(error))
            else:
                closed = await self._serve(line)
            if self.connected:
                pause_s = RETRY_S_MIN
            self.connected = False
            if closed is not None and closed.by_peer and closed.reason in REFUSALS:
                _log.error("uplink.refused", reason=closed.reason, detail=closed.detail)
                pause_s = REFUSED_RETRY_S
            # Jitter keeps a thousand gateways from coming back in the same instant.
            await asyncio.sleep(pause_s * (0.5 + self._random.random() / 2))
            pause_s = min(max(pause_s, RETRY_S_MIN) * 2, RETRY_S_MAX)

    async def _serve(self, line: Line) -> Closed | None:
        """Run one session on a line; return how it ended."""
        session = GatewaySession()
        announcement = self._numbering.announcement()
        session.start(
            self._clock.monotonic_ns(),
            software=SOFTWARE,
            outbox=self._outbox.stream,
            announce_digest=announcement.digest,
        )
        self._announced = (-1, -1)
        self._wake.set()
        sender = asyncio.ensure_future(self._send(session, line))
        try:
            await self._receive(session, line, sender)
        except LineClosed as error:
            _log.warning("uplink.lost", reason=str(error))
        except StoreError as error:
            _log.error("uplink.outbox_failed", reason=str(error))
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            await line.close()
        if session.closed is not None:
            _log.info("uplink.closed", reason=session.closed.reason, detail=session.closed.detail)
        return session.closed

    async def _receive(
        self, session: GatewaySession, line: Line, sender: asyncio.Future[None]
    ) -> None:
        clock = self._clock
        while session.closed is None:
            if sender.done():
                sender.result()  # raises what ended it
            wait_s = (session.next_tick_ns() - clock.monotonic_ns()) / 1e9
            try:
                async with asyncio.timeout(max(wait_s, 0.0)):
                    frame = await line.receive()
            except TimeoutError:
                session.tick(clock.monotonic_ns(), clock.now_ns())
            else:
                for event in session.receive(frame, clock.monotonic_ns(), clock.now_ns()):
                    await self._handle(session, event)
            self._wake.set()

    async def _handle(self, session: GatewaySession, event: object) -> None:
        if isinstance(event, Acknowledged):
            await self._disk(self._outbox.acknowledge, event.through)
        elif isinstance(event, Welcomed):
            self._welcomed(event)
            self._announce_new(session)
            await self._disk(self._outbox.acknowledge, event.durable_through)
        elif isinstance(event, EntryRefused):
            _log.error(
                "uplink.entry_refused", number=event.number, why=event.reason, detail=event.detail
            )
            reason = f"{event.reason}: {event.detail}"
            await self._disk(self._outbox.refuse, event.number, reason)
        elif isinstance(event, CommandReceived):
            self._command(event.command)
        elif isinstance(event, ClockCompared):
            self._trust.compared(event.offset_ns)

    def _welcomed(self, event: Welcomed) -> None:
        self.connected = True
        self.connects += 1
        self._sent = event.durable_through
        # Good to a round trip; the heartbeats' comparison follows.
        self._trust.compared(event.hub_time_ns - self._clock.now_ns())
        _log.info("uplink.connected", durable_through=event.durable_through)

    async def _send(self, session: GatewaySession, line: Line) -> None:
        """Send whatever there is, whenever somebody wakes this."""
        while session.closed is None:
            await self._wake.wait()
            self._wake.clear()
            while True:
                more = await self._fill(session)
                for frame in session.outgoing():
                    self.sent_bytes += len(frame)
                    await line.send(frame)
                if not more:
                    break

    async def _fill(self, session: GatewaySession) -> bool:
        """Put entries into the session while it has room; return whether there may be more."""
        if session.room <= 0:
            return False
        limit = min(session.room, CHUNK)
        entries = await self._disk(self._outbox.pending, self._sent, limit)
        self._announce_new(session)
        for entry in entries:
            self._sent = entry.number
            await self._put(session, entry)
        return len(entries) == limit and session.room > 0

    async def _put(self, session: GatewaySession, entry: Entry) -> None:
        try:
            if entry.kind == EntryKind.OUTCOME:
                session.send_outcome(entry.number, outcome_from_bytes(entry.body))
            elif entry.kind == EntryKind.ALARM:
                session.send_alarm(entry.number, unpack(entry.body))
            else:
                session.send_telemetry(entry.number, unpack(entry.body))
        except WireError as error:
            _log.error("uplink.entry_unreadable", number=entry.number, reason=str(error))
            await self._disk(self._outbox.refuse, entry.number, f"unreadable here: {error}")

    def _announce_new(self, session: GatewaySession) -> None:
        """Announce points and texts that this session has not been told of."""
        all_points, all_texts, _ = self._numbering.announcement()
        last_point, last_text = self._announced
        points = {n: point for n, point in all_points.items() if n > last_point}
        texts = {n: text for n, text in all_texts.items() if n > last_text}
        # An announcement of nothing counts, too: the hub waits for one before the first entry.
        if points or texts or self._announced == (-1, -1):
            session.announce(points, texts)
            self._announced = (max(all_points, default=-1), max(all_texts, default=-1))
