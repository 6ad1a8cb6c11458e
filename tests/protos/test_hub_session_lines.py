"""Both ends on virtual time over lines that break: every entry arrives once, in order, in time."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random

import pytest

from citytwin import Batch, Outcome
from citytwin.errors import LineClosed
from citytwin.testing import Faults, FaultyLink, NullLine, VirtualClock
from citytwin_protos.codec import pack
from citytwin_protos.session import (
    Acknowledged,
    CommandReceived,
    EntryRefused,
    GatewaySession,
    HelloReceived,
    HubSession,
    Limits,
    OutcomeReceived,
    SamplesReceived,
    Welcomed,
)
from tests.protos.pair import COMMAND, OUTBOX, OUTCOME
from tests.protos.samples import NOW_NS, SECOND_NS, Devices

WINDOW = 8
ENTRIES = 300


async def step(end, line, clock):
    """Return what the next frame or the next tick brings; send what that calls for."""
    for frame in end.outgoing():
        await line.send(frame)
    wait_s = (end.next_tick_ns() - clock.monotonic_ns()) / SECOND_NS
    try:
        async with asyncio.timeout(max(wait_s, 0.0)):
            frame = await line.receive()
    except TimeoutError:
        return end.tick(clock.monotonic_ns(), clock.now_ns())
    return end.receive(frame, clock.monotonic_ns(), clock.now_ns())


class Hub:
    """A hub with a journal in a list that is durable a while after an entry came."""

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        self.clock, self.random = clock, random
        self.journal: list[tuple[int, Batch | Outcome]] = []
        self.repeated = 0
        self.refused: set[int] = set()
        self.in_flight_max = 0

    @property
    def durable(self) -> int:
        return self.journal[-1][0] if self.journal else 0

    async def serve(self, line) -> None:
        hub = HubSession(Limits(window_entries=WINDOW))
        hub.start(self.clock.monotonic_ns())
        committing: set[asyncio.Task[None]] = set()
        waiting = 0
        try:
            while hub.closed is None:
                for event in await step(hub, line, self.clock):
                    if isinstance(event, HelloReceived):
                        hub.welcome(
                            durable_through=self.durable,
                            announce_wanted=False,
                            time_ns=self.clock.now_ns(),
                        )
                        hub.order(COMMAND)
                    elif isinstance(event, SamplesReceived | OutcomeReceived):
                        waiting += 1
                        self.in_flight_max = max(self.in_flight_max, waiting)
                        if event.number % 50 == 0:
                            self.refused.add(event.number)
                            hub.refuse(event.number, "invalid", "every fiftieth")
                            waiting -= 1
                        elif len(committing) < 3:
                            await self._commit(hub, event)
                            waiting -= 1
            for frame in hub.outgoing():
                await line.send(frame)
        finally:
            self.repeated += hub.repeated
            await line.close()

    async def _commit(self, hub, event) -> None:
        await asyncio.sleep(self.random.random() * 0.05)
        what = event.batch if isinstance(event, SamplesReceived) else event.outcome
        self.journal.append((event.number, what))
        hub.acknowledge(event.number)


class Gateway:
    """A gateway with an outbox in a list, which connects anew until all is durable."""

    def __init__(self, clock: VirtualClock, random: Random, entries: list[Batch | Outcome]) -> None:
        self.clock, self.random, self.entries = clock, random, entries
        self.durable = 0
        self.aside: list[int] = []
        self.sessions = self.commands = self.unacknowledged_max = 0
        self.reasons: set[str] = set()

    async def run(self, hub: Hub, faults: Faults) -> None:
        while self.durable + len(self.aside) < len(self.entries) or self.pending():
            here, there = NullLine.pair()
            line = FaultyLink(here, faults, self.random)
            serving = asyncio.ensure_future(hub.serve(there))
            with contextlib.suppress(LineClosed):
                await self.connected(line)
            await line.close()
            await asyncio.gather(serving, return_exceptions=True)
            await asyncio.sleep(1)

    def pending(self) -> list[int]:
        numbers = range(self.durable + 1, len(self.entries) + 1)
        return [number for number in numbers if number not in self.aside]

    async def connected(self, line) -> None:
        self.sessions += 1
        session = GatewaySession()
        session.start(self.clock.monotonic_ns(), software="t", outbox=OUTBOX, announce_digest=b"")
        unsent: list[int] = []
        flying: set[int] = set()
        while session.closed is None and (self.pending() or not self.sessions):
            while session.room and unsent:
                number = unsent.pop(0)
                flying.add(number)
                self.unacknowledged_max = max(self.unacknowledged_max, len(flying))
                self.send(session, number)
            for event in await step(session, line, self.clock):
                if isinstance(event, Welcomed):
                    self.durable = max(self.durable, event.durable_through)
                    unsent = self.pending()
                elif isinstance(event, Acknowledged):
                    assert event.through >= self.durable
                    self.durable = event.through
                    flying = {number for number in flying if number > event.through}
                elif isinstance(event, EntryRefused):
                    self.aside.append(event.number)
                    flying.discard(event.number)
                elif isinstance(event, CommandReceived):
                    self.commands += 1
        if session.closed is not None:
            self.reasons.add(session.closed.reason)

    def send(self, session: GatewaySession, number: int) -> None:
        entry = self.entries[number - 1]
        if not isinstance(entry, Batch):
            session.send_outcome(number, entry)
        elif number % 7 == 0:
            session.send_alarm(number, entry)
        else:
            session.send_telemetry(number, entry)


def city(seed: int, faults: Faults, entries: list[Batch | Outcome]):
    """Run a gateway and a hub until everything is settled; return both and the seconds it took."""
    clock = VirtualClock()
    hub, gateway = Hub(clock, Random(seed)), Gateway(clock, Random(seed + 1), entries)
    clock.run(gateway.run(hub, faults))
    return hub, gateway, clock.monotonic_ns() / SECOND_NS


def outbox(seed: int) -> list[Batch | Outcome]:
    devices = Devices(30, seed)
    return [OUTCOME if number % 11 == 0 else devices.scan() for number in range(1, ENTRIES + 1)]


@pytest.mark.parametrize("seed", range(4))
def test_over_lines_that_break_every_entry_arrives_once(seed):
    entries = outbox(seed)
    faults = Faults(cut=0.02, stall=0.002, delay_s_max=0.2)
    hub, gateway, seconds = city(seed, faults, entries)
    assert gateway.sessions > 3
    stored = [number for number, _ in hub.journal]
    assert stored == sorted(set(range(1, ENTRIES + 1)) - hub.refused)
    assert set(gateway.aside) <= hub.refused
    assert all(what == entries[number - 1] for number, what in hub.journal)
    assert gateway.unacknowledged_max <= WINDOW
    assert hub.in_flight_max <= WINDOW
    assert gateway.commands > 0
    again = city(seed, faults, entries)
    assert (again[1].sessions, again[2]) == (gateway.sessions, seconds)


@pytest.mark.parametrize("seed", range(2))
def test_over_lines_that_change_bytes_nothing_wrong_is_stored(seed):
    entries = outbox(seed)
    hub, gateway, _ = city(seed, Faults(mutate=0.03, delay_s_max=0.05), entries)
    stored = [number for number, _ in hub.journal]
    assert stored == sorted(set(stored))
    # Numbers and acknowledgements have no checksum of their own (TLS is theirs), samples have.
    sent = {pack(entry) for entry in entries if isinstance(entry, Batch)}
    assert all(pack(what) in sent for _, what in hub.journal if isinstance(what, Batch))
    assert len(stored) > ENTRIES * 0.9
    assert gateway.reasons & {"malformed", "resync", "protocol"}


def test_on_a_perfect_line_one_session_is_enough():
    entries: list[Batch | Outcome] = [Batch.of(0, NOW_NS + n, float(n)) for n in range(1, 301)]
    hub, gateway, _ = city(1, Faults(), entries)
    assert gateway.sessions == 1
    assert hub.repeated == 0
    assert len(hub.journal) + len(gateway.aside) == 300
