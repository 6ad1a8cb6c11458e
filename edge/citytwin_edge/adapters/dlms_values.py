"""DLMS values: what a pushed message says of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from citytwin.adapter import Binding, Site
from citytwin.errors import ConfigError, DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.adapters.dlms_settings import DlmsDevice, DlmsPoint
from citytwin_edge.adapters.meter_values import MeterValue, Understood
from citytwin_edge.adapters.serial_messages import Reading
from citytwin_edge.wire.axdr import Value, moment
from citytwin_edge.wire.dlms import GENERAL_GLO as SEALED
from citytwin_edge.wire.dlms import Blocks, Item, Push, items, opened, places, seal_of
from citytwin_edge.wire.messages import Message
from citytwin_edge.wire.obis import Ambiguous, Code, choose

_CLOCKS: Final = (Code(None, None, 1, 0, 0),)
_DATE_TIME_BYTES: Final = 12


class DlmsPoints:
    """The points of one meter; compiled once."""

    def __init__(self, settings: DlmsDevice, bindings: Sequence[Binding], site: Site) -> None:
        """Compile.

        Raises:
            ConfigError: a point does not fit; the text names it.
        """
        self.settings, self.keys = settings, settings.keys()
        self.title = bytes.fromhex(settings.system_title)
        self.addresses: list[DlmsPoint] = [binding.address for binding in bindings]
        self.values: list[MeterValue] = []
        for point, address in bindings:
            if point.writable is not None:
                raise ConfigError(f"point {point.id}: is writable, but a meter is only heard")
            try:
                self.values.append(MeterValue(point, address, site))
            except ValueError as error:
                raise ConfigError(f"point {point.id}: {error}") from None


class DlmsValues:
    """Reads messages; see :class:`citytwin_edge.adapters.meter_listener.Values`.

    A message of another meter's system title says nothing. An authentic one whose counter does not
    grow was sent before, by the meter or by somebody else, and is broken.
    """

    def __init__(self, points: DlmsPoints) -> None:
        """Begin without having heard anything."""
        self._points = points
        self._blocks = Blocks()
        self._counter = -1

    def read(self, message: Message, now_ns: int) -> list[Reading]:
        """Return what a message says; of lists that a meter sends in turn, each has its points.

        Raises:
            DeviceMalformed: it is broken, or says nothing that can be understood.
        """
        if message.broken:
            raise DeviceMalformed(message.broken)
        apdu = self._blocks.feed(message.data)
        if apdu is None or self._is_anothers(apdu):
            return []
        push = opened(apdu, self._points.keys)
        if push.is_authentic:
            if push.counter <= self._counter:
                raise DeviceMalformed("the message was sent before: its counter does not grow")
            self._counter = push.counter
        coded, placed = items(push.body), places(push.body)
        if self._points.settings.clock == "meter":
            now_ns = self._moment(push, coded)
        by_code: dict[Code, Item] = {}
        for item in coded:
            by_code.setdefault(item.code, item)
        readings = []
        for point, address in enumerate(self._points.addresses):
            if address.index:
                fits = not address.of or len(placed) in address.of
                if fits and address.index <= len(placed) and not coded:
                    node = placed[address.index - 1]
                    readings.append(self._reading(point, node.value, 0, "", now_ns))
                continue
            try:
                chosen = choose(address.name, by_code)
            except Ambiguous as error:
                why = str(error)
                readings.append(Reading(point, now_ns, math.nan, Quality.BAD_REFUSED, b"", why))
                continue
            if isinstance(chosen, Code):
                item = by_code[chosen]
                readings.append(self._reading(point, item.value, item.scaler, item.unit, now_ns))
        return readings

    def _is_anothers(self, apdu: bytes) -> bool:
        title = self._points.title
        return bool(title) and apdu[:1] == bytes([SEALED]) and seal_of(apdu).system_title != title

    def _moment(self, push: Push, coded: Sequence[Item]) -> int:
        """Return the time that a message says it is of.

        Raises:
            DeviceMalformed: it says none.
        """
        octets = push.date_time
        if not octets:
            told = [one.value for one in coded if any(clock.matches(one.code) for clock in _CLOCKS)]
            told += [
                one.value
                for one in places(push.body)
                if not coded and isinstance(one.value, bytes) and len(one.value) == _DATE_TIME_BYTES
            ]
            octets = next((one for one in told if isinstance(one, bytes)), b"")
        if not octets:
            raise DeviceMalformed('the message says no time; clock = "gateway" needs none')
        return moment(octets, self._points.settings.utc_offset_h)

    def _reading(self, point: int, value: Value, scaler: int, unit: str, now_ns: int) -> Reading:
        """Return the reading of a pushed value."""
        understood, raw = self._understood(point, value, scaler, unit)
        return Reading(point, now_ns, understood.value, understood.quality, raw, understood.note)

    def _understood(
        self, point: int, value: Value, scaler: int, unit: str
    ) -> tuple[Understood, bytes]:
        meant = self._points.values[point]
        if isinstance(value, bytes):
            text = value.rstrip(b"\0")
            if text.isascii() and text.decode("ascii").isprintable():
                return meant.of_text(text.decode("ascii")), value
            return meant.of_text(value.hex()), value
        if isinstance(value, int | float):
            return meant.of_number(float(value), scaler, unit), str(value).encode("ascii")
        what = "nothing" if value is None else "a list"
        quality = Quality.BAD_NOT_A_NUMBER if value is None else Quality.BAD_MALFORMED
        return Understood(math.nan, quality, f"the meter pushes {what} there"), b""
