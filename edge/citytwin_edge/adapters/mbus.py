"""M-Bus: heat, water, gas and electricity meters on the wired bus (EN 13757-2 and -3).

docs/guides/mbus.md explains the settings. Meters on one bus share its line and take turns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from citytwin.adapter import Binding, Exchange, Found, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import ConfigError, DeviceError, DeviceMalformed
from citytwin_edge.adapters.connection import line_at
from citytwin_edge.adapters.mbus_places import MbusPoint
from citytwin_edge.adapters.mbus_points import Points, points_of, probed
from citytwin_edge.adapters.mbus_scan import Search
from citytwin_edge.adapters.mbus_settings import MbusDevice
from citytwin_edge.adapters.mbus_talk import Talk
from citytwin_edge.adapters.serial_messages import batch_of
from citytwin_edge.adapters.serial_port import Party, Port
from citytwin_edge.wire.mbus_frames import ACK, read_frame


class Mbus:
    """One meter; see :class:`citytwin.adapter.Adapter` for the promises."""

    def __init__(
        self, settings: MbusDevice, points: Points, port: Port, site: Site, device: str
    ) -> None:
        """Prepare; touches no port. ``device`` is its name."""
        self._settings, self._points, self._port, self._site = settings, points, port, site
        self._party = Party(settings.where(), knows_its_own=True, device=device)
        self._talk = Talk(settings, self._party)

    async def open(self) -> None:
        """Join the bus; its port is opened when it is first used."""
        self._port.join(self._party)

    async def close(self) -> None:
        """Leave the bus; the last meter to do so closes its port."""
        await self._port.leave(self._party)

    async def read(self) -> Batch:
        """Read all telegrams of the meter once.

        Raises:
            DeviceError: it did not answer, or not in a way that can be understood.
        """
        async with self._port.turn(self._party) as turn:
            telegrams = await self._talk.telegrams(turn)
        return batch_of(self._points.read(telegrams, self._site.clock.now_ns()))

    async def probe(self) -> Sequence[Probed]:
        """Read the meter once, with the bytes of each point's record and what it is in words."""
        clock = self._site.clock
        begun_ns = clock.monotonic_ns()
        try:
            async with self._port.turn(self._party) as turn:
                telegrams = await self._talk.telegrams(turn)
            readings = self._points.read(telegrams, clock.now_ns())
        except DeviceError as error:
            readings = [
                one._replace(raw=self._talk.raw)
                for one in self._points.spoilt(error, clock.now_ns())
            ]
        return probed(readings, clock.monotonic_ns() - begun_ns)

    async def scan(self) -> AsyncIterator[Found]:
        """Yield meters on the bus, by primary and by secondary address, within ``scan_s_max``."""
        async for found in Search(self._settings, self._port).run():
            yield found


class MbusType:
    """The entry point ``mbus``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/mbus.md"
    device_settings: type[msgspec.Struct] = MbusDevice
    examples = (
        {"serial": "/dev/ttyUSB0", "id": "06855817"},
        {"host": "192.0.2.7", "address": 5},
    )
    point_settings: type[msgspec.Struct] = MbusPoint

    def build(self, settings: MbusDevice, bindings: Sequence[Binding], site: Site) -> Mbus:
        """Return an adapter; touches no port.

        Raises:
            ConfigError: a point or the meter's address does not fit, or another device uses the
                same port otherwise.
        """
        points = points_of(settings, bindings, site)
        if bindings and settings.address is None and not (settings.which() or settings.fabrication):
            raise ConfigError(
                f"device {bindings[0].point.device} needs address, its primary one, or id, the "
                "8 digits on the meter"
            )
        endpoint = settings.endpoint()
        name = bindings[0].point.device if bindings else "without points"
        port = line_at(endpoint, site, name, lambda: Port(endpoint, site.clock, site.tap))
        return Mbus(settings, points, port, site, name)

    def decode(
        self,
        settings: MbusDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what a meter's answers say, in their order; see :class:`citytwin.adapter.Decodes`.

        Raises:
            DeviceError: one is no frame, or cannot be understood.
        """
        talk = Talk(settings, Party(settings.where()))
        telegrams = []
        for exchange in exchanges:
            frame = read_frame(exchange.response)
            if frame is None:
                raise DeviceMalformed(f"{exchange.response.hex(' ')} is no M-Bus frame")
            if frame.control != ACK:
                telegrams.append(talk.understood(frame))
        if not telegrams:
            return []
        points = points_of(settings, bindings, site)
        readings = points.read(telegrams, site.clock.now_ns(), all_must_be_there=False)
        return probed(readings, 0)

    def locate(self, settings: MbusDevice) -> str:
        """Return where a meter is; see :class:`citytwin.adapter.Locates`."""
        return settings.where()


MBUS: Final = MbusType()
