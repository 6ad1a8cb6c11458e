"""Meters for tests: simulators at the other end of a pty, which change their speed as real ones."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import termios
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from citytwin.adapter import Binding
from citytwin.point import Point
from citytwin_edge.wire.iec62056 import with_parity, without_parity

_OF_POINTS = ("kind", "unit", "writable")
SPEEDS = {
    b"0": termios.B300, b"1": termios.B600, b"2": termios.B1200, b"3": termios.B2400,
    b"4": termios.B4800, b"5": termios.B9600, b"6": termios.B19200,
}  # fmt: skip
SPEEDS_B = {b"A": termios.B600, b"E": termios.B9600}


def bindings_of(kind: type[msgspec.Struct], points: Sequence[dict[str, Any]]) -> list[Binding]:
    """Bindings as a configuration file gives them; what _OF_POINTS names is the point's."""
    bindings = []
    for number, fields in enumerate(points):
        own = {name: value for name, value in fields.items() if name in _OF_POINTS}
        point = msgspec.convert({"id": f"gw/dev/p{number}"} | own, Point)
        rest = {name: value for name, value in fields.items() if name not in _OF_POINTS}
        bindings.append(Binding(point, msgspec.convert(rest, kind)))
    return bindings


class IecMeter:
    """A meter of mode A, B or C on the master side of a pty.

    It hears and is heard only at the speed that it is at: it looks at what the other side has set
    its port to, as a real line would garble everything else.
    """

    def __init__(self, path: Path, identification: bytes, block: bytes, **more: Any) -> None:
        self.identification, self.block = identification, block
        self.address: bytes = more.get("address", b"")
        self.answers: dict[bytes, bytes] = more.get("answers", {})
        self.password: bytes = more.get("password", b"")
        self.begins: int = more.get("begins", termios.B300)
        self.check: Callable[[bytes], int] = more.get("check", xor)
        self.echoes: bool = more.get("echoes", False)
        self.has_parity: bool = more.get("has_parity", True)
        self.mutate: Callable[[bytes], bytes] = more.get("mutate", bytes)
        self.speed = self.begins
        self.asked: list[bytes] = []
        self.speeds: list[int] = []
        self.garbled = 0
        self.is_dead = False
        self._rest = b""
        self._mine, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._mine, False)
        self._slave = slave
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(slave))
        asyncio.get_running_loop().add_reader(self._mine, self._read)

    @property
    def theirs(self) -> int:
        """The speed that the other side has set."""
        return int(termios.tcgetattr(self._mine)[4])

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            data = os.read(self._mine, 4096)
            if self.echoes:
                os.write(self._mine, data)
            data = without_parity(data) if self.has_parity else data
            if self.theirs != self.speed:
                # Somebody at another speed: a request at its first one brings it back, as the
                # time-out of a real meter does.
                self.garbled += 1
                if self.theirs != self.begins:
                    return
                self.speed, self._rest = self.begins, b""
            self._rest += data
        self._hear()

    def _hear(self) -> None:
        while True:
            for form, react in (
                (rb"/\?([^!\x01]*)!\r\n", self._asked),
                (rb"\x060(.)([01])\r\n", self._agreed),
                (rb"(?:/\?([^!]*)!)?\x01([RPB]\d)\x02?([^\x03]*)\x03(.)", self._commanded),
            ):
                found = re.search(form, self._rest, re.DOTALL)
                if found is not None:
                    self._rest = self._rest[found.end() :]
                    self.asked.append(found[0])
                    self.speeds.append(self.theirs)
                    react(found)
                    break
            else:
                return

    def say(self, data: bytes) -> None:
        if not self.is_dead:
            data = with_parity(data) if self.has_parity else data
            os.write(self._mine, self.mutate(data))

    def _asked(self, found: re.Match[bytes]) -> None:
        self.speed = self.begins
        if found[1] not in (b"", self.address):
            return
        self.say(self.identification + b"\r\n")
        proposed = self.identification[4:5]
        if proposed in SPEEDS_B:
            self.speed = SPEEDS_B[proposed]
        if proposed not in SPEEDS:
            self._later(self._send_block)

    def _agreed(self, found: re.Match[bytes]) -> None:
        if found[1] == self.identification[4:5]:
            self.speed = SPEEDS[found[1]]
        if found[2] == b"0":
            self._later(self._send_block)
        else:
            self._later(lambda: self.say(self.framed(b"\x01", b"P0\x02(1234)\x03")))

    def _commanded(self, found: re.Match[bytes]) -> None:
        if found[2] == b"B0":
            self.speed = self.begins
        elif found[2] == b"P1":
            self.say(b"\x06" if found[3] == b"(" + self.password + b")" else b"\x01B0\x03q")
        else:
            self.say(self.answers.get(found[3], self.framed(b"\x02", b"(ERR12)\x03")))

    def framed(self, start: bytes, body: bytes) -> bytes:
        return start + body + bytes([self.check(body)])

    def _send_block(self) -> None:
        self.say(self.framed(b"\x02", self.block + b"\x03"))

    def _later(self, act: Callable[[], None]) -> None:
        """Act when the other side has come to our speed, as reaction time lets it."""

        def look() -> None:
            if self._mine < 0:
                return
            if self.theirs == self.speed:
                act()
            else:
                loop.call_later(0.005, look)

        loop = asyncio.get_running_loop()
        loop.call_later(0.01, look)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._mine)
        os.close(self._mine)
        os.close(self._slave)
        self._mine = -1


def xor(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
    return check


def sum7(data: bytes) -> int:
    return sum(data) & 0x7F


@contextlib.asynccontextmanager
async def iec_meter(
    path: Path, identification: bytes, block: bytes = b"", **more: Any
) -> AsyncIterator[IecMeter]:
    meter = IecMeter(path, identification, block, **more)
    try:
        yield meter
    finally:
        meter.close()


@contextlib.asynccontextmanager
async def serving(
    speak: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """Serve a meter over TCP, as a serial server would; yields the port."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await speak(reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1")
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)
