"""A whole hub on free ports in this process, with points and an hour of samples."""

import asyncio
import contextlib

import httpx
import msgspec
import numpy as np

from citytwin import Batch, Kind, Label, Place, Point, Span, SystemClock
from citytwin_hub.access import Role
from citytwin_hub.config import HubConfig
from citytwin_hub.hub import Hub
from citytwin_hub.journal.contract import Record, RecordKind
from citytwin_hub.readers import Entry
from citytwin_protos.codec import pack

POINTS = [
    Point(
        id="g-1/d/level",
        unit="m",
        label=Label("Деңгей", "Уровень", "Level"),
        normal=Span(1, 5),
        place=Place(76.9, 43.2),
    ),
    Point(id="g-1/d/pump", writable=Span(0, 1)),
]
MORE_POINTS = [
    Point(id="g-1/d/mode", kind=Kind.TEXT),
    Point(id="g-1/agent/outbox-entries"),
    Point(id="g-1/agent/clock-offset", unit="ms"),
    Point(id="g-1/d/level.alarm", kind=Kind.ALARM),
]


class Running:
    """A hub on free ports with two points that have an hour of samples."""

    def __init__(self, folder, **settings):
        given = {
            "hub": {"state": str(folder)},
            "link": {"bind": "127.0.0.1:0", "enrol_bind": "127.0.0.1:0"},
            "http": {"bind": "127.0.0.1:0"},
        }
        self.folder = folder
        self.hub = Hub(msgspec.convert(given | settings, HubConfig), SystemClock())
        self.now_ns = self.hub.clock.now_ns() // 10**9 * 10**9
        self.rows = self.hub.registry.rows(POINTS)
        self.number = 0
        times = self.now_ns - np.arange(3600)[::-1] * 10**9
        self.take(Batch.of(np.full(3600, self.rows[0]), times, np.arange(3600) / 100))
        self.tokens = {role: self.hub.access.add(role.name.lower(), role) for role in Role}

    def take(self, batch, kind=RecordKind.TELEMETRY):
        """Journal samples as the committer does, and hand them on."""
        self.number += 1
        record = Record(kind, b"s" * 16, self.number, self.hub.clock.now_ns(), "g-1", pack(batch))
        self.hub.readers.take([Entry(record, batch)], self.hub.journal.append([record]))

    def client(self, role=Role.OPERATOR, token=None):
        headers = {"Authorization": f"Bearer {token or self.tokens[role]}"}
        return httpx.AsyncClient(base_url=f"{self.address}/api/v1/", headers=headers)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.hub.http_port}"

    @property
    def socket(self):
        return self.address.replace("http", "ws") + "/api/v1/live"


@contextlib.asynccontextmanager
async def serving(folder, **settings):
    """Run a hub until the end of the block."""
    city = Running(folder, **settings)
    ready = asyncio.Event()
    task = asyncio.ensure_future(city.hub.run(ready.set))
    waiting = asyncio.ensure_future(ready.wait())
    done, _ = await asyncio.wait({task, waiting}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task in done:
        await task
    try:
        yield city
    finally:
        city.hub.stop()
        await asyncio.wait_for(task, 20)
