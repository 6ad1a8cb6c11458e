"""DLMS: meters that push DLMS/COSEM messages over HDLC, M-Bus, TCP or UDP.

docs/guides/dlms.md explains the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from citytwin.adapter import Binding, Exchange, Probed, Site
from citytwin.errors import ConfigError
from citytwin_edge.adapters.dlms_server import DlmsServer, ServerSource
from citytwin_edge.adapters.dlms_settings import DlmsDevice, DlmsPoint
from citytwin_edge.adapters.dlms_values import DlmsPoints, DlmsValues
from citytwin_edge.adapters.meter_listener import (
    MeterListener,
    PortSource,
    Source,
    decoded,
    port_of,
)


class DlmsType:
    """The entry point ``dlms``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/dlms.md"
    device_settings: type[msgspec.Struct] = DlmsDevice
    examples = ({"serial": "/dev/ttyUSB0"}, {"listen": "udp", "bind": "192.0.2.1"})
    point_settings: type[msgspec.Struct] = DlmsPoint

    def build(self, settings: DlmsDevice, bindings: Sequence[Binding], site: Site) -> MeterListener:
        """Return an adapter; touches no port.

        Raises:
            ConfigError: a point does not fit, or another device uses the same port otherwise.
        """
        points = DlmsPoints(settings, bindings, site)
        device = bindings[0].point.device if bindings else "without points"
        source = self._source(settings, site, device)
        return MeterListener(source, lambda: DlmsValues(points), len(bindings), site)

    @staticmethod
    def _source(settings: DlmsDevice, site: Site, device: str) -> Source:
        if not settings.listen:
            port = port_of(settings.endpoint(), site, device)
            return PortSource(
                port, device, settings.cutter, settings.reply_timeout_s, is_software=False
            )
        where = (settings.listen, settings.bind, settings.port)
        server: DlmsServer = site.line(
            ("dlms", settings.listen, settings.port),
            lambda: DlmsServer(*where, site.clock, site.tap),
        )
        if server.bind != settings.bind:
            raise ConfigError(
                f"device {device} listens at {settings.where}, another device at {server}; one "
                "port has one bind"
            )
        return ServerSource(server, settings.peer)

    def locate(self, settings: DlmsDevice) -> str:
        """Return where a device is; see :class:`citytwin.adapter.Locates`."""
        words = f"the meter at {settings.where}"
        if settings.peer:
            words += f" from {settings.peer}"
        return words + (f", {settings.system_title.lower()}" if settings.system_title else "")

    def decode(
        self,
        settings: DlmsDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Decode recorded frames, the ``response`` of each exchange.

        Raises:
            ConfigError: a point does not fit.
            DeviceMalformed: a message is broken.
        """
        cutter = settings.cutter()
        messages = [message for one in exchanges for message in cutter.feed(one.response)]
        points = DlmsPoints(settings, bindings, site)
        return decoded(DlmsValues(points), messages, site.clock.now_ns())


DLMS: Final = DlmsType()
