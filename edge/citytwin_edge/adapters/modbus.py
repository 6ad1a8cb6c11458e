"""Modbus: meters, controllers and converters over TCP, a serial line (RTU) or RTU inside TCP.

Addresses are those of the protocol, from 0: what a manual calls holding register 40108 is
``table = "holding"``, ``address = 107``, or, with ``one_based = true``, ``address = 108``.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from citytwin.adapter import Binding, Exchange, Found, Probed, Site
from citytwin.batch import Batch, Int64
from citytwin.errors import (
    ConfigError,
    DeviceError,
    DeviceMalformed,
    DeviceRefused,
)
from citytwin.point import Kind
from citytwin.quality import Quality
from citytwin_edge.adapters.connection import line_at
from citytwin_edge.adapters.modbus_decode import decode_exchanges
from citytwin_edge.adapters.modbus_frames import (
    ILLEGAL_ADDRESS,
    Refused,
    Request,
    read_request,
    write_request,
)
from citytwin_edge.adapters.modbus_line import Line
from citytwin_edge.adapters.modbus_scan import scan
from citytwin_edge.adapters.modbus_settings import ModbusDevice, ModbusPoint
from citytwin_edge.wire.blocks import Block, Holes, halves, plan
from citytwin_edge.wire.fields import Field
from citytwin_edge.wire.registers import Decoder, Single, encode

_PLANS_MAX: Final = 8
"""Of different choices of points; a gateway has two."""
_SPLITS_MAX: Final = 64
"""Requests that one poll may spend on finding what a device refuses; the next poll goes on."""


class _Plan:
    """Blocks of a device, what to send for them and how to decode the answers as one."""

    def __init__(
        self, points: Sequence[int], fields: Sequence[Field], blocks: Sequence[Block]
    ) -> None:
        self.points = np.array(points, dtype=np.int32)
        self.points.flags.writeable = False
        self.fields = fields
        self.blocks = list(blocks)
        self.requests = [read_request(b.table, b.start, b.count) for b in blocks]
        places = [-1] * len(fields)
        block_of = np.zeros(len(fields), dtype=np.intp)
        start = 0
        for number, block in enumerate(blocks):
            for index in block.fields:
                places[index] = 8 * start + block.place(fields[index])
            block_of[list(block.fields)] = number
            start += block.size_bytes
        self.decoder = Decoder(fields, places)
        self._block_of = block_of

    def stamps(self, times_ns: Sequence[int]) -> Int64:
        """Return for each field the time of its block's answer."""
        if len(times_ns) == 1:
            return np.full(len(self._block_of), times_ns[0], dtype=np.int64)
        return np.array(times_ns, dtype=np.int64)[self._block_of]


class _Poll:
    """One read in progress: data and time of each block, and the rows that failed."""

    def __init__(self, time_ns: int) -> None:
        self.data: list[bytes] = []
        self.times_ns: list[int] = []
        self.time_ns = time_ns
        self.failed: list[tuple[npt.NDArray[np.intp], Quality]] = []
        self.answered = False
        self.error: DeviceError | None = None
        self.learnt = Holes()
        self.splits_left = _SPLITS_MAX

    @property
    def hopeless(self) -> bool:
        """Whether the unit fell silent or talks nonsense: asking on would only hold the line."""
        return self.error is not None and not isinstance(self.error, DeviceRefused)

    @property
    def failed_rows(self) -> frozenset[int]:
        """Rows that have no data."""
        return frozenset(int(row) for rows, _ in self.failed for row in rows)

    def note(self, error: DeviceError) -> None:
        """Remember the last thing that went wrong."""
        self.error = error

    def fail(self, block: Block) -> None:
        """Mark the fields of a block with what went wrong last."""
        reason = Quality.BAD_REFUSED if self.error is None else _quality_of(self.error)
        self.failed.append((np.array(block.fields, dtype=np.intp), reason))


def _quality_of(error: DeviceError) -> Quality:
    if isinstance(error, DeviceRefused):
        return Quality.BAD_REFUSED
    return Quality.BAD_MALFORMED if isinstance(error, DeviceMalformed) else Quality.BAD_SILENT


class Modbus:
    """One device (one unit id); see :class:`citytwin.adapter.Adapter` for the promises."""

    def __init__(
        self, settings: ModbusDevice, fields: Sequence[Field], line: Line, site: Site, name: str
    ) -> None:
        """Plan the requests; touches no network. ``name`` is the device's."""
        self._settings = settings
        self._unit, self._name = settings.unit, name
        self._timeout_s = settings.reply_timeout_s
        self._fields = list(fields)
        self._line = line
        self._site = site
        self._joined = False
        self._holes = Holes()
        self._every = tuple(range(len(fields)))
        self._plans: dict[tuple[int, ...], _Plan] = {}
        self._planned(self._every)

    @property
    def requests(self) -> int:
        """How many requests a poll of all points takes."""
        return len(self._planned(self._every).blocks)

    def _planned(self, points: tuple[int, ...]) -> _Plan:
        """Return how to read some points; made when they are first asked for."""
        if points not in self._plans:
            if len(self._plans) >= _PLANS_MAX:
                self._plans.clear()
            fields = [self._fields[point] for point in points]
            blocks = plan(fields, self._settings.limits(), self._holes)
            self._plans[points] = _Plan(points, fields, blocks)
        return self._plans[points]

    async def open(self) -> None:
        """Join the line; it is connected by the first request."""
        if not self._joined:
            self._joined = True
            self._line.join(self._unit, self._name)

    async def close(self) -> None:
        """Leave the line; the last device to do so closes the connection."""
        if self._joined:
            self._joined = False
            await self._line.leave(self._unit)

    async def read(self) -> Batch:
        """Read every point once; each is stamped with the time of the answer that carried it.

        After a time-out or a malformed answer nothing more is asked of the unit in this poll.

        Raises:
            DeviceError: nothing could be read.
        """
        return await self.read_some(self._every)

    async def read_some(self, points: Sequence[int]) -> Batch:
        """Read some points once; otherwise as ``read``.

        Raises:
            DeviceError: nothing could be read.
        """
        current = self._planned(tuple(points))
        poll = _Poll(self._site.clock.now_ns())
        for number, block in enumerate(current.blocks):
            data = await self._read_block(poll, current, number)
            if data is None:
                poll.fail(block)
                data = bytes(block.size_bytes)
                poll.time_ns = self._site.clock.now_ns()
            poll.data.append(data)
            poll.times_ns.append(poll.time_ns)
        if poll.error is not None and not poll.answered:
            raise poll.error
        if poll.learnt:
            self._holes.add(poll.learnt)
            self._plans.clear()
        values, quality = current.decoder.decode(
            b"".join(poll.data), self._site.intern, poll.failed_rows
        )
        for rows, reason in poll.failed:
            values[rows] = np.nan
            quality[rows] = reason
        return Batch(current.points, current.stamps(poll.times_ns), values, quality)

    async def _read_block(self, poll: _Poll, current: _Plan, number: int) -> bytes | None:
        """Return a block's data, as far as it could be read; None when none of it could."""
        if poll.hopeless:
            return None
        block, request = current.blocks[number], current.requests[number]
        try:
            reply = await self._line.ask(self._unit, request, self._timeout_s)
        except Refused as refused:
            poll.note(refused)
            if refused.code != ILLEGAL_ADDRESS:
                return None
            found = await self._search(poll, current.fields, block, block)
            return found.to_bytes(block.size_bytes, "little")
        except DeviceError as error:
            poll.note(error)
            return None
        poll.answered = True
        poll.time_ns = reply.time_ns
        return reply.pdu[2:]

    async def _search(
        self, poll: _Poll, fields: Sequence[Field], whole: Block, refused: Block
    ) -> int:
        """Read both halves of a refused block, and so on, and remember what cannot be read.

        Returns the data that was found in place within ``whole``, as a little-endian number:
        coils begin at any bit.
        """
        parts = halves(refused, fields)
        if parts is None:
            poll.learnt.learn_missing(refused)
            poll.fail(refused)
            return 0
        found, read = 0, 0
        for part in parts:
            if poll.hopeless or poll.splits_left <= 0:
                poll.fail(part)
                continue
            poll.splits_left -= 1
            request = read_request(part.table, part.start, part.count)
            try:
                reply = await self._line.ask(self._unit, request, self._timeout_s)
            except Refused as error:
                poll.note(error)
                if error.code == ILLEGAL_ADDRESS:
                    found |= await self._search(poll, fields, whole, part)
                else:
                    poll.fail(part)
            except DeviceError as error:
                poll.note(error)
                poll.fail(part)
            else:
                poll.answered = True
                poll.time_ns = reply.time_ns
                read += 1
                bits = 8 * part.size_bytes if not part.table.of_bits else part.count
                data = int.from_bytes(reply.pdu[2:], "little") & (1 << bits) - 1
                found |= data << whole.position(part)
        if read == len(parts):
            poll.learnt.learn_between(*parts)
        return found

    async def write(self, point: int, value: float) -> None:
        """Set one point; a field that shares its registers is read, changed and written in one go.

        Raises:
            DeviceRefused: the device said no, the value does not fit, or the point lies in a table
                that cannot be written.
            DeviceError: whether it was set is not known.
        """
        field = self._fields[point]

        def request(current: bytes = b"") -> Request:
            data = encode(field, value, current)
            multiple = self._settings.write_multiple
            return write_request(field.table, field.address, data, multiple=multiple)

        try:
            if field.partial:
                read = read_request(field.table, field.address, field.size)
                await self._line.change(
                    self._unit, read, lambda pdu: request(pdu[2:]), self._timeout_s
                )
            else:
                await self._line.ask(self._unit, request(), self._timeout_s, command=True)
        except ValueError as error:
            raise DeviceRefused(f"not written: {error}") from None

    def scan(self) -> AsyncIterator[Found]:
        """Yield the units that answer on this line; see :mod:`citytwin_edge.adapters.modbus_scan`.

        Raises:
            DeviceError: there is no connection, or somebody else asks on the line.
        """
        return scan(self._settings, self._line)

    async def probe(self) -> Sequence[Probed]:
        """Read every point once, each by a request of its own; a silent unit is not asked on."""
        probed: list[Probed] = []
        silence = ""
        for index in range(len(self._fields)):
            if silence:
                probed.append(
                    Probed(index, b"", math.nan, Quality.BAD_SILENT, 0, f"not asked: {silence}")
                )
                continue
            one = await self._probe_one(index)
            if one.quality == Quality.BAD_SILENT:
                silence = one.note
            probed.append(one)
        return probed

    async def _probe_one(self, index: int) -> Probed:
        field = self._fields[index]
        request = read_request(field.table, field.address, field.size)
        clock = self._site.clock
        asked_ns = clock.monotonic_ns()
        try:
            reply = await self._line.ask(self._unit, request, self._timeout_s)
        except DeviceError as error:
            elapsed_ns = clock.monotonic_ns() - asked_ns
            return Probed(index, b"", math.nan, _quality_of(error), elapsed_ns, str(error))
        elapsed_ns = clock.monotonic_ns() - asked_ns
        raw = reply.pdu[2:]
        value, quality, text = Single(field).decode(raw, self._site.intern)
        return Probed(index, raw, value, quality, elapsed_ns, text)


def _fields(settings: ModbusDevice, bindings: Sequence[Binding]) -> list[Field]:
    """Return where each point is.

    Raises:
        ConfigError: a point does not fit the device.
    """
    fields = []
    for point, address in bindings:
        try:
            field = address.field(order=settings.order, one_based=settings.one_based)
        except ValueError as error:
            raise ConfigError(f"point {point.id}: {error}") from None
        if (field.type == "string") != (point.kind == Kind.TEXT):
            raise ConfigError(
                f'point {point.id}: type = "string" and kind = "text" go together; the number '
                "of a text is no measurement"
            )
        fields.append(field)
    return fields


class ModbusType:
    """The entry point ``modbus``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/modbus.md"
    device_settings: type[msgspec.Struct] = ModbusDevice
    examples: tuple[dict[str, Any], ...] = ({"host": "192.0.2.7"}, {"serial": "/dev/ttyUSB0"})
    point_settings: type[msgspec.Struct] = ModbusPoint

    def build(self, settings: ModbusDevice, bindings: Sequence[Binding], site: Site) -> Modbus:
        """Return an adapter; touches no network.

        Raises:
            ConfigError: a point does not fit, or another device uses the same endpoint or port
                with other settings.
        """
        fields = _fields(settings, bindings)
        endpoint = settings.endpoint()
        name = bindings[0].point.device if bindings else f"with unit {settings.unit}"
        line = line_at(endpoint, site, name, lambda: Line(endpoint, site.clock, site.tap))
        return Modbus(settings, fields, line, site, name)

    def decode(
        self,
        settings: ModbusDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what frames of RTU or TCP say; see :class:`citytwin.adapter.Decodes`."""
        return decode_exchanges(_fields(settings, bindings), exchanges, site.intern)

    def locate(self, settings: ModbusDevice) -> str:
        """Return where a device is; see :class:`citytwin.adapter.Locates`."""
        return f"unit {settings.unit} at {settings.endpoint()}"


MODBUS: Final = ModbusType()
