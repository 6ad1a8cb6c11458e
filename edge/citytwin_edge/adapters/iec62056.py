"""IEC 62056-21: meters behind an optical head, on a serial line or behind a serial server.

docs/guides/iec62056.md explains the settings.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from citytwin.adapter import Binding, Exchange, Found, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import (
    ConfigError,
    DeviceError,
    DeviceMalformed,
    DeviceRefused,
    DeviceSilent,
)
from citytwin.quality import Quality
from citytwin_edge.adapters.connection import line_at
from citytwin_edge.adapters.iec62056_line import IecLine, Manner, Meter
from citytwin_edge.adapters.iec62056_settings import IecDevice, IecPoint
from citytwin_edge.adapters.meter_listener import (
    MeterListener,
    PortSource,
    TelegramValues,
    decoded,
    port_of,
)
from citytwin_edge.adapters.meter_values import MeterValue, by_name
from citytwin_edge.adapters.serial_messages import Reading, batch_of
from citytwin_edge.wire.iec62056 import DataSet, Ear, Said, without_parity
from citytwin_edge.wire.iec62056_dialogue import Dialogue, commands, identify, readout
from citytwin_edge.wire.meter_clock import moment_of_lines
from citytwin_edge.wire.obis import Ambiguous, Name, choose, name_of
from citytwin_edge.wire.telegrams import TelegramCutter

SETS_SHOWN_MAX: Final = 12
NOT_SENT: Final = "the meter sends no"

Result = TypeVar("Result")
Sets = Mapping[Name, DataSet]


class Meterings(NamedTuple):
    """What one poll brought: readings, and why the rest is not among them."""

    readings: list[Reading]
    error: DeviceError | None


class MeterPoints:
    """The points of one meter: which of its values they are; compiled once."""

    def __init__(self, settings: IecDevice, bindings: Sequence[Binding], site: Site) -> None:
        """Compile.

        Raises:
            ConfigError: a point does not fit; the text names it.
        """
        self._settings = settings
        self._addresses: list[IecPoint] = [binding.address for binding in bindings]
        self._values: list[MeterValue] = []
        for point, address in bindings:
            try:
                self._values.append(MeterValue(point, address, site, address.pattern))
            except ValueError as error:
                raise ConfigError(f"point {point.id}: {error}") from None
            if point.writable is not None:
                raise ConfigError(f"point {point.id}: is writable, but a meter is only read")
        every = range(len(bindings))
        self.in_readout = [one for one in every if not self._addresses[one].request]
        self.asked = [one for one in every if self._addresses[one].request]

    def requests(self, wanted: Collection[int]) -> list[str]:
        """Return the requests of these points, each once."""
        asked = [one for one in self.asked if one in wanted]
        return list(dict.fromkeys(self._addresses[one].request for one in asked))

    def of_readout(self, sets: Sequence[DataSet], now_ns: int) -> list[Reading]:
        """Return what a readout says of the points that belong into it."""
        named = by_name(sets)
        if self._settings.clock == "meter" and self._settings.utc_offset_h is not None:
            try:
                now_ns = moment_of_lines(named, self._settings.utc_offset_h)
            except DeviceMalformed as error:
                return [self.spoilt(one, error, now_ns) for one in self.in_readout]
        return [self._one(point, named, now_ns) for point in self.in_readout]

    def of_answers(
        self, answers: Mapping[str, list[DataSet] | DeviceError], now_ns: int
    ) -> list[Reading]:
        """Return what the answers say of the points that are asked for."""
        named = {
            asked: said if isinstance(said, DeviceError) else by_name(said)
            for asked, said in answers.items()
        }
        readings = []
        for point in self.asked:
            said = named.get(self._addresses[point].request)
            if said is None:
                continue
            if isinstance(said, DeviceError):
                readings.append(self.spoilt(point, said, now_ns))
            else:
                readings.append(self._one(point, said, now_ns))
        return readings

    @staticmethod
    def spoilt(point: int, error: DeviceError, now_ns: int) -> Reading:
        """Return the reading of a point of which nothing could be had."""
        return Reading(point, now_ns, math.nan, quality_of(error), b"", str(error))

    def _one(self, point: int, sets: Sets, now_ns: int) -> Reading:
        address = self._addresses[point]
        try:
            found = self._set(address, sets)
        except (DeviceRefused, Ambiguous) as error:
            return Reading(point, now_ns, math.nan, Quality.BAD_REFUSED, b"", str(error))
        if len(found.groups) < address.group:
            why = f"{found.name} has {len(found.groups)} pairs of brackets, not {address.group}"
            return Reading(point, now_ns, math.nan, Quality.BAD_MALFORMED, b"", why)
        text = found.groups[address.group - 1]
        value, quality, note = self._values[point].of_text(text)
        return Reading(
            point, now_ns, value, quality, f"{found.name}({text})".encode("latin-1"), note
        )

    @staticmethod
    def _set(address: IecPoint, sets: Sets) -> DataSet:
        """Return the data set that a point is in.

        Raises:
            DeviceRefused: the meter sent none.
            Ambiguous: there are several.
        """
        if address.request and not address.obis and len(sets) == 1:
            return next(iter(sets.values()))
        wanted = address.name
        if address.request and not address.obis:
            wanted = name_of(address.request.rpartition(" ")[2].partition("(")[0])
        chosen = choose(wanted, sets)
        if chosen is None:
            those = ", ".join(one.name for one in list(sets.values())[:SETS_SHOWN_MAX])
            raise DeviceRefused(f"{NOT_SENT} {wanted}; it sends {those or 'nothing'}")
        return sets[chosen]


def quality_of(error: DeviceError) -> Quality:
    """Return the quality that tells of a failure."""
    if isinstance(error, DeviceRefused):
        return Quality.BAD_REFUSED
    return Quality.BAD_MALFORMED if isinstance(error, DeviceMalformed) else Quality.BAD_SILENT


class Iec62056:
    """A meter that is asked; see :class:`citytwin.adapter.Adapter`."""

    def __init__(
        self, settings: IecDevice, bindings: Sequence[Binding], line: IecLine, site: Site
    ) -> None:
        """Compile; touches no line."""
        self._settings, self._line, self._site = settings, line, site
        self._points = MeterPoints(settings, bindings, site)
        self._count = len(bindings)
        name = f"meter {settings.address}" if settings.address else "the meter"
        device = bindings[0].point.device if bindings else ""
        self._meter = Meter(f"{name} at {line.endpoint}", device)
        self._manner = Manner(
            settings.bcc, settings.is_software, settings.reply_timeout_s, settings.readout_s_max,
            settings.pause_s, settings.wake_up_s,
        )  # fmt: skip

    async def open(self) -> None:
        """Join the line; it is opened when it is first used."""
        self._line.join(self._meter)

    async def close(self) -> None:
        """Leave the line; the last meter to do so closes it."""
        await self._line.leave(self._meter)

    async def read(self) -> Batch:
        """Read every point once; each has the time when its readout was whole, or the meter's own.

        Raises:
            DeviceError: nothing could be read.
        """
        return await self.read_some(range(self._count))

    async def read_some(self, points: Sequence[int]) -> Batch:
        """Read some points once; a readout brings all that are in it, named ones are asked alone.

        Raises:
            DeviceError: nothing could be read.
        """
        told, error = await self._poll(points)
        if error is not None and not told:
            raise error
        return batch_of([*told, *self._missing(points, told, error)])

    async def probe(self) -> Sequence[Probed]:
        """Read every point once, with the data set that it is in."""
        clock = self._site.clock
        begun_ns = clock.monotonic_ns()
        every = range(self._count)
        told, error = await self._poll(every)
        elapsed_ns = clock.monotonic_ns() - begun_ns
        return [
            Probed(one.point, one.raw, one.value, one.quality, elapsed_ns, one.note)
            for one in sorted([*told, *self._missing(every, told, error)])
        ]

    async def scan(self) -> AsyncIterator[Found]:
        """Ask who is there: whoever answers without an address, then the address of the settings.

        Several meters on one line answer the first request together, and none is understood.
        """
        for address in dict.fromkeys(("", self._settings.address)):
            plan = self._settings.plan()._replace(address=address)
            try:
                who, _ = await self._talk(identify(plan))
            except DeviceError:
                continue
            where = f'address = "{address}"' if address else ""
            says = {"identification": str(who)}
            yield Found(where, f"{who}, mode {who.mode('auto')}", says=says)

    def _talk(self, dialogue: Dialogue[Result]) -> Any:
        return self._line.talk(self._meter, dialogue, self._manner)

    async def _poll(self, wanted: Collection[int]) -> Meterings:
        """Return what is told of points, and what is the matter when it is not all."""
        plan, points, wanted = self._settings.plan(), self._points, frozenset(wanted)
        readings: list[Reading] = []
        why: DeviceError | None = None
        try:
            if wanted.intersection(points.in_readout):
                (_, sets), now_ns = await self._talk(readout(plan))
                readings += points.of_readout(sets, now_ns)
            if asked := points.requests(wanted):
                (_, answers), now_ns = await self._talk(commands(plan, asked))
                readings += points.of_answers(answers, now_ns)
        except DeviceError as error:
            why = error
        return Meterings([one for one in readings if one.point in wanted], why)

    def _missing(
        self, wanted: Iterable[int], told: Sequence[Reading], error: DeviceError | None
    ) -> list[Reading]:
        known = {one.point for one in told}
        why, now_ns = error or DeviceSilent("nothing was said of it"), self._site.clock.now_ns()
        return [MeterPoints.spoilt(point, why, now_ns) for point in wanted if point not in known]


class Iec62056Type:
    """The entry point ``iec62056``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/iec62056.md"
    says: Final = ("identification",)
    device_settings: type[msgspec.Struct] = IecDevice
    examples = ({"serial": "/dev/ttyUSB0"}, {"host": "192.0.2.7"})
    point_settings: type[msgspec.Struct] = IecPoint

    def build(
        self, settings: IecDevice, bindings: Sequence[Binding], site: Site
    ) -> Iec62056 | MeterListener:
        """Return an adapter; touches no line.

        Raises:
            ConfigError: a point does not fit, or another device uses the same line otherwise.
        """
        device = bindings[0].point.device if bindings else "without points"
        if settings.mode != "d":
            endpoint = settings.endpoint()
            line = line_at(endpoint, site, device, lambda: IecLine(endpoint, site.clock, site.tap))
            return Iec62056(settings, bindings, line, site)
        if any(binding.address.request for binding in bindings):
            raise ConfigError('request is for meters that are asked; mode "d" speaks by itself')
        points = MeterPoints(settings, bindings, site)
        source = PortSource(
            port_of(settings.endpoint(), site, device),
            device,
            lambda: TelegramCutter(crc=False),
            settings.reply_timeout_s,
            is_software=settings.is_software,
        )
        return MeterListener(source, lambda: TelegramValues(points.of_readout), len(bindings), site)

    def locate(self, settings: IecDevice) -> str:
        """Return where a device is; see :class:`citytwin.adapter.Locates`."""
        name = f"meter {settings.address}" if settings.address else "the meter"
        return f"{name} at {settings.endpoint()}"

    def decode(
        self,
        settings: IecDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Decode recorded exchanges; see :class:`citytwin.adapter.Decodes`.

        The requests must be those that would be sent; telegrams of mode d have none.

        Raises:
            ConfigError: a point does not fit.
            DeviceError: the exchanges are not those of such a meter.
        """
        now_ns = site.clock.now_ns()
        points, plan = MeterPoints(settings, bindings, site), settings.plan()
        if settings.mode == "d":
            cutter = TelegramCutter(crc=False)
            messages = [message for one in exchanges for message in cutter.feed(one.response)]
            return decoded(TelegramValues(points.of_readout), messages, now_ns)
        readings: list[Reading] = []
        left = deque(exchanges)
        if points.in_readout:
            told = _recorded(readout(plan), left, settings)
            readings += points.of_readout(told.sets, now_ns)
        if points.asked:
            answers = _recorded(commands(plan, points.requests(points.asked)), left, settings)
            readings += points.of_answers(answers.sets, now_ns)
        return [
            Probed(one.point, one.raw, one.value, one.quality, 0, one.note)
            for one in sorted(readings)
            if not one.note.startswith(NOT_SENT)
        ]


def _recorded(dialogue: Dialogue[Result], left: deque[Exchange], settings: IecDevice) -> Result:
    """Hold a dialogue with recorded exchanges, taking those that it needs."""
    ear, said = Ear(settings.bcc), deque[Said]()
    try:
        step = next(dialogue)
        while True:
            if step.send and (step.awaits or left):
                have = _without_parity(left[0].request) if left else b"nothing more"
                if have != step.send and not (left and step.is_secret):
                    raise DeviceMalformed(f"{step.send!r} would be asked, recorded is {have!r}")
                said += ear.feed(_without_parity(left.popleft().response))
            if not step.awaits:
                step = next(dialogue)
                continue
            if not said:
                raise DeviceMalformed(f"nothing is recorded as answer to {step.send!r}")
            step = dialogue.send(said.popleft())
    except StopIteration as end:
        result: Result = end.value
        return result


def _without_parity(data: bytes) -> bytes:
    """Return bytes as they were meant, where they were recorded with their parity bits."""
    return data if data.isascii() else without_parity(data)


IEC62056: Final = Iec62056Type()
