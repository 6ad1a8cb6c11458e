"""P1 values: what a telegram says of points, sub meters with their own times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from citytwin.adapter import Binding, Site
from citytwin.errors import ConfigError, DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.adapters.meter_values import MeterValue, by_name
from citytwin_edge.adapters.p1_settings import P1Device, P1Point
from citytwin_edge.adapters.serial_messages import Reading
from citytwin_edge.wire.iec62056 import DataSet
from citytwin_edge.wire.messages import Message
from citytwin_edge.wire.obis import Ambiguous, Code, Name, choose
from citytwin_edge.wire.telegrams import is_moment, moment, telegram_sets

_CLOCK: Final = Code(0, 0, 1, 0, 0)
_OLD: Final = 24, 3
"""C and D of sub meters before DSMR 4: time, status, ..., code, unit, and the value behind them."""
_OLD_GROUPS: Final = 7
_NEVER_NS: Final = 946_684_800 * 1_000_000_000
"""2000-01-01: a sub meter with an earlier time never said anything."""


class Told(NamedTuple):
    """One value: its text with the unit, and its own time; empty where it has none."""

    text: str
    time: str


class P1Points:
    """The points of one meter; compiled once."""

    def __init__(self, settings: P1Device, bindings: Sequence[Binding], site: Site) -> None:
        """Compile.

        Raises:
            ConfigError: a point does not fit; the text names it.
        """
        self.settings = settings
        self.addresses: list[P1Point] = [binding.address for binding in bindings]
        self.names = [_at(address.name, settings.channel) for address in self.addresses]
        self.values: list[MeterValue] = []
        for point, address in bindings:
            if point.writable is not None:
                raise ConfigError(f"point {point.id}: is writable, but a meter is only heard")
            try:
                self.values.append(MeterValue(point, address, site))
            except ValueError as error:
                raise ConfigError(f"point {point.id}: {error}") from None


class P1Values:
    """Reads telegrams; see :class:`citytwin_edge.adapters.meter_listener.Values`.

    With the meter's clock, a value is told once for each time that it has: a gas meter that speaks
    every hour is not repeated every second.
    """

    def __init__(self, points: P1Points) -> None:
        """Begin without having heard anything."""
        self._points = points
        self._latest: dict[int, int] = {}

    def read(self, message: Message, now_ns: int) -> list[Reading]:
        """Return what a telegram says.

        Raises:
            DeviceMalformed: it is broken, or not written as a telegram.
        """
        if message.broken:
            raise DeviceMalformed(message.broken)
        _, sets = telegram_sets(message.data)
        named = by_name(sets)
        uses_clock = self._points.settings.clock == "meter"
        if uses_clock:
            chosen = choose(_CLOCK, named)
            if chosen is not None:
                now_ns = moment(named[chosen].groups[0], self._offset_h)
        readings = []
        for point in range(len(self._points.values)):
            reading = self._one(point, named, now_ns)
            if reading is None or (uses_clock and self._latest.get(point, -1) >= reading.time_ns):
                continue
            self._latest[point] = reading.time_ns
            readings.append(reading)
        return readings

    @property
    def _offset_h(self) -> float:
        return self._points.settings.utc_offset_h or 0.0

    def _one(self, point: int, named: dict[Name, DataSet], now_ns: int) -> Reading | None:
        """Return what is said of a point; None where nothing is."""
        address = self._points.addresses[point]
        try:
            chosen = choose(self._points.names[point], named)
        except Ambiguous as error:
            return Reading(point, now_ns, math.nan, Quality.BAD_REFUSED, b"", str(error))
        if chosen is None:
            return None
        found = named[chosen]
        raw = f"{found.name}({')('.join(found.groups)})".encode("latin-1")
        try:
            told = _told(chosen, found.groups, address.group)
            if told.time:
                time_ns = moment(told.time, self._offset_h)
                if time_ns < _NEVER_NS:
                    why = "the sub meter has not said anything yet"
                    return Reading(point, now_ns, math.nan, Quality.BAD_NOT_A_NUMBER, raw, why)
                now_ns = time_ns if self._points.settings.clock == "meter" else now_ns
        except DeviceMalformed as error:
            return Reading(point, now_ns, math.nan, Quality.BAD_MALFORMED, raw, str(error))
        value, quality, note = self._points.values[point].of_text(told.text)
        return Reading(point, now_ns, value, quality, raw, note)


def _at(name: Name, channel: int) -> Name:
    """Return a name at a channel, where it names none itself."""
    if isinstance(name, str) or not channel or name.b is not None:
        return name
    return name._replace(a=0, b=channel)


def _told(name: Name, groups: Sequence[str], group: int) -> Told:
    """Return a value and its time out of the brackets behind a code.

    Raises:
        DeviceMalformed: there are not so many brackets.
    """
    if group > len(groups):
        raise DeviceMalformed(f"{name} has {len(groups)} pairs of brackets, not {group}")
    if group:
        return Told(groups[group - 1], "")
    if isinstance(name, Code) and name[2:4] == _OLD and len(groups) == _OLD_GROUPS:
        return Told(f"{groups[6]}*{groups[5]}", groups[0])
    if len(groups) > 1 and is_moment(groups[0]):
        return Told(groups[-1], groups[0])
    return Told(groups[0], "")
