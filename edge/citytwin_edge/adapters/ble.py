"""BLE: Bluetooth devices, by what they say to everybody and by characteristics (bleak, BlueZ).

docs/guides/ble.md explains the settings. Devices of one Bluetooth adapter share one scanner.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import structlog

from citytwin.adapter import Binding, Direction, Exchange, Found, Probed, Site
from citytwin.batch import SECOND_NS, Batch
from citytwin.conversion import Scale
from citytwin.errors import ConfigError, DeviceMalformed, DeviceSilent, StoreFull
from citytwin.quality import Quality
from citytwin_edge.adapters.ble_ear import Ear, Heard
from citytwin_edge.adapters.ble_frames import frames
from citytwin_edge.adapters.ble_gatt import Notified, Polled, Values, missing
from citytwin_edge.adapters.ble_radio import Radio
from citytwin_edge.adapters.ble_settings import (
    AS_IT_IS,
    NAME,
    RSSI,
    SPECIAL,
    BleDevice,
    BlePoint,
)
from citytwin_edge.wire.adverts import Format, Of, Section, Told, address_bytes
from citytwin_edge.wire.formats import Receiver, recognised

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice

PROBE_S: Final = 10.0
SCANNED_MAX: Final = 500
"""Devices that a scan tells of; more are not in range of anybody."""
_BAD: Final = Told(math.nan, Quality.BAD_MALFORMED)

_log = structlog.get_logger(__name__)


class _Field(NamedTuple):
    """A point of an advertisement: which field, and how it becomes the point's unit."""

    name: str
    scale: Scale


class _Row(NamedTuple):
    """What an advertisement says of one point."""

    point: int
    value: float
    quality: int
    raw: bytes
    note: str = ""


class Telegrams:
    """What advertisements of one device say of its points."""

    def __init__(
        self, settings: BleDevice, fields: Sequence[_Field], receiver: Receiver, site: Site
    ) -> None:
        """Read for points with these fields, in the order of the bindings."""
        self._fields, self._receiver, self._site = fields, receiver, site
        self._repeat_ns = round(settings.repeat_s * SECOND_NS)
        self._reception_ns = -self._repeat_ns
        self.trouble = ""

    def read(self, heard: Heard) -> list[_Row]:
        """Return what is new; at most one row a point."""
        rows: dict[int, _Row] = {}
        self.trouble = ""
        at_ns = heard.at_ns
        for section in heard.sections:
            try:
                telegram = self._receiver.take(section, at_ns)
            except DeviceMalformed as error:
                self.trouble = f"{section}: {error}"
                for point, one in enumerate(self._fields):
                    if one.name not in SPECIAL and point not in rows:
                        rows[point] = self._row(point, _BAD, section.data, str(error))
                continue
            if telegram is None:
                continue
            for point, one in enumerate(self._fields):
                told = telegram.values.get(one.name)
                if told is not None:
                    rows[point] = self._row(point, told, section.data)
        if rows or at_ns - self._reception_ns >= self._repeat_ns:
            self._reception_ns = at_ns
            for point, one in enumerate(self._fields):
                if one.name == RSSI and not math.isnan(heard.rssi):
                    rows[point] = self._row(point, Told(heard.rssi), b"")
                elif one.name == NAME and heard.name:
                    rows[point] = self._row(point, Told(0.0, text=heard.name), b"")
        return [rows[point] for point in sorted(rows)]

    @property
    def only_name(self) -> bool:
        """Whether nothing but the device's name is asked for."""
        return bool(self._fields) and all(one.name == NAME for one in self._fields)

    def _row(self, point: int, told: Told, raw: bytes, note: str = "") -> _Row:
        if told.text and told.quality == Quality.GOOD:
            try:
                number = float(self._site.intern(told.text))
            except StoreFull as error:
                return _Row(point, math.nan, Quality.BAD_OUT_OF_RANGE, raw, str(error))
            return _Row(point, number, told.quality, raw, told.text)
        factor, offset = self._fields[point].scale
        # 15 digits: 24.3, not 24.300000000000001.
        value = (
            float(f"{told.value * factor + offset:.15g}") if factor != 1 else told.value + offset
        )
        return _Row(point, value, told.quality, raw, note)


class Advertised:
    """A device that is heard; see :class:`citytwin.adapter.Adapter`."""

    def __init__(
        self,
        settings: BleDevice,
        bindings: Sequence[Binding],
        telegrams: Telegrams,
        formats: Sequence[Format],
        radio: Radio,
        site: Site,
    ) -> None:
        """Hear it through the radio; touches nothing."""
        self._settings, self._radio, self._site = settings, radio, site
        self._telegrams, self._points = telegrams, len(bindings)
        self._name = bindings[0].point.device if bindings else settings.place
        asks = settings.scan == "active" or (
            settings.scan == "auto" and any(one.answers_only for one in formats)
        )
        sections = frozenset[tuple[Of, int]]().union(*(one.sections for one in formats))
        may_ask = settings.scan != "passive"
        self._ear = Ear(settings.place, sections, asks=asks, may_ask=may_ask)

    async def open(self) -> None:
        """Nothing to get ready: listening begins it."""

    async def close(self) -> None:
        """Listen no more; with the last device the scanner ends."""
        await self._radio.forsake(self._ear)

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what the device says; DeviceSilent when the Bluetooth adapter cannot be used."""
        self._radio.attend(self._ear)
        try:
            while (heard := await self._ear.get()) is not None:
                lost = missing(self._ear, self._name, self._points, heard.time_ns)
                if len(lost):
                    yield lost
                batch = self._batch(heard)
                if len(batch):
                    yield batch
        finally:
            await self._radio.forsake(self._ear)

    def _show(self, heard: Heard) -> None:
        """Let who looks at the line see it, in the words of golden frames."""
        for section in heard.sections:
            note = f"{self._settings.place} {section} rssi:{heard.rssi:.0f}"
            self._site.tap(
                self._radio.name, Direction.RECEIVED, section.data, device=self._name, note=note
            )

    def _batch(self, heard: Heard) -> Batch:
        if self._site.taps:
            self._show(heard)
        rows = self._telegrams.read(heard)
        if self._telegrams.trouble:
            _log.debug("ble.malformed", device=self._name, why=self._telegrams.trouble)
        if not rows:
            return Batch.empty()
        points, values, qualities = zip(*(row[:3] for row in rows), strict=True)
        return Batch.of(points, heard.time_ns, values, qualities)

    async def probe(self) -> Sequence[Probed]:
        """Wait a while until every point was told of."""
        clock = self._site.clock
        begun_ns = clock.monotonic_ns()
        found: dict[int, Probed] = {}
        known = self._radio.names.get(self._settings.place)
        if known is not None and self._telegrams.only_name:  # a scan has met it just now
            met = Heard((), math.nan, clock.now_ns(), begun_ns, known)
            found = {row.point: _probed(row, 0) for row in self._telegrams.read(met)}
            return self._told(found, "it calls itself nothing")
        note = f"it was not heard within {PROBE_S:g} s"
        self._radio.attend(self._ear)
        try:
            async with asyncio.timeout(PROBE_S):
                while len(found) < self._points and (heard := await self._ear.get()):
                    elapsed_ns = clock.monotonic_ns() - begun_ns
                    for row in self._telegrams.read(heard):
                        found[row.point] = _probed(row, elapsed_ns)
                    note = self._telegrams.trouble or "it was heard, but says nothing of this"
        except TimeoutError:
            pass
        except DeviceSilent as error:
            note = str(error)
        finally:
            await self._radio.forsake(self._ear)
        return self._told(found, note)

    def _told(self, found: dict[int, Probed], note: str) -> list[Probed]:
        return [
            found.get(point) or Probed(point, b"", math.nan, Quality.BAD_SILENT, 0, note)
            for point in range(self._points)
        ]

    async def scan(self) -> AsyncIterator[Found]:
        """Yield devices in range, whatever their address: first those of a known format."""
        async for found in survey(self._radio, self._ear, self._settings.scan_s):
            yield found


def _probed(row: _Row, elapsed_ns: int) -> Probed:
    return Probed(row.point, row.raw, row.value, row.quality, elapsed_ns, row.note)


class _Met(NamedTuple):
    name: str
    rssi: int
    sections: tuple[Section, ...]


async def survey(radio: Radio, ear: Ear, wait_s: float) -> AsyncIterator[Found]:
    """Yield every device in range: address, name, how strong it is heard, and its format.

    One whose format is known is told of at once, the others at the end, the strongest first.

    Raises:
        DeviceSilent: the Bluetooth adapter cannot be used.
    """
    met: dict[str, _Met] = {}
    told: set[str] = set()
    news = asyncio.Event()

    def take(device: BLEDevice, rssi: int, sections: tuple[Section, ...]) -> None:
        address = device.address.upper()
        if address in met or len(met) < SCANNED_MAX:
            met[address] = _Met(device.name or "", rssi, sections)
            news.set()

    radio.attend(ear)
    try:
        with radio.survey(take):
            await radio.ready()
            loop = asyncio.get_running_loop()
            end = loop.time() + wait_s
            while (left_s := end - loop.time()) > 0:
                try:
                    async with asyncio.timeout(left_s):
                        await news.wait()
                except TimeoutError:
                    break
                news.clear()
                await radio.ready()
                for address, one in list(met.items()):
                    if address not in told and one.name and recognised(one.sections, one.name):
                        told.add(address)
                        yield _found(address, one)
    finally:
        await radio.forsake(ear)
    for address, one in sorted(met.items(), key=lambda item: -item[1].rssi):
        if address not in told:
            yield _found(address, one)


def _found(address: str, one: _Met) -> Found:
    formats = recognised(one.sections, one.name)
    known = " or ".join(form.name for form in formats)
    known = known or f"no known format ({', '.join(map(str, one.sections)) or 'says nothing'})"
    where = f'address = "{address}"'
    if len(formats) == 1:
        where += f'\nformat = "{formats[0].name}"'
    return Found(where, f"{one.name or 'no name'}, {known}", float(one.rssi))


class BleType:
    """The entry point ``ble``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/ble.md"
    device_settings: type[msgspec.Struct] = BleDevice
    point_settings: type[msgspec.Struct] = BlePoint
    examples: Sequence[dict[str, Any]] = ({"address": "A4:C1:38:5A:20:7F"},)

    def build(
        self, settings: BleDevice, bindings: Sequence[Binding], site: Site
    ) -> Advertised | Polled | Notified:
        """Return an adapter; touches nothing.

        Raises:
            ConfigError: a point or the key does not fit.
        """
        for point, address in bindings:
            problem = address.problem(point, settings)
            if problem:
                raise ConfigError(f"point {point.id}: {problem}")
        radio: Radio = site.line(("ble", settings.hci), lambda: Radio(settings.hci, site.clock))
        if settings.mode == "advertised":
            telegrams, formats = _telegrams(settings, bindings, site)
            return Advertised(settings, bindings, telegrams, formats, radio, site)
        try:
            values = Values(settings, bindings, site)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        make = Polled if settings.mode == "polled" else Notified
        return make(settings, bindings, values, radio, site)

    def decode(
        self,
        settings: BleDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what was heard or read; see :class:`citytwin.adapter.Decodes`."""
        every = frames(exchanges)
        if not every:
            return []
        own = msgspec.structs.replace(settings, address=every[0].address, repeat_s=0.0)
        found: dict[int, Probed] = {}
        if own.mode != "advertised":
            values = Values(own, bindings, site)
            for one in every:
                if one.uuid not in values.points:
                    raise DeviceMalformed(f"no point is of the characteristic {one.uuid}")
                for point, said in values.of(one.uuid, one.data).items():
                    found[point] = Probed(point, said.raw, said.value, said.quality, 0, said.note)
            return [found[point] for point in sorted(found)]
        telegrams, _ = _telegrams(own, bindings, site)
        for at_ns, one in enumerate(every):
            if one.section is None:
                raise DeviceMalformed(f"{one.uuid} is a characteristic, not an advertisement")
            for row in telegrams.read(Heard((one.section,), one.rssi, at_ns, at_ns)):
                found[row.point] = _probed(row, 0)
        return [found[point] for point in sorted(found)]

    def locate(self, settings: BleDevice) -> str:
        """Return where a device is; see :class:`citytwin.adapter.Locates`."""
        what = "advertisements" if settings.mode == "advertised" else "characteristics"
        return f"{what} of {settings.place} at {settings.hci}"


def _telegrams(
    settings: BleDevice, bindings: Sequence[Binding], site: Site
) -> tuple[Telegrams, list[Format]]:
    """Return what reads a device's advertisements, and the formats in question (ConfigError)."""
    try:
        formats = settings.formats(bindings)
        receiver = Receiver(
            formats,
            address_bytes(settings.address),
            settings.secret(),
            round(settings.repeat_s * SECOND_NS),
        )
    except ValueError as error:
        device = bindings[0].point.device if bindings else settings.place
        raise ConfigError(f"device {device}: {error}") from None
    fields = []
    for index, (point, address) in enumerate(bindings):
        try:
            if address.at is not None:
                address.check(point.kind)
                fields.append(_Field(str(index), AS_IT_IS))
            else:
                fields.append(_Field(address.field, address.scale(point, formats)))
        except ValueError as error:
            raise ConfigError(f"point {point.id}: {error}") from None
    return Telegrams(settings, fields, receiver, site), formats


BLE: Final = BleType()
