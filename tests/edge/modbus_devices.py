"""Modbus devices for tests: real pymodbus servers, scripted peers, serial lines made of ptys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pymodbus.framer import FramerRTU, FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from citytwin.adapter import Binding, Site
from citytwin.clock import SystemClock
from citytwin.point import Kind, Point
from citytwin_edge.adapters.modbus import MODBUS, Modbus
from citytwin_edge.adapters.modbus_settings import ModbusDevice, ModbusPoint

Respond = Callable[[int, int, bytes], Awaitable[Sequence[bytes]]]
"""(transaction, unit, request PDU) -> the frames to send, whatever they are."""


# ---- what the gateway would do
def new_site() -> Site:
    texts: dict[str, int] = {}
    return Site(SystemClock(), lambda text: texts.setdefault(text, len(texts)))


def build(
    site: Site, points: Sequence[dict[str, Any]], *, name: Any = "dev", **device: Any
) -> Modbus:
    """Build an adapter from what stands in a configuration file."""
    settings = msgspec.convert({"reply_timeout_s": 0.3, **device}, ModbusDevice)
    bindings = [
        Binding(
            Point(
                id=f"gw/{name}/p{number}",
                kind=Kind.TEXT if fields.get("type") == "string" else Kind.ANALOG,
            ),
            msgspec.convert(fields, ModbusPoint),
        )
        for number, fields in enumerate(points)
    ]
    return MODBUS.build(settings, bindings, site)


def holding(*addresses: int, **more: Any) -> list[dict[str, Any]]:
    return [{"table": "holding", "address": address, **more} for address in addresses]


@contextlib.asynccontextmanager
async def opened(adapter: Modbus) -> AsyncIterator[Modbus]:
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


# ---- real servers
def device(
    unit: int,
    holding: Sequence[tuple[int, Sequence[int]]],
    *,
    inputs: Sequence[tuple[int, Sequence[int]]] = ((0, (0,)),),
    coils: tuple[int, Sequence[bool]] = (0, (False,) * 16),
    action: Any = None,
) -> SimDevice:
    """A device with holes: only the stretches (address, values) exist."""

    def registers(stretches: Sequence[tuple[int, Sequence[int]]]) -> list[SimData]:
        return [
            SimData(address, values=list(values), datatype=DataType.REGISTERS)
            for address, values in stretches
        ]

    bits = [SimData(coils[0], values=list(coils[1]), datatype=DataType.BITS)]
    return SimDevice(unit, (bits, bits, registers(holding), registers(inputs)), action=action)


@contextlib.asynccontextmanager
async def tcp_server(
    *devices: SimDevice, framer: FramerType = FramerType.SOCKET, port: int = 0
) -> AsyncIterator[int]:
    """Serve real devices; yields the port."""
    server = ModbusTcpServer(list(devices), framer=framer, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    transport: Any = server.transport
    try:
        yield transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serial_server(path: str, *devices: SimDevice) -> AsyncIterator[None]:
    server = ModbusSerialServer(list(devices), port=path, baudrate=9600)
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


# ---- serial lines
class PtyLine:
    """A serial line with two ends, as two ptys bridged by the event loop."""

    def __init__(self) -> None:
        self._masters: list[int] = []
        self._slaves: list[int] = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            self._slaves.append(slave)
        self.ends = [os.ttyname(slave) for slave in self._slaves]
        loop = asyncio.get_running_loop()
        for source, sink in (self._masters, self._masters[::-1]):
            loop.add_reader(source, self._copy, source, sink)

    def _copy(self, source: int, sink: int) -> None:
        with contextlib.suppress(OSError):
            os.write(sink, os.read(source, 4096))

    def unplug(self) -> None:
        """Tear it out: whoever has an end open gets a hang-up."""
        loop = asyncio.get_running_loop()
        for master in self._masters:
            loop.remove_reader(master)
            os.close(master)
        for slave in self._slaves:
            os.close(slave)
        self._masters, self._slaves = [], []


@contextlib.contextmanager
def pty_line() -> Any:
    line = PtyLine()
    try:
        yield line
    finally:
        line.unplug()


def plug(line: PtyLine, path: Path) -> str:
    """Give an end of a line a name that lives longer than the line."""
    path.unlink(missing_ok=True)
    path.symlink_to(line.ends[0])
    return str(path)


# ---- scripted peers
def mbap(transaction: int, unit: int, pdu: bytes) -> bytes:
    return transaction.to_bytes(2, "big") + b"\0\0" + bytes([0, len(pdu) + 1, unit]) + pdu


def rtu(unit: int, pdu: bytes) -> bytes:
    frame = bytes([unit]) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def registers(request: bytes, value: int = 7) -> bytes:
    """The PDU that answers a read of registers, all of the same value."""
    count = int.from_bytes(request[3:5], "big")
    return request[:1] + bytes([2 * count]) + value.to_bytes(2, "big") * count


class Peer:
    """A peer that answers as the test says; counts requests by unit."""

    def __init__(self, respond: Respond, *, framing: str = "tcp") -> None:
        self.respond = respond
        self.asked: list[tuple[int, bytes]] = []
        self.connections = 0
        self._rtu = framing == "rtu"

    @contextlib.asynccontextmanager
    async def on_tcp(self, port: int = 0) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.gather(*self._tasks(), return_exceptions=True)

    @contextlib.asynccontextmanager
    async def on_pty(self, path: str) -> AsyncIterator[None]:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        loop.add_reader(fd, lambda: reader.feed_data(os.read(fd, 4096)))
        task = loop.create_task(self._answer(reader, lambda data: os.write(fd, data)))
        try:
            yield
        finally:
            loop.remove_reader(fd)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            os.close(fd)

    def _tasks(self) -> list[asyncio.Task[Any]]:
        mine = [t for t in asyncio.all_tasks() if t.get_name() == f"peer-{id(self)}"]
        for task in mine:
            task.cancel()
        return mine

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        task.set_name(f"peer-{id(self)}")
        try:
            await self._answer(reader, writer.write)
        except* (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, send: Callable[[bytes], object]) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                transaction, unit, pdu = await self._request(reader)
                self.asked.append((unit, pdu))
                group.create_task(self._one(transaction, unit, pdu, send))

    async def _one(
        self, transaction: int, unit: int, pdu: bytes, send: Callable[[bytes], object]
    ) -> None:
        for frame in await self.respond(transaction, unit, pdu):
            send(frame)

    async def _request(self, reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
        if not self._rtu:
            head = await reader.readexactly(7)
            length = int.from_bytes(head[4:6], "big")
            return int.from_bytes(head[:2], "big"), head[6], await reader.readexactly(length - 1)
        frame = await reader.readexactly(8)
        if frame[1] in {15, 16}:
            frame += await reader.readexactly(frame[6] + 1)
        return 0, frame[0], frame[1:-2]


def peer_of_one(unit: int = 1) -> Peer:
    """A converter behind which one unit answers; of all others it never says a word."""

    async def respond(transaction: int, asked: int, pdu: bytes) -> list[bytes]:
        return [mbap(transaction, asked, registers(pdu))] if asked == unit else []

    return Peer(respond)


# ---- a unit that hears only what is said at its own speed and parity
class SettledUnit:
    """A unit on the master side of a pty; what comes at another speed or parity is noise to it.

    The speed is the one that the other side has set its port to. A pty refuses a parity, so
    ``settled`` keeps aside what a port would have been set to.
    """

    def __init__(
        self, unit: int, baud: int, parity: int, respond: Callable[[bytes], bytes]
    ) -> None:
        self.unit, self.baud, self.parity, self._respond = unit, baud, parity, respond
        self.heard: list[tuple[int, int]] = []
        self.wanted = 0
        self._mine, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._mine, False)
        self.port = os.ttyname(self._slave)
        self._rest = b""
        asyncio.get_running_loop().add_reader(self._mine, self._read)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self._rest += os.read(self._mine, 4096)
        here = (int(termios.tcgetattr(self._mine)[4]), self.wanted)
        while len(self._rest) >= 8:
            frame, self._rest = self._rest[:8], self._rest[8:]
            self.heard.append(here)
            if here == (self.baud, self.parity) and frame[0] == self.unit:
                os.write(self._mine, rtu(self.unit, self._respond(frame[1:-2])))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._mine)
        os.close(self._mine)
        os.close(self._slave)


@contextlib.contextmanager
def settled(
    monkeypatch: Any, unit: int, baud: int, parity: int, respond: Callable[[bytes], bytes]
) -> Any:
    """Let one unit listen at a termios speed (B2400 …) and parity (0, PARENB, PARENB | PARODD)."""
    it, really = SettledUnit(unit, baud, parity, respond), termios.tcsetattr
    both = termios.PARENB | termios.PARODD

    def kept_aside(fd: int, when: int, attributes: list[Any]) -> None:
        it.wanted = attributes[2] & both
        really(fd, when, [*attributes[:2], attributes[2] & ~both, *attributes[3:]])

    monkeypatch.setattr(termios, "tcsetattr", kept_aside)
    try:
        yield it
    finally:
        monkeypatch.undo()
        it.close()
