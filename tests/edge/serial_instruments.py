"""Serial instruments for tests: whoever sits at the other end of a line of ptys, as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from citytwin.adapter import Binding, Site
from citytwin.point import Point
from citytwin_edge.adapters.serial import SERIAL
from citytwin_edge.adapters.serial_settings import SerialDevice, SerialPoint
from tests.edge.modbus_devices import plug, pty_line

_OF_POINTS = ("name", "kind", "unit", "writable")

Piece = bytes | float
"""Bytes that are sent, or seconds before the next ones."""
Answer = Callable[[bytes], Sequence[Piece]]


class Instrument:
    """Sends what it is told, and answers each request that ends with ``terminator``."""

    def __init__(self, path: str, answer: Answer, terminator: bytes = b"\r") -> None:
        self.asked: list[bytes] = []
        self._answer, self._terminator = answer, terminator
        self._rest = b""
        self._tasks: set[asyncio.Task[None]] = set()
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self._rest += os.read(self._fd, 4096)
        while self._terminator in self._rest:
            request, end, self._rest = self._rest.partition(self._terminator)
            self.asked.append(request + end)
            self.say(*self._answer(request + end))

    def say(self, *pieces: Piece) -> None:
        """Send pieces, now and later."""
        task = asyncio.ensure_future(self._say(pieces))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _say(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, bytes):
                os.write(self._fd, piece)
            else:
                await asyncio.sleep(piece)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


@contextlib.asynccontextmanager
async def instrument(
    path: str, answer: Answer = lambda _: [], terminator: bytes = b"\r"
) -> AsyncIterator[Instrument]:
    """Plug an instrument in: it is at the other end of the port that is called ``path``."""
    with pty_line() as line:
        plug(line, Path(path))
        one = Instrument(line.ends[1], answer, terminator)
        try:
            yield one
        finally:
            one.close()


def bindings_of(points: Sequence[dict[str, Any]], address: Any = SerialPoint) -> list[Binding]:
    """Bindings as a configuration file gives them; what _OF_POINTS names is the point's."""
    bindings = []
    for number, fields in enumerate(points):
        own = {"name": f"p{number}"} | fields
        known = {name: own[name] for name in _OF_POINTS if name in own and name != "name"}
        point = msgspec.convert({"id": f"gw/dev/{own['name']}"} | known, Point)
        rest = {name: value for name, value in fields.items() if name not in _OF_POINTS}
        bindings.append(Binding(point, msgspec.convert(rest, address)))
    return bindings


def build(site: Site, points: Sequence[dict[str, Any]], **device: Any) -> Any:
    """Build an adapter from what stands in a configuration file."""
    settings = msgspec.convert({"reply_timeout_s": 0.3, **device}, SerialDevice)
    return SERIAL.build(settings, bindings_of(points), site)


async def heard(adapter: Any, count: int) -> list[tuple[int, float, int]]:
    """Listen until so many samples have come; return point, value and quality of each."""
    samples: list[tuple[int, float, int]] = []
    async with asyncio.timeout(10), contextlib.aclosing(adapter.listen()) as stream:
        async for batch in stream:
            columns = (batch.point.tolist(), batch.value.tolist(), batch.quality.tolist())
            samples += zip(*columns, strict=True)
            if len(samples) >= count:
                break
    return samples


# ---- what tests share
FRAME: dict[str, Any] = {
    "frame": {"start": r"\x68", "length_at": 1, "length_adds": 4, "end": r"\x16"},
    "checksum": {"kind": "sum8", "first": 2},
}


def frame(body: bytes) -> bytes:
    """A frame as FRAME describes it, made by hand."""
    return b"\x68" + bytes([len(body)]) + body + bytes([sum(body) & 255]) + b"\x16"


@contextlib.asynccontextmanager
async def opened(adapter: Any) -> AsyncIterator[Any]:
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()
