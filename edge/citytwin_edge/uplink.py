"""Uplink: sends what the outbox holds, live and backlog alike, and hears what the hub says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Protocol, TypeVar

import structlog

from citytwin.command import Command
from citytwin.errors import EnrolmentError, LineClosed, StoreError, WireError
from citytwin_edge import VERSION
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import Entry, EntryKind, Outbox
from citytwin_edge.retries import Retries
from citytwin_protos.codec import outcome_from_bytes, unpack
from citytwin_protos.session import (
    Acknowledged,
    ClockCompared,
    Closed,
    CommandReceived,
    ConfigAsked,
    ConfigPushed,
    ConfigReported,
    EntryRefused,
    GatewaySession,
    Welcomed,
)
from citytwin_protos.transport import Line

SOFTWARE: Final = f"citytwin-edge {VERSION}"
REFUSALS: Final = frozenset({"revoked", "duplicate", "version"})
"""Reasons of a hub that does not want this gateway, and will not want it in a second either."""
CHUNK_ENTRIES: Final = 16
"""So many entries are read from the outbox at once."""
FAREWELL_S_MAX: Final = 1.0

_log = structlog.get_logger(__name__)
T = TypeVar("T")


class Disk(Protocol):
    """Runs a blocking call on the gateway's one disk thread."""

    async def __call__(self, call: Callable[..., T], *arguments: object) -> T:
        """Return what ``call(*arguments)`` returns."""
        ...


class Configures(Protocol):
    """What has to do with the configuration that the hub holds."""

    def report(self) -> ConfigReported:
        """Return what the hub is told of the configuration that runs."""
        ...

    def asked(self, asked: ConfigAsked, /) -> ConfigReported:
        """Return the same, with its text if the hub may have it."""
        ...

    def pushed(self, push: ConfigPushed, /) -> None:
        """Take what the hub pushes, without waiting."""
        ...


class Uplink:
    """Keeps one line to the hub; belongs to the event loop.

    Attributes:
        connected: whether the hub has welcomed us on the present line.
        connects: how often it has.
        sent_bytes: frames sent, without what the line puts around them.
        configures: takes what the hub pushes; None where nobody does.
        acknowledged_ns: when the hub last said that it has something, UTC nanoseconds; 0: never.
    """

    def __init__(
        self,
        outbox: Outbox,
        numbering: Numbering,
        connect: Callable[[], Awaitable[Line]],
        disk: Disk,
        *,
        trust: ClockTrust,
        command: Callable[[Command], object],
        random: Random,
    ) -> None:
        """Send from ``outbox`` over lines that ``connect`` gives.

        Args:
            outbox: what waits for the hub.
            numbering: what its numbers mean.
            connect: opens a line; raises LineClosed, or EnrolmentError where a certificate is not
                taken.
            disk: runs what touches the outbox.
            trust: learns what the hub's clock says.
            command: takes what the hub orders, without waiting.
            random: draws jitter.
        """
        self._outbox, self._numbering, self._connect = outbox, numbering, connect
        self._disk, self._trust, self._clock = disk, trust, trust.machine
        self._command = command
        self._retries = Retries(random)
        self._wake = asyncio.Event()
        self._durable = asyncio.Event()
        self._sent = 0
        self._through = 0
        self._texts_told = 0
        self._points_told = 0
        self._elsewhere = ""
        self._session: GatewaySession | None = None
        self.configures: Configures | None = None
        self._redial = asyncio.Event()
        self.connected = False
        self.connects = 0
        self.sent_bytes = 0
        self.acknowledged_ns = 0

    @property
    def trouble(self) -> str:
        """Why nothing is delivered now, in a sentence; empty when it is."""
        return self._retries.trouble

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._wake.set()

    @property
    def durable_through(self) -> int:
        """The highest number that the hub has acknowledged since this agent began."""
        return self._through

    def tell_config(self, report: ConfigReported | None = None) -> None:
        """Report to the hub what runs, or something else about it, if it is there."""
        if self._session is not None and self.connected and self.configures is not None:
            self._session.report_config(report or self.configures.report())
            self._wake.set()

    def reconnect(self, why: str) -> None:
        """Let go of the line and connect anew, at once."""
        self._elsewhere = why
        self._redial.set()

    async def run(self) -> None:
        """Connect, send, and connect again, for ever."""
        while True:
            self._redial.clear()
            try:
                line = await self._connect()
            except LineClosed as error:
                self._retries.failed("uplink.unreachable", str(error))
            except EnrolmentError as error:
                self._retries.refused("certificate", str(error))
            else:
                await self._serve(line)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._retries.pause_s()):
                    await self._redial.wait()

    async def _serve(self, line: Line) -> None:
        """Run one session on a line, until either side or the line ends it."""
        session = self._session = GatewaySession()
        session.start(
            self._clock.monotonic_ns(),
            software=SOFTWARE,
            outbox=self._outbox.stream,
            announce_digest=self._numbering.announcement().digest,
        )
        self._wake.set()
        trouble = ("uplink.lost", "")
        try:
            async with asyncio.TaskGroup() as group:
                others = (
                    group.create_task(self._send(session, line)),
                    group.create_task(self._forget_durable()),
                    group.create_task(self._until_redial()),
                )
                await self._receive(session, line)
                for task in others:
                    task.cancel()
        except* LineClosed as lost:
            trouble = ("uplink.lost", str(lost.exceptions[0]))
        except* StoreError as failed:
            trouble = ("uplink.outbox_failed", str(failed.exceptions[0]))
        finally:
            self.connected = False
            closed = session.closed
            await self._farewell(session, line)
        if closed is not None:
            self._ended(closed)
        else:
            self._retries.failed(*trouble)

    def _ended(self, closed: Closed) -> None:
        if closed.by_peer and closed.reason in REFUSALS:
            self._retries.refused(closed.reason, closed.detail)
        else:
            who = "the hub" if closed.by_peer else "this gateway"
            self._retries.failed("uplink.closed", f"{who}: {closed.reason}: {closed.detail}")

    async def _farewell(self, session: GatewaySession, line: Line) -> None:
        """Say why, if there is anybody to hear it, and let go of the line."""
        silent = session.closed is not None and session.closed.reason == "silent"
        session.bye("shutdown", "the gateway is stopping or connects anew")
        try:
            if not silent:
                with contextlib.suppress(LineClosed, TimeoutError):
                    async with asyncio.timeout(FAREWELL_S_MAX):
                        for frame in session.outgoing():
                            await line.send(frame)
        finally:
            await line.close()

    async def _receive(self, session: GatewaySession, line: Line) -> None:
        clock = self._clock
        while session.closed is None:
            wait_s = (session.next_tick_ns() - clock.monotonic_ns()) / 1e9
            try:
                async with asyncio.timeout(max(wait_s, 0.0)):
                    frame = await line.receive()
            except TimeoutError:
                session.tick(clock.monotonic_ns(), clock.now_ns())
                self._wake.set()  # there is a heartbeat to send
            else:
                for event in session.receive(frame, clock.monotonic_ns(), clock.now_ns()):
                    await self._handle(session, event)

    async def _handle(self, session: GatewaySession, event: object) -> None:
        if isinstance(event, Acknowledged):
            self._retries.succeeded()
            self.acknowledged_ns = self._trust.now_ns()
            self._acknowledge(event.through)
        elif isinstance(event, Welcomed):
            await self._check_stream(event.durable_through)
            self._welcomed(session, event)
        elif isinstance(event, EntryRefused):
            _log.error(
                "uplink.entry_refused", number=event.number, why=event.reason, detail=event.detail
            )
            reason = f"{event.reason}: {event.detail}"
            await self._disk(self._outbox.refuse, event.number, reason)
        elif isinstance(event, CommandReceived):
            self._command(event.command)
        elif isinstance(event, ConfigPushed) and self.configures is not None:
            self.configures.pushed(event)
        elif isinstance(event, ConfigAsked) and self.configures is not None:
            session.report_config(self.configures.asked(event))
        elif isinstance(event, ClockCompared):
            self._trust.compared(event.offset_ns, event.round_trip_ns // 2)
        self._wake.set()  # there may be room, or an answer to send

    async def _check_stream(self, durable_through: int) -> None:
        """See that the hub has no more than was ever made here (else LineClosed, to begin anew)."""
        if await self._disk(self._outbox.begin_anew, durable_through):
            self._through = 0
            _log.error("uplink.outbox_put_back", durable_through=durable_through,
                       remedy="it is an older copy; what waited in it may come twice")  # fmt: skip
            raise LineClosed(
                "the outbox is an older copy of one that the hub knows: it begins anew"
            )

    def _welcomed(self, session: GatewaySession, event: Welcomed) -> None:
        self.connected = True
        self.connects += 1
        self._sent = event.durable_through
        self._texts_told = 0
        points, texts, _, gone = self._numbering.announcement()
        if event.announce_wanted:
            session.announce(points, texts, gone)
        self._points_told = self._numbering.version
        self._texts_told = max(texts, default=0)
        self._acknowledge(event.durable_through)
        self.tell_config()
        _log.info("uplink.connected", durable_through=event.durable_through, points=len(points))

    async def _until_redial(self) -> None:
        await self._redial.wait()
        raise LineClosed(self._elsewhere)

    def _acknowledge(self, through: int) -> None:
        self._through = max(self._through, through)
        self._durable.set()

    async def _forget_durable(self) -> None:
        """Delete what the hub has; what was acknowledged meanwhile goes in one transaction."""
        while True:
            await self._durable.wait()
            self._durable.clear()
            await self._disk(self._outbox.acknowledge, self._through)

    async def _send(self, session: GatewaySession, line: Line) -> None:
        """Send whatever there is, whenever somebody wakes this."""
        while session.closed is None:
            await self._wake.wait()
            self._wake.clear()
            more = True
            while more:
                more = await self._fill(session)
                for frame in session.outgoing():
                    self.sent_bytes += len(frame)
                    try:
                        await line.send(frame)
                    except LineClosed:
                        return  # who receives learns it too, after the hub's last words

    async def _fill(self, session: GatewaySession) -> bool:
        """Put entries into the session while it has room; return whether there may be more."""
        limit = min(session.room, CHUNK_ENTRIES)
        if limit <= 0:
            return False
        entries = await self._disk(self._outbox.pending, self._sent, limit)
        self._announce_new(session)
        for entry in entries:
            if session.room <= 0:  # an acknowledgement may take room as well as give it
                return False
            self._sent = entry.number
            await self._put(session, entry)
        return len(entries) == limit

    def _announce_new(self, session: GatewaySession) -> None:
        """Announce what entries may need that were appended by now."""
        texts = self._numbering.texts_after(self._texts_told)
        points = self._numbering.changed_after(self._points_told)
        if session.closed is not None or not (texts or points):
            return
        if len(points) > session.points_left:
            session.bye("resync", "more points have changed than fit one session")
            return
        session.announce(points, texts, self._numbering.gone)
        self._texts_told = max(texts, default=self._texts_told)
        self._points_told = self._numbering.version

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
