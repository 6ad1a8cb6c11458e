"""Meter listener: a meter that speaks by itself, whatever it says and by whatever it is heard."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, Protocol

from citytwin.adapter import Probed, Site
from citytwin.batch import Batch
from citytwin.errors import DeviceError, DeviceMalformed, DeviceSilent
from citytwin.quality import Quality
from citytwin_edge.adapters.connection import Endpoint, line_at
from citytwin_edge.adapters.serial_messages import RAW_BYTES_MAX, Reading, batch_of
from citytwin_edge.adapters.serial_port import Party, Port
from citytwin_edge.wire.iec62056 import DataSet, without_parity
from citytwin_edge.wire.messages import Cutter, Message
from citytwin_edge.wire.telegrams import telegram_sets

PROBE_S: Final = 25.0
"""A probe waits so long for every point: meters push every 1 to 10 s, some lists more rarely."""


class Values(Protocol):
    """Understands messages."""

    def read(self, message: Message, now_ns: int) -> list[Reading]:
        """Return what a message says of points.

        Raises:
            DeviceMalformed: it is broken, or says nothing that can be understood.
        """
        ...


class TelegramValues:
    """Reads telegrams with data sets; see :class:`Values`."""

    def __init__(self, understand: Callable[[Sequence[DataSet], int], list[Reading]]) -> None:
        """Keep ``understand``: data sets and the time of arrival (UTC ns) to readings."""
        self._understand = understand

    def read(self, message: Message, now_ns: int) -> list[Reading]:
        """Return what a telegram says.

        Raises:
            DeviceMalformed: it is broken, or not written as a telegram.
        """
        if message.broken:
            raise DeviceMalformed(message.broken)
        _, sets = telegram_sets(message.data)
        return self._understand(sets, now_ns)


class Heard(NamedTuple):
    """A message and when it was whole (UTC nanoseconds)."""

    message: Message
    time_ns: int


class Source(Protocol):
    """Where messages come from."""

    @property
    def name(self) -> str:
        """What it is called to people."""
        ...

    async def close(self) -> None:
        """Let go; within a second."""
        ...

    def messages(self) -> AsyncGenerator[Heard, None]:
        """Yield messages as they come.

        Raises:
            DeviceSilent: they cannot come, or come no more.
        """
        ...


class PortSource:
    """A port, whose bytes are cut into messages."""

    def __init__(
        self,
        port: Port,
        device: str,
        new_cutter: Callable[[], Cutter],
        pause_s: float,
        *,
        is_software: bool,
    ) -> None:
        """Touch nothing yet.

        Args:
            port: where the meter is heard.
            device: the device's name.
            new_cutter: makes a cutter of its messages.
            pause_s: what pauses longer inside a message is given up.
            is_software: bytes have an even parity bit.
        """
        self._port, self._new_cutter, self._pause_s = port, new_cutter, pause_s
        self._is_software = is_software
        self._party = Party(self.name, device=device)

    @property
    def name(self) -> str:
        """What it is called to people."""
        return f"the meter at {self._port.endpoint}"

    async def close(self) -> None:
        """Leave the port."""
        await self._port.leave(self._party)

    async def messages(self) -> AsyncGenerator[Heard, None]:
        """Yield messages; see :class:`Source`."""
        self._port.join(self._party)
        cutter, last_s = self._new_cutter(), math.inf
        async with contextlib.aclosing(self._port.listen(self._party)) as stream:
            async for heard in stream:
                paused = heard.at_s - last_s > self._pause_s
                if heard.is_cut or (paused and cutter.is_within):
                    cutter = self._new_cutter()
                last_s = heard.at_s
                data = without_parity(heard.data) if self._is_software else heard.data
                for message in cutter.feed(data):
                    yield Heard(message, heard.time_ns)


def port_of(endpoint: Endpoint, site: Site, device: str) -> Port:
    """Return the port that ends there.

    Raises:
        ConfigError: another device uses it with other settings.
    """
    return line_at(endpoint, site, device, lambda: Port(endpoint, site.clock, site.tap))


class MeterListener:
    """A meter that speaks by itself; see :class:`citytwin.adapter.Adapter`."""

    def __init__(
        self, source: Source, new_values: Callable[[], Values], points: int, site: Site
    ) -> None:
        """Touch nothing yet.

        Args:
            source: where its messages come from.
            new_values: makes what understands them; afresh each time that it is listened to.
            points: how many points there are.
            site: for the clock.
        """
        self._source, self._new_values = source, new_values
        self._points, self._site = range(points), site

    async def open(self) -> None:
        """Do nothing: the source is opened when it is listened to."""

    async def close(self) -> None:
        """Let go of the source."""
        await self._source.close()

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what each message says; a broken one is told of every point.

        Raises:
            DeviceSilent: the source is lost.
        """
        values = self._new_values()
        async with contextlib.aclosing(self._source.messages()) as stream:
            async for message, time_ns in stream:
                try:
                    readings = values.read(message, time_ns)
                except DeviceMalformed as error:
                    readings = self._spoilt(message, error, time_ns)
                if readings:
                    yield batch_of(readings)

    def _spoilt(self, message: Message, error: DeviceError, time_ns: int) -> list[Reading]:
        raw = message.data[:RAW_BYTES_MAX]
        return [
            Reading(point, time_ns, math.nan, Quality.BAD_MALFORMED, raw, str(error))
            for point in self._points
        ]

    async def probe(self) -> Sequence[Probed]:
        """Wait a while until all points were told of."""
        clock = self._site.clock
        begun_ns = clock.monotonic_ns()
        told: dict[int, Reading] = {}
        broken: dict[int, Reading] = {}
        why: DeviceError = DeviceSilent(f"nothing was heard of it within {PROBE_S:g} s")
        try:
            async with asyncio.timeout(PROBE_S):
                await self._hear(told, broken)
        except TimeoutError:
            pass
        except DeviceSilent as lost:
            why = lost
        elapsed_ns = clock.monotonic_ns() - begun_ns
        silent = {
            n: Reading(n, 0, math.nan, Quality.BAD_SILENT, b"", str(why)) for n in self._points
        }
        return [
            Probed(one.point, one.raw, one.value, one.quality, elapsed_ns, one.note)
            for one in sorted((silent | broken | told).values())
        ]

    async def _hear(self, told: dict[int, Reading], broken: dict[int, Reading]) -> None:
        """Listen until all points were told of."""
        values = self._new_values()
        async with contextlib.aclosing(self._source.messages()) as stream:
            async for message, time_ns in stream:
                try:
                    told |= {one.point: one for one in values.read(message, time_ns)}
                except DeviceMalformed as error:
                    spoilt = self._spoilt(message, error, time_ns)
                    broken |= {one.point: one for one in spoilt}
                if len(told) == len(self._points):
                    return


def decoded(values: Values, messages: Sequence[Message], now_ns: int) -> Sequence[Probed]:
    """Return what recorded messages say of points, the last of each.

    Raises:
        DeviceMalformed: one of them is broken.
    """
    told: dict[int, Reading] = {}
    for message in messages:
        told |= {one.point: one for one in values.read(message, now_ns)}
    return [
        Probed(one.point, one.raw, one.value, one.quality, 0, one.note)
        for one in sorted(told.values())
    ]
