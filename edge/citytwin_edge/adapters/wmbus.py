"""Wireless M-Bus: meters that send by radio, heard by a receiver on a port or through a broker.

docs/guides/mbus.md explains the settings. Meters that one receiver hears share it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from citytwin.adapter import Binding, Exchange, Found, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import ConfigError, DeviceError, DeviceMalformed, DeviceSilent
from citytwin.quality import Quality
from citytwin_edge.adapters.mbus_places import MbusPoint
from citytwin_edge.adapters.mbus_points import Points, points_of, probed
from citytwin_edge.adapters.mbus_settings import key_of
from citytwin_edge.adapters.serial_messages import Reading, batch_of
from citytwin_edge.adapters.wmbus_settings import WmbusDevice
from citytwin_edge.adapters.wmbus_sources import Arrived, Source, source_of
from citytwin_edge.wire.mbus_telegram import Formats, Meter
from citytwin_edge.wire.wmbus_frames import LinkFrame, link_frame
from citytwin_edge.wire.wmbus_receivers import telegram_in
from citytwin_edge.wire.wmbus_telegram import sender_of, wireless

PROBE_S: Final = 25.0
"""A probe listens so long; meters send every few seconds to minutes."""
HEARD_MAX: Final = 8
"""Of other meters that were heard, so many are named."""


class Wmbus:
    """One meter; see :class:`citytwin.adapter.Adapter` for the promises."""

    def __init__(self, settings: WmbusDevice, points: Points, source: Source, site: Site) -> None:
        """Prepare; touches no port and no network."""
        self._settings, self._points, self._source, self._site = settings, points, source, site
        self._which, self._key = settings.which(), key_of(settings.key)
        self._formats = Formats()
        self._is_understood = False

    async def open(self) -> None:
        """Join the receiver; listening opens its port, or connects to its broker."""
        self._source.open()

    async def close(self) -> None:
        """Listen no more; the last meter to do so closes the receiver's port."""
        await self._source.close()

    def part(self) -> None:
        """Leave nothing behind at the broker; see the contract."""
        self._source.part()

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what each telegram of the meter says of its points.

        A telegram that cannot be understood is told of as long as none was: afterwards a meter that
        also sends others, or a neighbour's disturbance, spoils nothing.

        Raises:
            DeviceSilent: the receiver's port or the broker is lost.
        """
        async with contextlib.aclosing(self._source.telegrams()) as stream:
            async for arrived in stream:
                readings = self._readings(arrived)
                if readings:
                    yield batch_of(readings)

    def _readings(self, arrived: Arrived) -> list[Reading]:
        """Return what a telegram says of the points; nothing where it is another meter's."""
        frame = _frame(arrived)
        if frame is None or not self._is_mine(frame):
            return []
        try:
            said = wireless(frame, self._key, self._formats)
        except DeviceError as error:
            if self._is_understood:
                return []
            return self._points.spoilt(error, arrived.time_ns)
        readings = self._points.read([said], arrived.time_ns, all_must_be_there=False)
        self._is_understood |= bool(readings)
        return [_late(one) for one in readings] if arrived.is_late else readings

    def _is_mine(self, frame: LinkFrame) -> bool:
        return self._which.fits(sender_of(frame)) or self._which.fits(frame.meter)

    async def probe(self) -> Sequence[Probed]:
        """Listen a while for every point."""
        clock = self._site.clock
        begun_ns = clock.monotonic_ns()
        found: dict[int, Reading] = {}
        others: dict[str, None] = {}
        error: DeviceError | None = None
        self._is_understood = False
        try:
            async with (
                asyncio.timeout(PROBE_S),
                contextlib.aclosing(self._source.telegrams()) as stream,
            ):
                async for arrived in stream:
                    frame = _frame(arrived)
                    if frame is not None and not self._is_mine(frame):
                        others[str(sender_of(frame))] = None
                    for one in self._readings(arrived):
                        if one.point not in found or one.quality == Quality.GOOD:
                            found[one.point] = one
                    if len(found) == len(self._points) and self._is_understood:
                        break
        except TimeoutError:
            pass
        except DeviceSilent as lost:
            error = lost
        error = error or self._silence(others)
        missing = self._points.spoilt(error, clock.now_ns())
        readings = [found.get(one.point, one) for one in missing]
        return probed(readings, clock.monotonic_ns() - begun_ns)

    def _silence(self, others: dict[str, None]) -> DeviceError:
        heard = ", ".join(list(others)[:HEARD_MAX]) or "no meter at all"
        return DeviceSilent(
            f"{self._settings.where()} told nothing of it within {PROBE_S:g} s; "
            f"heard besides: {heard}"
        )

    async def scan(self) -> AsyncIterator[Found]:
        """Yield each meter that is heard within ``scan_s_max``."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.scan_s_max
        seen: set[Meter] = set()
        self._source.open()
        try:
            async with contextlib.aclosing(self._source.telegrams()) as stream:
                while True:
                    try:
                        async with asyncio.timeout_at(until):
                            arrived = await anext(stream)
                    except (TimeoutError, StopAsyncIteration):
                        return
                    frame = _frame(arrived)
                    meter = None if frame is None else sender_of(frame)
                    if frame is not None and meter is not None and meter not in seen:
                        seen.add(meter)
                        yield Found(_address(meter), self._described(frame, meter))
        finally:
            await self._source.close()

    def _described(self, frame: LinkFrame, meter: Meter) -> str:
        try:
            count = len(wireless(frame, self._key).block.records)
            said = f"{count} records"
        except DeviceError as error:
            said = str(error)
        return f"{meter.kind}, {meter.manufacturer} version {meter.version}: {said}"


def _address(meter: Meter) -> str:
    return f'id = "{meter.id}"\nmanufacturer = "{meter.manufacturer}"'


def _frame(arrived: Arrived) -> LinkFrame | None:
    """Return the radio frame, unless it is none: then nobody knows whose it was."""
    try:
        return None if arrived.received.broken else link_frame(arrived.received.frame)
    except DeviceMalformed:
        return None


def _late(one: Reading) -> Reading:
    """Return a reading that may be old, so that nobody takes it for what is now."""
    return one._replace(quality=Quality.UNCERTAIN_STALE) if one.quality == Quality.GOOD else one


class WmbusType:
    """The entry point ``wmbus``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/mbus.md"
    device_settings: type[msgspec.Struct] = WmbusDevice
    examples = (
        {"serial": "/dev/ttyUSB0", "receiver": "im871a", "id": "76348799"},
        {"mqtt": {"host": "192.0.2.7", "topic": "wmbus/telegrams"}, "id": "76348799"},
    )
    point_settings: type[msgspec.Struct] = MbusPoint

    def build(self, settings: WmbusDevice, bindings: Sequence[Binding], site: Site) -> Wmbus:
        """Return an adapter; touches no port and no network.

        Raises:
            ConfigError: a point or the meter's address does not fit, or another device uses the
                same port or broker otherwise.
        """
        points = points_of(settings, bindings, site)
        device = bindings[0].point.device if bindings else "without points"
        if bindings and not settings.id:
            raise ConfigError(f"device {device} needs id, the 8 digits on the meter")
        return Wmbus(settings, points, source_of(settings, device, site), site)

    def decode(
        self,
        settings: WmbusDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what telegrams say, each alone; see :class:`citytwin.adapter.Decodes`.

        A response is a radio frame from its L field on, or a receiver's line of text.

        Raises:
            DeviceError: one is no frame, or cannot be understood.
        """
        points, formats = points_of(settings, bindings, site), Formats()
        found: dict[int, Reading] = {}
        for exchange in exchanges:
            frame = link_frame(_raw(exchange.response))
            said = wireless(frame, key_of(settings.key), formats)
            for one in points.read([said], site.clock.now_ns(), all_must_be_there=False):
                found[one.point] = one
        return probed(list(found.values()), 0)

    def locate(self, settings: WmbusDevice) -> str:
        """Return where a meter is; see :class:`citytwin.adapter.Locates`."""
        return settings.where()


def _raw(response: bytes) -> bytes:
    """Return the frame in a response."""
    try:
        link_frame(response)
    except DeviceMalformed:
        if not response.isascii():
            raise
        received = telegram_in(response.decode("ascii"))
        if received is None:
            raise DeviceMalformed(f"{response!r} is no telegram") from None
        return received.frame
    return response


WMBUS: Final = WmbusType()
