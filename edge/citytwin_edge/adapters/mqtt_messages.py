"""MQTT messages to samples: what a payload says of a device's points, without a broker."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import structlog

from citytwin.adapter import Site
from citytwin.batch import Batch
from citytwin.errors import DeviceMalformed, StoreFull
from citytwin.quality import Quality
from citytwin_edge.adapters.mqtt_listener import Arrival
from citytwin_edge.adapters.mqtt_settings import MqttDevice, MqttPoint
from citytwin_edge.wire.payload import Absent, Path, Payload, PayloadField, numbers

SEEN_MAX: Final = 32
"""Messages that are remembered, so that one which comes again is left out."""
COMPLAINTS_MAX: Final = 100
NAMES_MAX: Final = 1000
"""Sets of points of one message whose names are remembered."""
_log = structlog.get_logger(__name__)

Row = tuple[int, int, float, int, str]
"""Point, time, value, quality, note."""


class Columns:
    """Samples on their way into one batch, from as many messages as have come."""

    def __init__(self) -> None:
        """Begin without any."""
        self._point: list[int] = []
        self._time_ns: list[int] = []
        self._value: list[float] = []
        self._quality: list[int] = []

    def __len__(self) -> int:
        return len(self._point)

    def add(
        self, points: Sequence[int], time_ns: int, values: Sequence[float], quality: int
    ) -> None:
        """Take samples of one time and one quality: a value for each point."""
        count = len(points)
        self._point += points
        self._time_ns += [time_ns] * count
        self._value += values
        self._quality += [quality] * count

    def batch(self) -> Batch:
        """Return what was taken."""
        return Batch.of(self._point, self._time_ns, self._value, self._quality)


class Reader:
    """Reads the messages of one device."""

    def __init__(
        self,
        settings: MqttDevice,
        addresses: Sequence[MqttPoint],
        fields: Sequence[PayloadField],
        site: Site,
        name: str,
    ) -> None:
        """Compile settings in which everything is written out; ``fields`` goes with ``addresses``.

        Raises:
            ValueError: a path is none.
        """
        self._site, self._name, self._fields = site, name, list(fields)
        self._is_partial = bool(settings.partial)
        self._offline_word = settings.offline
        self._records = Path(settings.records) if settings.records else None
        self._once = [Path(path) for path in settings.once]
        self._seen: deque[tuple[Any, ...]] = deque(maxlen=SEEN_MAX)
        self._conditions = [
            [
                (Path(path), wanted if isinstance(wanted, tuple) else (wanted,))
                for path, wanted in one.where.items()
            ]
            for one in addresses
        ]
        self._online = settings.online_fields()
        self._complaints: set[str] = set()
        self._names = lru_cache(NAMES_MAX)(self._names_of)

    def begin(self) -> None:
        """Begin to listen: what came before may come again, and is news then."""
        self._seen.clear()

    def says_offline(self, data: bytes) -> bool:
        """Tell whether a message says that the device is gone."""
        payload = Payload(data)
        for field in self._online:
            with suppress(DeviceMalformed):
                said, _ = field.decode(payload)
                return said == self._offline_word
        return False

    def take(
        self, points: tuple[int, ...], arrival: Arrival, columns: Columns, *, is_offline: bool
    ) -> None:
        """Add what a message says of points to columns; see ``rows``."""
        names = () if arrival.is_late else self._names(points)
        values = numbers(Payload(arrival.payload), names) if names else None
        if values is not None:
            columns.add(points, arrival.time_ns, values, Quality.GOOD)
            return
        for point, time_ns, value, quality, _ in self.rows(points, arrival, is_offline=is_offline):
            columns.add((point,), time_ns, (value,), quality)

    def _names_of(self, points: tuple[int, ...]) -> tuple[str, ...]:
        """Return the names at which points are plain numbers; nothing if one may be more."""
        is_simple = not (
            self._records or self._once or any(map(self._conditions.__getitem__, points))
        )
        names = tuple(self._fields[point].name_of_number for point in points if is_simple)
        return names if all(names) else ()

    def rows(
        self,
        points: Sequence[int],
        arrival: Arrival,
        *,
        is_offline: bool = False,
        absent: dict[int, str] | None = None,
    ) -> Iterator[Row]:
        """Yield what a message says of points.

        Args:
            points: those whose topic it has.
            arrival: the message.
            is_offline: whether the device has said that it is gone.
            absent: gets the points that it leaves out, and why.
        """
        payload = Payload(arrival.payload)
        if self._is_repeated(payload):
            return
        records = [payload]
        if self._records is not None:
            try:
                records = payload.records(self._records)
            except DeviceMalformed as error:  # whose it is nobody knows
                self._complain(f"{arrival.topic}: {error}")
                return
        for record in records:
            for point in points:
                if not self._is_meant(point, record):
                    continue
                try:
                    yield (point, *self._decoded(point, record, arrival, is_offline))
                except Absent as error:
                    if absent is not None:
                        absent[point] = str(error)

    def _is_repeated(self, payload: Payload) -> bool:
        """Tell whether a message has come before; notes it down if it has not."""
        if not self._once:
            return False
        try:
            name = tuple(_at(path, payload) for path in self._once)
        except DeviceMalformed:
            return False
        if name in self._seen:
            return True
        self._seen.append(name)
        return False

    def _is_meant(self, point: int, record: Payload) -> bool:
        """Tell whether a record is about a point; one that cannot be read is."""
        try:
            return all(_at(path, record) in wanted for path, wanted in self._conditions[point])
        except DeviceMalformed:
            return True

    def _complain(self, note: str) -> None:
        """Say it in the log, once."""
        if note not in self._complaints and len(self._complaints) < COMPLAINTS_MAX:
            self._complaints.add(note)
            _log.warning("mqtt.trouble", device=self._name, note=note)

    def _decoded(
        self, index: int, payload: Payload, arrival: Arrival, is_offline: bool
    ) -> tuple[int, float, int, str]:
        """Return (time, value, quality, note) of one point in a message, or Absent is raised."""
        now_ns = arrival.time_ns
        try:
            value, time_ns = self._fields[index].decode(payload)
            note = value if isinstance(value, str) else ""
            number = float(self._site.intern(note)) if isinstance(value, str) else value
        except DeviceMalformed as error:
            if isinstance(error, Absent) and self._is_partial:
                raise
            return now_ns, math.nan, Quality.BAD_MALFORMED, str(error)
        except StoreFull as error:
            return now_ns, math.nan, Quality.BAD_OUT_OF_RANGE, str(error)
        quality = Quality.BAD_NOT_A_NUMBER if math.isnan(number) else Quality.GOOD
        if time_ns is not None:
            return time_ns, number, quality, note
        if arrival.is_late:
            # Whoever reads it must not take it for what the device measures now.
            if is_offline:
                return now_ns, math.nan, Quality.BAD_SILENT, note
            if quality == Quality.GOOD:
                quality = Quality.UNCERTAIN_STALE
        return now_ns, number, quality, note


def _at(path: Path, payload: Payload) -> Any:
    """Return what is at a path of JSON; None where nothing is (DeviceMalformed)."""
    try:
        found = path.first(payload.document)
    except Absent:
        return None
    return found if isinstance(found, str | int | float) else str(found)
