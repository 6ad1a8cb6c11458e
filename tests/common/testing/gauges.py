"""Gauges for tests of the check: one device, adapters that keep every promise, and its bench."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import numpy as np

from citytwin import Batch, Binding, Point, Quality, SystemClock
from citytwin.adapter import Direction, Probed, Site
from citytwin.errors import DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin.testing import TcpBench, VirtualClock

BINDINGS = [Binding(Point(id="g/d/level"), "level"), Binding(Point(id="g/d/temp"), "temp")]
REPLY_S = 0.2
NAMES = ("level", "temp")


def parsed(text: str) -> dict[str, str]:
    """What ``level=2.5;temp=18.0`` says."""
    return {name: value for name, _, value in (one.partition("=") for one in text.split(";"))}


def framed(text: str) -> bytes:
    """A line with its checksum: ``level=2.5*9f…``."""
    return f"{text}*{zlib.crc32(text.encode()):08x}\n".encode()


class Device:
    """A gauge: answers ``?`` and ``level=3``; without a question it speaks by itself."""

    def __init__(self):
        self.values = {"level": 2.5, "temp": 18.0}

    def line(self) -> bytes:
        return framed(";".join(f"{name}={value}" for name, value in self.values.items()))

    async def answers(self, reader, writer):
        while line := await reader.readline():
            name, _, value = line.decode().strip().partition("=")
            if value:
                self.values[name] = float(value)
            writer.write(self.line())

    async def speaks(self, reader, writer):
        while True:
            writer.write(self.line())
            await asyncio.sleep(0.05)

    def polled(self) -> TcpBench:
        return TcpBench(self.answers, checksum_bits=32)

    def streaming(self) -> TcpBench:
        return TcpBench(self.speaks, checksum_bits=32)


class Gauge:
    """What the two below share."""

    def __init__(self, port: int, site: Site) -> None:
        self.port, self.site = port, site
        self.line: Any = None

    async def open(self):
        if self.line is None:
            try:
                self.line = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                raise DeviceSilent(str(error)) from None

    async def close(self):
        if self.line is not None:
            self.line[1].transport.abort()
            self.line = None

    async def heard(self, timeout_s=None) -> bytes:
        if self.line is None:
            raise DeviceSilent("closed")
        try:
            async with asyncio.timeout(timeout_s):
                data = await self.line[0].readuntil(b"\n")
        except (OSError, EOFError) as error:
            raise DeviceSilent(f"no answer: {error}") from None
        except asyncio.LimitOverrunError:
            raise DeviceMalformed("a line without end") from None
        self.site.tap("line", Direction.RECEIVED, data)
        return data

    def values(self, data: bytes) -> list[float]:
        text, _, _ = data.rpartition(b"*")
        if data != text + b"*%08x\n" % zlib.crc32(text):
            raise DeviceMalformed("the checksum is wrong")
        said = parsed(text.decode())
        return [float(said[name]) for name in NAMES]

    def batch(self, values) -> Batch:
        return Batch.of(range(len(values)), self.site.clock.now_ns(), values)


class Polled(Gauge):
    """Asks, and keeps every promise; a faulty one overrides a part of it."""

    async def answered(self) -> bytes:
        await self.open()
        try:
            self.site.tap("line", Direction.SENT, b"?\n")
            self.line[1].write(b"?\n")
            return await self.heard(REPLY_S)
        except (DeviceSilent, DeviceMalformed, asyncio.CancelledError):
            await self.close()
            raise

    async def read(self):
        data = await self.answered()
        try:
            return self.batch(self.values(data))
        except DeviceMalformed:
            await self.close()
            raise

    async def write(self, point, value):
        if point:
            raise DeviceRefused("a temperature cannot be set")
        await self.open()
        self.line[1].write(f"level={value}\n".encode())
        await self.heard(REPLY_S)

    async def probe(self):
        data = await self.answered()
        return [Probed(i, data, v, Quality.GOOD, 0) for i, v in enumerate(self.values(data))]


class Listening(Gauge):
    """Hears, and keeps every promise."""

    async def listen(self):
        await self.open()
        while True:
            try:
                yield self.batch(self.values(await self.heard()))
            except DeviceMalformed:
                now_ns = self.site.clock.now_ns()
                yield Batch.of([0, 1], now_ns, [np.nan] * 2, Quality.BAD_MALFORMED)

    async def probe(self):
        await self.open()
        data = await self.heard()
        return [Probed(i, data, v, Quality.GOOD, 0) for i, v in enumerate(self.values(data))]


def new_site() -> Site:
    return Site(SystemClock(), lambda _text: 0)


def run(scene):
    """Run a scene where waiting costs no time."""
    return VirtualClock(lines=True).run(scene)
