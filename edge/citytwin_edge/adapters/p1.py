"""P1: smart meters with a consumer port after DSMR, eMUCS or Luxembourg's rules, which push text.

docs/guides/dlms.md explains the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from citytwin.adapter import Binding, Exchange, Probed, Site
from citytwin_edge.adapters.meter_listener import MeterListener, PortSource, decoded, port_of
from citytwin_edge.adapters.p1_settings import P1Device, P1Point
from citytwin_edge.adapters.p1_values import P1Points, P1Values
from citytwin_edge.wire.messages import Cutter
from citytwin_edge.wire.sealed_telegrams import SealedTelegramCutter
from citytwin_edge.wire.telegrams import TelegramCutter


def new_cutter(settings: P1Device) -> Cutter:
    """Return a new cutter of a meter's telegrams."""
    if settings.key:
        return SealedTelegramCutter(settings.keys(), crc=settings.crc)
    return TelegramCutter(crc=settings.crc)


class P1Type:
    """The entry point ``p1``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/dlms.md"
    device_settings: type[msgspec.Struct] = P1Device
    examples = ({"serial": "/dev/ttyUSB0"}, {"host": "192.0.2.7"})
    point_settings: type[msgspec.Struct] = P1Point

    def build(self, settings: P1Device, bindings: Sequence[Binding], site: Site) -> MeterListener:
        """Return an adapter; touches no port.

        Raises:
            ConfigError: a point does not fit, or another device uses the same port otherwise.
        """
        points = P1Points(settings, bindings, site)
        device = bindings[0].point.device if bindings else "without points"
        source = PortSource(
            port_of(settings.endpoint(), site, device),
            device,
            lambda: new_cutter(settings),
            settings.reply_timeout_s,
            is_software=settings.is_software,
        )
        return MeterListener(source, lambda: P1Values(points), len(bindings), site)

    def locate(self, settings: P1Device) -> str:
        """Return where a device is; see :class:`citytwin.adapter.Locates`."""
        behind = f" behind channel {settings.channel}" if settings.channel else ""
        return f"the meter{behind} at {settings.endpoint()}"

    def decode(
        self,
        settings: P1Device,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Decode recorded telegrams, the ``response`` of each exchange.

        Raises:
            ConfigError: a point does not fit.
            DeviceMalformed: a telegram is broken.
        """
        cutter = new_cutter(settings)
        messages = [message for one in exchanges for message in cutter.feed(one.response)]
        points = P1Points(settings, bindings, site)
        return decoded(P1Values(points), messages, site.clock.now_ns())


P1: Final = P1Type()
