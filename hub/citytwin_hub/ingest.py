"""Ingest: one session per connected gateway, from its greeting to its last acknowledgement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import numpy as np
import structlog

from citytwin.batch import Batch
from citytwin.clock import Clock
from citytwin.command import Command
from citytwin.errors import BatchError, LineClosed, StoreError
from citytwin.point import Kind, Point
from citytwin_hub.committer import Committer, Waiting
from citytwin_hub.connections import Accepts, Connection, Counters, Holds, Refusals
from citytwin_hub.journal.contract import Journal, Record, RecordKind
from citytwin_hub.readers import Entry
from citytwin_hub.registry import Registry
from citytwin_protos.codec import outcome_to_bytes, pack
from citytwin_protos.session import (
    Announced,
    ClockCompared,
    Closed,
    ConfigReported,
    EntryRefused,
    HelloReceived,
    HubSession,
    Limits,
    OutcomeReceived,
    SamplesReceived,
)
from citytwin_protos.transport import Line

REVOCATION_CHECK_NS: Final = 5_000_000_000
SUPERSEDE_S_MAX: Final = 5.0
BYE_S_MAX: Final = 1.0
NUMBERS_MAX: Final = 1_000_000

_log = structlog.get_logger(__name__)


class Ingest:
    """Serves every gateway's line. All methods belong to the event loop."""

    def __init__(
        self,
        registry: Registry,
        journal: Journal,
        committer: Committer,
        clock: Clock,
        limits: Limits | None = None,
    ) -> None:
        """Put what comes through ``committer`` into ``journal``."""
        self._registry = registry
        self._journal = journal
        self._committer = committer
        self._clock = clock
        self._limits = limits or Limits()
        self.connections: dict[str, Connection] = {}
        self.counters: dict[str, Counters] = {}
        self.observers: list[Accepts] = []
        self.holders: list[Holds] = []
        self._refusals: dict[str, Refusals] = {}

    def send_command(self, gateway: str, command: Command) -> bool:
        """Send a command if it lives and its gateway is connected; return whether it was sent."""
        connection = self.connections.get(gateway)
        if connection is None:
            return False
        sent = connection.session.order(command, self._clock.now_ns())
        connection.wake.set()
        return sent

    def push_config(self, gateway: str, order: bytes, signature: bytes) -> bool:
        """Send a signed configuration if its gateway is connected and takes such."""
        connection = self.connections.get(gateway)
        sent = connection is not None and connection.session.push_config(order, signature)
        if connection is not None:
            connection.wake.set()
        return sent

    def ask_config(self, gateway: str, digest: str) -> bool:
        """Ask a gateway for the text of its configuration if it is connected and gives it."""
        connection = self.connections.get(gateway)
        sent = connection is not None and connection.session.ask_config(digest)
        if connection is not None:
            connection.wake.set()
        return sent

    async def serve(self, line: Line, gateway: str, serial: str, peer: str) -> None:
        """Serve one line until it ends; ``gateway`` and ``serial`` are from its certificate."""
        now_ns = self._clock.monotonic_ns()
        session = HubSession(self._limits)
        connection = Connection(gateway, serial, peer, line, session, self._clock.now_ns())
        session.start(now_ns)
        self._refuse_revoked(connection, "link.refused")
        sender = asyncio.ensure_future(self._send(connection))
        try:
            await self._receive(connection)
        except LineClosed as error:
            _log.info("link.lost", gateway=gateway, peer=peer, reason=str(error))
        finally:
            await self._leave(connection, sender)

    async def _receive(self, connection: Connection) -> None:
        session, clock = connection.session, self._clock
        while session.closed is None:
            wait_s = (session.next_tick_ns() - clock.monotonic_ns()) / 1e9
            try:
                async with asyncio.timeout(max(wait_s, 0.0)):
                    frame = await connection.line.receive()
            except TimeoutError:
                for closed in session.tick(clock.monotonic_ns(), clock.now_ns()):
                    self._log_closed(connection, closed)
            else:
                connection.last_ns = clock.now_ns()
                for event in session.receive(frame, clock.monotonic_ns(), clock.now_ns()):
                    await self._handle(connection, event)
            self._check_revoked(connection)
            connection.wake.set()

    async def _handle(self, connection: Connection, event: object) -> None:
        if isinstance(event, SamplesReceived):
            await self._samples(connection, event)
        elif isinstance(event, OutcomeReceived):
            body = outcome_to_bytes(event.outcome)
            await self._commit(
                connection, RecordKind.OUTCOME, event.number, body, Batch.empty(), event.body_bytes
            )
        elif isinstance(event, Announced):
            self._announced(connection, event)
        elif isinstance(event, HelloReceived):
            await self._hello(connection, event)
        elif isinstance(event, ClockCompared):
            connection.clock_offset_ns = event.offset_ns
        elif isinstance(event, ConfigReported):
            for holder in self.holders:
                holder.reported(connection.gateway, event, self._clock.now_ns())
        elif isinstance(event, EntryRefused):
            self._refused(connection, event.number, event.detail)
        elif isinstance(event, Closed):
            self._log_closed(connection, event)

    def _refused(self, connection: Connection, number: int, reason: str) -> None:
        """Keep that an entry was refused: the gateway may lose its line before it is told."""
        gateway = connection.gateway
        _log.warning("link.entry_refused", gateway=gateway, number=number, reason=reason)
        before = self._refusals.get(gateway, Refusals(0, "", 0))
        told = f"entry {number}: {reason}"
        self._refusals[gateway] = Refusals(before.entries + 1, told, self._clock.now_ns())

    def save_refusals(self) -> None:
        """Write down what was refused since the last call; called about once a second.

        A gateway that has thousands of bad entries must not make the others wait for the disk.
        """
        for gateway, refusals in list(self._refusals.items()):
            try:
                self._registry.refused(gateway, *refusals)
            except StoreError as error:
                _log.error("link.refusals_unsaved", gateway=gateway, reason=str(error))
                return
            del self._refusals[gateway]

    async def _hello(self, connection: Connection, hello: HelloReceived) -> None:
        gateway, session = connection.gateway, connection.session
        connection.outbox, connection.software = hello.outbox, hello.software
        while (present := self.connections.get(gateway)) is not None:
            if present.outbox != hello.outbox:
                detail = (
                    f"another gateway named {gateway!r} is connected from {present.peer}; each "
                    "gateway needs a name and a certificate of its own"
                )
                _log.warning(
                    "link.duplicate", gateway=gateway, peer=connection.peer, other=present.peer
                )
                session.bye("duplicate", detail)
                return
            if not await self._superseded(present):
                session.bye("overloaded", "the line before this one is still being closed")
                return
        self.connections[gateway] = connection
        counters = self.counters.setdefault(gateway, Counters())
        counters.connects += 1
        now_ns = self._clock.now_ns()
        self._seen(connection)
        session.welcome(
            durable_through=self._journal.durable_through(hello.outbox),
            announce_wanted=True,
            time_ns=now_ns,
        )
        _log.info("link.connected", gateway=gateway, peer=connection.peer, software=hello.software)
        for observer in self.observers:
            observer.connected(gateway, now_ns)

    async def _superseded(self, present: Connection) -> bool:
        """End a gateway's older line; return whether it has ended."""
        present.session.bye("duplicate", "the same gateway has connected anew")
        present.wake.set()
        try:
            async with asyncio.timeout(SUPERSEDE_S_MAX):
                await present.gone.wait()
        except TimeoutError:
            # What came over it still waits for the disk.
            _log.warning("link.supersede_slow", gateway=present.gateway, peer=present.peer)
            return False
        return True

    def _seen(self, connection: Connection) -> None:
        gateway, now_ns = connection.gateway, self._clock.now_ns()
        try:
            self._registry.seen(gateway, connection.software, connection.peer, now_ns)
        except StoreError as error:
            _log.error("link.seen_unsaved", gateway=gateway, reason=str(error))

    def _announced(self, connection: Connection, announced: Announced) -> None:
        prefix = connection.gateway + "/"
        points: Mapping[int, Point] = announced.points
        foreign = next((p.id for p in points.values() if not p.id.startswith(prefix)), None)
        numbers = [*points, *announced.texts]
        if foreign is not None:
            connection.session.bye("protocol", f"point {foreign!r} is not this gateway's")
        elif numbers and not 0 <= min(numbers) <= max(numbers) < NUMBERS_MAX:
            connection.session.bye("protocol", f"numbers lie between 0 and {NUMBERS_MAX}")
        else:
            try:
                self._take_announced(connection, announced)
            except StoreError as error:
                _log.error("link.announce_failed", gateway=connection.gateway, reason=str(error))
                connection.session.bye("overloaded", "the hub cannot keep new points now")

    def _take_announced(self, connection: Connection, announced: Announced) -> None:
        points, texts = announced.points, announced.texts
        ordered = sorted(points)
        size = max(ordered[-1] + 1 if ordered else 0, len(connection.numbers))
        numbers, is_text = np.full(size, -1, np.int32), np.zeros(size, bool)
        numbers[: len(connection.numbers)] = connection.numbers
        is_text[: len(connection.is_text)] = connection.is_text
        if ordered:
            gone = {index for index, number in enumerate(ordered) if number in announced.gone}
            numbers[ordered] = self._registry.rows([points[number] for number in ordered], gone)
            is_text[ordered] = [points[number].kind == Kind.TEXT for number in ordered]
        connection.numbers, connection.is_text = numbers, is_text
        known = self._registry.text_numbers(texts.values())
        connection.texts.update(zip(texts, known, strict=True))

    async def _samples(self, connection: Connection, event: SamplesReceived) -> None:
        try:
            batch = self._translated(connection, event.batch)
        except BatchError as error:
            self._refused(connection, event.number, str(error))
            connection.session.refuse(event.number, "invalid", str(error))
            return
        kind = RecordKind.ALARM if event.alarm else RecordKind.TELEMETRY
        await self._commit(connection, kind, event.number, pack(batch), batch, event.body_bytes)

    def _translated(self, connection: Connection, batch: Batch) -> Batch:
        batch.check(points=len(connection.numbers), now_ns=self._clock.now_ns())
        rows = batch.renumbered(connection.numbers)
        if len(rows) and int(rows.point.min()) < 0:
            unknown = batch.point[rows.point < 0][0]
            raise BatchError(f"point number {unknown} was not announced")
        text = connection.is_text[batch.point] & np.isfinite(batch.value)
        if not text.any():
            return rows
        value = batch.value.copy()
        for index in np.flatnonzero(text):
            number = connection.texts.get(int(value[index]))
            if number is None:
                raise BatchError(f"text number {value[index]:g} was not announced")
            value[index] = number
        return Batch(rows.point, rows.time_ns, value, rows.quality)

    async def _commit(
        self,
        connection: Connection,
        kind: RecordKind,
        number: int,
        body: bytes,
        batch: Batch,
        size: int,
    ) -> None:
        counters = self.counters[connection.gateway]
        counters.entries += 1
        counters.samples += len(batch)
        counters.bytes += size
        record = Record(
            kind, connection.outbox, number, self._clock.now_ns(), connection.gateway, body
        )

        def durable(through: int) -> None:
            connection.durable_through = through
            connection.wake.set()

        await self._committer.put(Waiting(Entry(record, batch), durable))

    async def _send(self, connection: Connection) -> None:
        """Send what the session has to say, whenever it has."""
        with contextlib.suppress(LineClosed):
            acknowledged = 0
            while True:
                if connection.durable_through > acknowledged:
                    # One acknowledgement for whatever has become durable meanwhile.
                    acknowledged = connection.durable_through
                    connection.session.acknowledge(acknowledged)
                # Asked before the frames are taken: a Bye that comes meanwhile is sent, too.
                over = connection.session.closed is not None
                for frame in connection.session.outgoing():
                    await connection.line.send(frame)
                if over:
                    # Wakes the receiving side; what was said last has been sent.
                    await connection.line.close()
                    return
                await connection.wake.wait()
                connection.wake.clear()

    def _check_revoked(self, connection: Connection) -> None:
        now_ns = self._clock.monotonic_ns()
        if connection.session.closed is not None or now_ns < connection.checked_ns:
            return
        connection.checked_ns = now_ns + REVOCATION_CHECK_NS
        self._refuse_revoked(connection, "link.revoked")

    def _refuse_revoked(self, connection: Connection, event: str) -> None:
        """Say Bye when the certificate does not count, or when nobody can tell."""
        gateway, peer = connection.gateway, connection.peer
        try:
            refusal = self._registry.refusal(gateway, connection.serial)
        except StoreError as error:
            _log.error(event, gateway=gateway, peer=peer, reason=str(error))
            connection.session.bye("overloaded", "the hub cannot read its registry now")
            return
        if refusal:
            _log.warning(event, gateway=gateway, peer=peer, reason=refusal)
            connection.session.bye("revoked", refusal)

    async def _leave(self, connection: Connection, sender: asyncio.Future[None]) -> None:
        """Say what is still to be said, and forget the connection."""
        connection.wake.set()
        try:
            if connection.session.closed is not None:
                # A Bye is worth a moment's wait; a peer that takes nothing is not.
                async with asyncio.timeout(BYE_S_MAX):
                    await sender
        except TimeoutError:
            _log.info("link.bye_not_taken", gateway=connection.gateway, peer=connection.peer)
        finally:
            # gRPC cancels the call of a peer that is lost at whatever it waits for. So what must
            # happen waits for nothing: else the gateway would find its own place taken for ever.
            sender.cancel()
            self._forget(connection)
        await connection.line.close()

    def _forget(self, connection: Connection) -> None:
        connection.gone.set()
        if self.connections.get(connection.gateway) is connection:
            del self.connections[connection.gateway]
            self.counters[connection.gateway].repeated += connection.session.repeated
            self._seen(connection)

    def _log_closed(self, connection: Connection, closed: Closed) -> None:
        _log.info(
            "link.closed", gateway=connection.gateway, reason=closed.reason, detail=closed.detail
        )
