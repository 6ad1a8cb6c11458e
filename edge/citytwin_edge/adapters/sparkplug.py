"""Sparkplug B 3.0: nodes that publish births, data and deaths; the gateway is a host application.

docs/guides/sparkplug.md explains the settings. Devices of one broker and host id share one
connection, and so one host application.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec
import structlog

from citytwin.adapter import Binding, Exchange, Found, Probed, Site
from citytwin.batch import SECOND_NS, Batch
from citytwin.errors import ConfigError, DeviceError, DeviceMalformed, StoreFull
from citytwin.quality import Quality, Severity
from citytwin_edge.adapters.mqtt_listener import Lost
from citytwin_edge.adapters.mqtt_scan import fields as fields_of
from citytwin_edge.adapters.sparkplug_line import HostLine, Told, filter_of, line_of
from citytwin_edge.adapters.sparkplug_look import look
from citytwin_edge.adapters.sparkplug_settings import (
    SparkplugDevice,
    SparkplugField,
    SparkplugPoint,
)
from citytwin_edge.wire.sparkplug_host import NAMESPACE, Host
from citytwin_edge.wire.sparkplug_node import Event, Now, Seen

LOOK_S: Final = 15.0
"""A probe or a scan takes so long: nodes are asked for their births after ``reorder_s``."""
RAW_BYTES_MAX: Final = 200
FOUND_MAX: Final = 1000
NAMES_MAX: Final = 10
COMPLAINTS_MAX: Final = 100
_log = structlog.get_logger(__name__)

Row = tuple[int, int, float, int, str]
"""Point, time, value, quality, note."""


class Sparkplug:
    """One node, or one device of it: listens for as long as it is open, publishes commands."""

    def __init__(
        self,
        settings: SparkplugDevice,
        bindings: Sequence[Binding],
        fields: Sequence[SparkplugField],
        line: HostLine,
        site: Site,
    ) -> None:
        """Join the line; touches no network. ``fields`` has one row for each binding."""
        self._settings, self._line, self._site = settings, line, site
        self._fields = list(fields)
        self._name = bindings[0].point.device if bindings else str(settings)
        self._points: dict[str, list[int]] = {}
        for index, field in enumerate(self._fields):
            self._points.setdefault(field.address.metric, []).append(index)
        self._latest_ns = [0] * len(self._fields)
        self._complaints: set[str] = set()
        self._listener = line.join_as(self._name, settings, self._points)

    async def open(self) -> None:
        """Nothing to get ready: listening connects."""

    async def close(self) -> None:
        """Listen no more; the last device to do so says farewell and closes the connection."""
        await self._line.forsake(self._listener)

    def part(self) -> None:
        """Ask for its node no more; see the contract."""
        self._line.part(self._listener)

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what births, data and deaths say; DeviceSilent when the broker is lost."""
        self._line.attend(self._listener)
        try:
            while (heard := await self._listener.get()) is not None:
                assert isinstance(heard, Told), "a host line puts nothing else"
                rows = [*self._missing(self._listener.lost()), *self._rows(heard.event)]
                if rows:
                    points, times, values, qualities, _ = zip(*rows, strict=True)
                    yield Batch.of(points, times, values, qualities)
        finally:
            await self._line.forsake(self._listener)

    async def write(self, point: int, value: float) -> None:
        """Publish a command, NCMD or DCMD; see the contract."""
        await self._line.command(self._settings, self._fields[point].address.metric, value)

    # ---- a technician's look

    async def probe(self) -> Sequence[Probed]:
        """Ask the node for its birth and wait for it, on a connection of its own."""
        settings, clock = self._settings, self._site.clock
        begun_ns = clock.monotonic_ns()
        host = self._host({settings.key: {settings.device_id}}, is_curious=False)
        note = f"{settings} said nothing of it within {LOOK_S:g} s"
        found: dict[int, Probed] = {}
        try:
            async for seen in look(settings, host, filter_of(settings.key), self._site, LOOK_S):
                if seen.event.device not in {None, settings.device_id}:
                    continue
                raw = seen.payload[:RAW_BYTES_MAX]
                for point, _, value, quality, why in self._rows(seen.event):
                    elapsed_ns = clock.monotonic_ns() - begun_ns
                    found[point] = Probed(point, raw, value, quality, elapsed_ns, why)
                if seen.event.is_birth:
                    break
        except DeviceError as error:
            note = str(error)
        return [
            found.get(index) or Probed(index, b"", math.nan, Quality.BAD_SILENT, 0, note)
            for index in range(len(self._fields))
        ]

    async def scan(self) -> AsyncIterator[Found]:
        """Yield nodes and devices whose births come, with their metrics; all of the broker."""
        settings = self._settings
        host = self._host({}, is_curious=True)
        met: set[str] = set()
        async for seen in look(settings, host, f"{NAMESPACE}/#", self._site, LOOK_S):
            device = {"device_id": seen.event.device} if seen.event.device else {}
            address = fields_of(group_id=seen.key[0], edge_node_id=seen.key[1], **device)
            if seen.event.is_birth and address not in met and len(met) < FOUND_MAX:
                met.add(address)
                yield Found(address, _described(seen.event))

    def _host(self, wanted: dict[tuple[str, str], set[str]], *, is_curious: bool) -> Host:
        reorder_ns = round(self._settings.reorder_s * SECOND_NS)
        may_ask = self._settings.rebirth
        return Host("", wanted, reorder_ns=reorder_ns, may_ask=may_ask, is_curious=is_curious)

    def decoded(self, exchanges: Sequence[Exchange]) -> list[Probed]:
        """Return what messages say: topics and payloads, in order."""
        settings, clock = self._settings, self._site.clock
        host = self._host({settings.key: {settings.device_id}}, is_curious=False)
        found: dict[int, Probed] = {}
        for exchange in exchanges:
            now = Now(clock.now_ns(), clock.monotonic_ns())
            topic = exchange.request.decode("utf-8", "replace")
            for _, event in host.take(topic, exchange.response, now):
                if event.device in {None, settings.device_id}:
                    raw = exchange.response
                    for point, _, value, quality, note in self._rows(event):
                        found[point] = Probed(point, raw, value, quality, 0, note)
        return [found[point] for point in sorted(found)]

    # ---- events to samples

    def _missing(self, lost: Lost | None) -> list[Row]:
        """Return samples that say that some are missing: a full queue cost messages."""
        if lost is None:
            return []
        _log.warning("sparkplug.messages_lost", device=self._name, messages=lost.messages)
        return [
            (point, lost.time_ns, math.nan, int(Quality.BAD_OVERFLOW), "")
            for point in sorted(lost.marks)
        ]

    def _rows(self, event: Event) -> list[Row]:
        if event.quality != Quality.GOOD:
            self._complain(event.note)
            every = range(len(self._fields))
            return [self._bad(point, event.time_ns, event.quality, event.note) for point in every]
        rows = [
            self._row(point, seen, event)
            for seen in event.metrics
            for point in self._points.get(seen.name, ())
            if seen.metric.is_transient <= self._fields[point].address.transient
        ]
        if event.is_birth:
            rows += [self._unborn(point, event) for point in self._absent(event)]
        return rows

    def _row(self, point: int, seen: Seen, event: Event) -> Row:
        """Return the sample of one metric that came."""
        time_ns, quality, note = seen.time_ns, seen.metric.quality, ""
        if event.is_birth and not seen.metric.is_historical:
            # What it is now, even if it has been so for long: later than its death.
            time_ns = self._later(point, max(time_ns, event.time_ns))
        self._latest_ns[point] = max(self._latest_ns[point], time_ns)
        if quality.severity == Severity.BAD:
            return self._bad(point, time_ns, quality, "the node says that it is bad")
        try:
            value = self._fields[point].decode(seen.type, seen.metric)
            note = value if isinstance(value, str) else ""
            number = float(self._site.intern(note)) if isinstance(value, str) else value
        except DeviceMalformed as error:
            self._complain(f"{seen.name}: {error}")
            return self._bad(point, time_ns, Quality.BAD_MALFORMED, str(error))
        except StoreFull as error:
            return self._bad(point, time_ns, Quality.BAD_OUT_OF_RANGE, str(error))
        if math.isnan(number):
            quality = Quality.BAD_NOT_A_NUMBER
        return point, time_ns, number, int(quality), note

    def _absent(self, event: Event) -> list[int]:
        """Return the points of which a birth says nothing."""
        told = {
            point
            for seen in event.metrics
            for point in self._points.get(seen.name, ())
            if seen.metric.is_transient <= self._fields[point].address.transient
        }
        return [point for point in range(len(self._fields)) if point not in told]

    def _unborn(self, point: int, event: Event) -> Row:
        metric = self._fields[point].address.metric
        names = {seen.name: seen for seen in event.metrics}
        if metric in names:
            note = f"{metric!r} is transient: transient = true takes it all the same"
        else:
            note = f"the birth has no metric {metric!r}, or two with its alias; it has "
            note += _listed(names)
        self._complain(note)
        return self._bad(point, event.time_ns, Quality.BAD_REFUSED, note)

    def _bad(self, point: int, time_ns: int, quality: Quality, note: str) -> Row:
        return point, self._later(point, time_ns), math.nan, int(quality), note

    def _later(self, point: int, time_ns: int) -> int:
        """Return a time after all that was told of a point: what it is from now on."""
        time_ns = max(time_ns, self._latest_ns[point] + 1)
        self._latest_ns[point] = time_ns
        return time_ns

    def _complain(self, note: str) -> None:
        """Say it in the log, once."""
        if note not in self._complaints and len(self._complaints) < COMPLAINTS_MAX:
            self._complaints.add(note)
            _log.warning("sparkplug.trouble", device=self._name, of=str(self._settings), note=note)


def _listed(names: dict[str, Seen]) -> str:
    shown = [f"{name} ({seen.type.title})" for name, seen in list(names.items())[:NAMES_MAX]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") or "none"


def _described(event: Event) -> str:
    names = {seen.name: seen for seen in event.metrics}
    return f"{len(names)} metrics: {_listed(names)}"


class SparkplugType:
    """The entry point ``sparkplug``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/sparkplug.md"
    device_settings: type[msgspec.Struct] = SparkplugDevice
    examples = ({"host": "192.0.2.7", "host_id": "gw", "group_id": "g", "edge_node_id": "n"},)
    point_settings: type[msgspec.Struct] = SparkplugPoint

    def build(
        self, settings: SparkplugDevice, bindings: Sequence[Binding], site: Site
    ) -> Sparkplug:
        """Return an adapter; touches no network.

        Raises:
            ConfigError: a point does not fit, or another device of the same host application has
                other settings of its connection.
        """
        fields = []
        for point, address in bindings:
            try:
                fields.append(SparkplugField(point, address, settings))
            except ValueError as error:
                raise ConfigError(f"point {point.id}: {error}") from None
        line = line_of(settings, site)
        if line.agreed != settings.agreed():
            raise ConfigError(
                f"{settings} and another device are heard by the host "
                f'application "{settings.host_id}", but differ in their settings of the broker, '
                "reorder_s or rebirth; one host application has one set of them"
            )
        return Sparkplug(settings, bindings, fields, line, site)

    def decode(
        self,
        settings: SparkplugDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what messages say; see :class:`citytwin.adapter.Decodes`."""
        device = self.build(settings, bindings, Site(site.clock, site.intern))
        return device.decoded(exchanges)

    def locate(self, settings: SparkplugDevice) -> str:
        """Return where a device is; see :class:`citytwin.adapter.Locates`."""
        return f"{settings} at {settings.host}:{settings.port}"


SPARKPLUG: Final = SparkplugType()
