"""The same code on a virtual clock: an hour of two gateways over bad lines, seeded, in seconds."""

import asyncio
import hashlib
import math
import resource
import sys
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from citytwin import Batch
from citytwin.adapter import Binding
from citytwin.testing import Faults, FaultyLink, NullLine, VirtualClock
from citytwin_edge import plugins
from citytwin_edge.agent import Agent
from citytwin_edge.config import load
from citytwin_edge.outbox import Outbox
from citytwin_hub.committer import Committer
from citytwin_hub.history.parquet import ParquetHistory
from citytwin_hub.ingest import Ingest
from citytwin_hub.journal.segments import SegmentJournal
from citytwin_hub.readers import Readers
from citytwin_hub.registry import Registry
from citytwin_hub.twin import Twin

HOUR_S = 3600
SERIAL = "1a2b"


class Meter:
    """A device in virtual time: its value is a function of the time of its reading."""

    def __init__(self, bindings, site):
        self.bindings, self.clock = bindings, site.clock

    async def open(self):
        pass

    async def close(self):
        pass

    async def read(self):
        await asyncio.sleep(0.02)
        now_ns = self.clock.now_ns()
        wave = round(50 + 40 * math.sin(now_ns / 6e11), 1)
        return Batch.of(range(len(self.bindings)), now_ns, wave + np.arange(len(self.bindings)))


class MeterType:
    def __init__(self):
        self.device_settings = msgspec.defstruct("Settings", [], forbid_unknown_fields=True)
        self.point_settings = self.device_settings

    def build(self, settings, bindings: list[Binding], site):
        return Meter(bindings, site)


def config_of(folder, name, monkeypatch):
    monkeypatch.setattr(plugins, "adapter", lambda _name: MeterType())
    points = "".join(
        f'[[device.point]]\nname = "p{n}"\nunit = "bar"\nnormal = [0, 80]\n' for n in range(5)
    )
    devices = "".join(
        f'[[device]]\nname = "d{n}"\nadapter = "meter"\nperiod_s = 10\n{points}' for n in range(3)
    )
    path = folder / name / "edge.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'[gateway]\nname = "{name}"\nstate = "state"\n[outbox]\nflush_ms = 30000\n{devices}'
    )
    return load(path)


class City:
    """A hub's core and two gateways in one process on one virtual clock."""

    def __init__(self, folder, clock, random, faults, monkeypatch):
        self.clock, self.random, self.faults = clock, random, faults
        self.registry = Registry(folder / "hub" / "registry.db")
        self.journal = SegmentJournal(folder / "hub" / "journal")
        self.twin, self.history = Twin(), ParquetHistory(folder / "hub" / "history")
        self.readers = Readers(self.journal, self.twin, self.history, None)
        self.committer = Committer(self.journal, self.readers, None)
        self.ingest = Ingest(self.registry, self.journal, self.committer, clock)
        self.serving = set()
        self.counts = {"lines": 0}
        self.agents = []
        for name in ("medeu-1", "almaly-1"):
            self.enrol(name)
            config = config_of(folder, name, monkeypatch)
            connect = self.connector(name)
            self.agents.append(Agent(config, clock, connect, Random(random.random())))

    def enrol(self, name):
        secret = b"s" * 15 + name[:1].encode()
        self.registry._db.execute(
            "INSERT INTO tokens (hash, gateway, expires_ns, replaces) VALUES (?, ?, ?, 0)",
            (hashlib.sha256(secret).digest(), name, 2**62),
        )
        self.registry.enrol(name, secret, SERIAL, self.clock.now_ns())

    def connector(self, name):
        async def connect():
            here, there = NullLine.pair()
            task = asyncio.ensure_future(self.ingest.serve(there, name, SERIAL, "virtual"))
            self.serving.add(task)
            task.add_done_callback(self.serving.discard)
            self.counts["lines"] += 1
            return FaultyLink(here, self.faults, self.random)

        return connect

    async def run(self, seconds):
        committing = asyncio.ensure_future(self.committer.run())
        running = [asyncio.ensure_future(agent.run()) for agent in self.agents]
        await asyncio.sleep(seconds)
        # The weather clears, so that what is left in the outboxes can arrive.
        self.faults = Faults()
        for poller in [p for agent in self.agents for p in agent.pollers.values()]:
            poller._adapter.read = self.stopped
        await asyncio.sleep(120)
        for agent in self.agents:
            agent.stop()
        await asyncio.gather(*running)
        await asyncio.sleep(30)
        committing.cancel()
        await asyncio.gather(committing, *self.serving, return_exceptions=True)

    async def stopped(self):
        await asyncio.sleep(10**6)


def processor_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.timeout(300)
def test_an_hour_of_bad_lines_loses_and_repeats_nothing(tmp_path, monkeypatch):
    def run(folder):
        clock = VirtualClock()
        faults = Faults(cut=0.01, stall=0.002, delay_s_max=0.3)
        city: Any = None
        before_s = processor_s()

        async def main():
            nonlocal city
            city = City(folder, clock, Random(7), faults, monkeypatch)
            await city.run(HOUR_S)

        clock.run(main())
        took_s = processor_s() - before_s
        rows = sorted(city.registry.points)
        seen = city.history.read(rows, 0, 2**62, samples_max=10**6)
        accepted = sum(agent.accepted_samples for agent in city.agents)
        # What an agent accepted in its last moment waits in its outbox for its next start.
        waiting = 0
        for agent in city.agents:
            outbox = Outbox(agent.config.state / "outbox.db", size_bytes_max=10**9)
            durable = city.journal.durable_through(outbox.stream)
            waiting += sum(entry.samples for entry in outbox.pending(durable, 10**6))
            outbox.close()
        return city, seen, accepted - waiting, took_s

    city, seen, accepted, took_s = run(tmp_path / "first")
    pairs = set(zip(seen.point.tolist(), seen.time_ns.tolist(), strict=True))
    lost, repeated = accepted - len(seen), len(seen) - len(pairs)
    sys.stdout.write(
        f"virtual hour: lines {city.counts['lines']}, samples {accepted}, lost {lost}, "
        f"repeated {repeated}, in {took_s:.1f} s of processor time\n"
    )
    assert (lost, repeated) == (0, 0)
    assert accepted > 2 * 3 * 5 * 350
    assert city.counts["lines"] > 5
    _, seen_again, accepted_again, _ = run(tmp_path / "second")
    assert accepted_again == accepted
    measured = [row for row, point in city.registry.points.items() if point.device != "agent"]
    mine, other = np.isin(seen.point, measured), np.isin(seen_again.point, measured)
    assert seen.select(mine) == seen_again.select(other)
