"""Wireless M-Bus sources: where telegrams come from: a receiver on a port, or a broker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from random import Random
from typing import Final, NamedTuple, Protocol

from citytwin.adapter import Site
from citytwin.errors import ConfigError, DeviceMalformed
from citytwin_edge.adapters.connection import line_at
from citytwin_edge.adapters.serial_port import Party, Port, Question
from citytwin_edge.adapters.wmbus_settings import BrokerSettings, WmbusDevice
from citytwin_edge.wire.payload import Payload
from citytwin_edge.wire.wmbus_receivers import Received, ReceiverCutter, telegram_in

START_S_MAX: Final = 1.0


class Arrived(NamedTuple):
    """A telegram: when it came (UTC nanoseconds), and whether it may be an old one."""

    received: Received
    time_ns: int
    is_late: bool = False


class Source(Protocol):
    """Brings telegrams, of all meters that are in reach."""

    def open(self) -> None:
        """Say that a device will listen."""
        ...

    async def close(self) -> None:
        """Say that it does so no more."""
        ...

    def part(self) -> None:
        """Say that the device is configured no more; after the last ``close``."""
        ...

    def telegrams(self) -> AsyncGenerator[Arrived, None]:
        """Yield telegrams until closed.

        Raises:
            DeviceSilent: the port cannot be opened, or is lost; the broker is.
        """
        ...


class PortSource:
    """A receiver on a serial port or TCP endpoint, which several meters share."""

    def __init__(self, settings: WmbusDevice, device: str, site: Site) -> None:
        """Touch no port.

        Raises:
            ConfigError: another device uses the same port otherwise.
        """
        endpoint = settings.endpoint()
        self._settings = settings
        self._port = line_at(endpoint, site, device, lambda: Port(endpoint, site.clock, site.tap))
        self._party = Party(settings.where(), knows_its_own=True, device=device)

    def open(self) -> None:
        """Join the port."""
        self._port.join(self._party)

    async def close(self) -> None:
        """Leave the port; the last meter to do so closes it."""
        await self._port.leave(self._party)

    def part(self) -> None:
        """Nothing is left behind on a port."""

    async def telegrams(self) -> AsyncGenerator[Arrived, None]:
        """Yield telegrams; see :class:`Source`."""
        settings = self._settings
        if start := settings.start_bytes():
            await self._port.ask(self._party, Question(start, START_S_MAX), None)
        cutter = ReceiverCutter(settings.receiver, has_rssi=settings.rssi)
        async with contextlib.aclosing(self._port.listen(self._party)) as stream:
            async for heard in stream:
                if heard.is_cut:
                    cutter = ReceiverCutter(settings.receiver, has_rssi=settings.rssi)
                for received in cutter.feed(heard.data):
                    yield Arrived(received, heard.time_ns)


class BrokerSource:
    """A broker, whose connection is shared with the devices of the ``mqtt`` adapter."""

    def __init__(self, broker: BrokerSettings, device: str, site: Site) -> None:
        """Touch no network.

        Raises:
            ConfigError: another device uses the same broker otherwise.
        """
        from citytwin_edge.adapters.mqtt_line import Line  # a gateway without a broker needs none

        connection = broker.connection()
        self._field = broker.field()
        # Jitter is no secret.
        self._line: Line = site.line(
            connection.key,
            lambda: Line(connection, site.clock, Random(), site.tap),  # noqa: S311
        )
        if self._line.connection != connection:
            raise ConfigError(
                f"device {device} and another device use {connection}, but differ in "
                f"{connection.differences(self._line.connection)}; one connection has one set of "
                "settings (or give each a client_id of its own)"
            )
        self._listener = self._line.join(device, {0: (broker.topic, broker.qos)})

    def open(self) -> None:
        """Nothing to get ready: listening connects."""

    async def close(self) -> None:
        """Listen no more; the last device to do so closes the connection."""
        await self._line.forsake(self._listener)

    def part(self) -> None:
        """Ask for its topic no more."""
        self._line.part(self._listener)

    async def telegrams(self) -> AsyncGenerator[Arrived, None]:
        """Yield telegrams; see :class:`Source`."""
        self._line.attend(self._listener)
        try:
            while (heard := await self._listener.get()) is not None:
                arrival = heard.arrival
                received = self._received(arrival.payload)
                if received is not None:
                    yield Arrived(received, arrival.time_ns, arrival.is_late)
                self._listener.taken(arrival)
        finally:
            await self._line.forsake(self._listener)

    def _received(self, payload: bytes) -> Received | None:
        try:
            text, _ = self._field.decode(Payload(payload))
            return telegram_in(str(text))
        except DeviceMalformed as error:
            return Received(b"", str(error))


def source_of(settings: WmbusDevice, device: str, site: Site) -> Source:
    """Return where a meter's telegrams come from.

    Raises:
        ConfigError: another device uses the same port or broker otherwise.
    """
    if settings.mqtt is not None:
        return BrokerSource(settings.mqtt, device, site)
    return PortSource(settings, device, site)
