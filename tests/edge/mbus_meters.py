"""M-Bus meters for tests: several on one bus, at the other end of a line of ptys.

Two that speak at a time spoil each other's bits as on a real bus, where a space wins. They follow
EN 13757-2 and -3: frame count bit, selection by secondary address, several telegrams.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from citytwin.adapter import Site
from citytwin_edge.adapters.mbus import MBUS
from citytwin_edge.adapters.mbus_places import MbusPoint
from citytwin_edge.adapters.mbus_settings import MbusDevice
from citytwin_edge.wire.mbus_frames import Frame, long_frame, read_frame
from citytwin_edge.wire.mbus_telegram import code_of
from tests.edge.modbus_devices import plug, pty_line
from tests.edge.serial_instruments import bindings_of

ACK = b"\xe5"


@dataclass
class Meter:
    """One meter: ``data`` are the records of each of its telegrams, without header."""

    id: str
    data: Sequence[bytes] = (bytes.fromhex("04 13 15 31 00 00"),)
    address: int = 0
    manufacturer: str = "KAM"
    version: int = 8
    medium: int = 4
    status: int = 0
    fabrication: str = ""
    is_dead: bool = False
    noise: bytes = b""
    """Comes before its answers."""
    spoil: int = 0
    """So many of its next answers have a wrong checksum."""
    always: bytes = b""
    """Answers every request for data with this."""
    answered: int = 0
    _selected: bool = field(default=False, init=False)
    _count: bool | None = field(default=None, init=False)
    _at: int = field(default=0, init=False)
    _access: int = field(default=0, init=False)

    def hear(self, frame: Frame) -> bytes:
        """Return the answer, nothing if there is none."""
        if self.is_dead:
            return b""
        if frame.control in (0x53, 0x73) and frame.ci == 0x52:
            self._selected = frame.address == 0xFD and self._fits(frame.data)
            self._count, self._at = None, 0
            return ACK if self._selected else b""
        mine = frame.address in (self.address, 0xFE) or (frame.address == 0xFD and self._selected)
        if not mine:
            return b""
        if frame.control == 0x40:
            self._count, self._at = None, 0
            return b"" if frame.address == 0xFD else ACK
        if frame.control & ~0x20 == 0x5B:
            return self._telegram(bool(frame.control & 0x20))
        return ACK

    def _telegram(self, count: bool) -> bytes:
        if self._count is not None and count != self._count:
            self._at = (self._at + 1) % len(self.data)
            self._access += 1
        self._count = count
        self.answered += 1
        if self.always:
            return self.always
        head = self.address_bytes() + bytes([self._access & 0xFF, self.status, 0, 0])
        raw = long_frame(0x08, self.address, 0x72, head + self.data[self._at])
        if self.spoil:
            self.spoil -= 1
            raw = raw[:-2] + bytes([raw[-2] ^ 1, raw[-1]])
        return self.noise + raw

    def address_bytes(self) -> bytes:
        made = code_of(self.manufacturer).to_bytes(2, "little")
        return bytes.fromhex(self.id)[::-1] + made + bytes([self.version, self.medium])

    def _fits(self, data: bytes) -> bool:
        digits = all(
            one in ("f", own) for one, own in zip(data[:4][::-1].hex(), self.id, strict=True)
        )
        made = data[4:6] in (b"\xff\xff", self.address_bytes()[4:6])
        rest = data[6] in (0xFF, self.version) and data[7] in (0xFF, self.medium)
        if len(data) > 8:
            digits &= data[10:14][::-1].hex() == self.fabrication
        return digits and made and rest


def collide(answers: Sequence[bytes]) -> bytes:
    """Return what is heard when several speak at a time."""
    heard = []
    for column in zip_longest(*answers, fillvalue=0xFF):
        byte = 0xFF
        for one in column:
            byte &= one
        heard.append(byte)
    return bytes(heard)


class Bus:
    """Meters on a line; remembers what they were asked."""

    def __init__(self, path: str, meters: Sequence[Meter], *, echo: bool = False) -> None:
        self.meters, self.asked = list(meters), [Frame(0, 0)][:0]
        self._echo = echo
        self._rest = b""
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            heard = os.read(self._fd, 4096)
            if self._echo:
                os.write(self._fd, heard)
            self._rest += heard
        while self._rest:
            size = 5 if self._rest[0] == 0x10 else self._rest[1] + 6 if len(self._rest) > 1 else 9
            if len(self._rest) < size:
                return
            frame = read_frame(self._rest[:size])
            self._rest = self._rest[size:]
            assert frame is not None, "the master sends whole frames only"
            self.asked.append(frame)
            answers = [one for meter in self.meters if (one := meter.hear(frame))]
            if answers:
                os.write(self._fd, collide(answers))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


@contextlib.asynccontextmanager
async def bus(path: str, *meters: Meter, echo: bool = False) -> AsyncIterator[Bus]:
    """Put meters on a bus whose level converter is the port ``path``."""
    with pty_line() as line:
        plug(line, Path(path))
        one = Bus(line.ends[1], meters, echo=echo)
        try:
            yield one
        finally:
            one.close()


def build(site: Site, points: Sequence[dict[str, Any]], **device: Any) -> Any:
    """Build an adapter from what stands in a configuration file."""
    # A pty has no parity.
    settings = msgspec.convert({"reply_timeout_s": 0.2, "parity": "none", **device}, MbusDevice)
    return MBUS.build(settings, bindings_of(points, MbusPoint), site)


VOLUME: dict[str, Any] = {"record": {"quantity": "volume"}, "unit": "m3"}
