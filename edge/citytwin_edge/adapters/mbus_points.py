"""M-Bus points: which record of a meter's telegrams is a point, and its number in the point's unit.

The same for meters on the wired bus and for those that send by radio.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Protocol

from citytwin.adapter import Binding, Probed, Site
from citytwin.conversion import between
from citytwin.errors import (
    ConfigError,
    DeviceError,
    DeviceMalformed,
    DeviceRefused,
    StoreFull,
    UnitError,
)
from citytwin.point import Kind
from citytwin.quality import Quality
from citytwin_edge.adapters.mbus_places import HeaderField, MbusPoint
from citytwin_edge.adapters.serial_messages import Reading
from citytwin_edge.wire.mbus_records import Function, Record
from citytwin_edge.wire.mbus_telegram import Telegram
from citytwin_edge.wire.mbus_values import Moment, is_bcd
from citytwin_edge.wire.mbus_vif import MANUFACTURER, TIME, UNKNOWN
from citytwin_edge.wire.mbus_vife import (
    DATA_ERROR,
    ERRORS,
    NO_DATA,
    OVERFLOW,
    UNDERFLOW,
)

NOTE_CHARS_MAX: Final = 600
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  # differences only
_ERROR_QUALITIES: Final = {
    NO_DATA: Quality.BAD_NOT_A_NUMBER,
    DATA_ERROR: Quality.BAD_NOT_A_NUMBER,
    OVERFLOW: Quality.BAD_OUT_OF_RANGE,
    UNDERFLOW: Quality.BAD_OUT_OF_RANGE,
}


class _Failed(Exception):
    """A point has no value; the text says why."""

    def __init__(self, why: str, quality: Quality = Quality.BAD_MALFORMED) -> None:
        super().__init__(why)
        self.quality = quality


class _Missing(_Failed):
    """The telegrams have no such record."""

    def __init__(self, why: str) -> None:
        super().__init__(why, Quality.BAD_REFUSED)


class Points:
    """A meter's points; compiled once."""

    def __init__(
        self,
        bindings: Sequence[Binding],
        site: Site,
        *,
        utc_offset_h: float | None = None,
        is_stamped: bool = False,
    ) -> None:
        """Compile.

        Args:
            bindings: points and where they are.
            site: for texts.
            utc_offset_h: of the meter's clock.
            is_stamped: samples are of the time that the meter's clock shows.
        """
        self._bindings, self._site = list(bindings), site
        self._offset_h, self._is_stamped = utc_offset_h, is_stamped

    def __len__(self) -> int:
        return len(self._bindings)

    def read(
        self, telegrams: Sequence[Telegram], now_ns: int, *, all_must_be_there: bool = True
    ) -> list[Reading]:
        """Return what telegrams that belong together say of the points.

        Args:
            telegrams: in their order; at least one.
            now_ns: when the last of them was whole.
            all_must_be_there: say of points that have no record that they have none.
        """
        records = [record for one in telegrams for record in one.block.records]
        time_ns = self._stamp(records, now_ns)
        readings = []
        for point in range(len(self._bindings)):
            try:
                readings.append(self._one(point, telegrams[0], records, time_ns))
            except _Missing as missing:
                if all_must_be_there:
                    readings.append(_bad(point, time_ns, missing))
            except _Failed as failed:
                readings.append(_bad(point, time_ns, failed))
        return readings

    def spoilt(self, error: DeviceError, now_ns: int) -> list[Reading]:
        """Return that nothing is known of any point, and why."""
        quality = quality_of(error)
        return [
            Reading(point, now_ns, math.nan, quality, b"", str(error))
            for point in range(len(self._bindings))
        ]

    def _one(
        self, point: int, telegram: Telegram, records: Sequence[Record], time_ns: int
    ) -> Reading:
        bound, address = self._bindings[point]
        if address.header is not None:
            said, raw = _of_header(telegram, address.header)
            number = self._number(said, bound.kind, address)
            return Reading(point, time_ns, number, Quality.GOOD, raw, str(said))
        record = _find(address, records, bound.unit)
        raw, note = record.header + record.data, describe(record)
        if record.told.error:
            why = ERRORS[record.told.error]
            quality = _ERROR_QUALITIES.get(record.told.error, Quality.BAD_REFUSED)
            return Reading(point, time_ns, math.nan, quality, raw, f"the meter says: {why}")
        value = record.seen.value
        if value is None or value in address.sentinel:
            why = record.seen.why or f"{value} means no value"
            return Reading(point, time_ns, math.nan, Quality.BAD_NOT_A_NUMBER, raw, why)
        if bound.kind != Kind.TEXT and not address.bits and isinstance(value, int | float):
            number = _in_unit(record, bound.unit)
            if not math.isfinite(number):
                return Reading(point, time_ns, math.nan, Quality.BAD_OUT_OF_RANGE, raw, note)
            return Reading(point, time_ns, number, Quality.GOOD, raw, note)
        if bound.kind == Kind.TEXT and isinstance(value, int) and is_bcd(record.header[0]):
            value = str(value).zfill(2 * len(record.data))  # as on a label
        return Reading(
            point, time_ns, self._number(value, bound.kind, address), Quality.GOOD, raw, note
        )

    def _number(self, value: int | float | str | Moment, kind: Kind, address: MbusPoint) -> float:
        """Return what stands for a value without a unit."""
        if kind == Kind.TEXT:
            text = value if isinstance(value, str) else _text(value)
            try:
                return float(self._site.intern(text))
            except StoreFull as error:
                raise _Failed(str(error), Quality.BAD_OUT_OF_RANGE) from None
        if isinstance(value, str):
            raise _Failed(f'it is the text {value!r}; a text needs kind = "text"')
        if isinstance(value, int | float):
            if not address.bits:
                return float(value)
            if isinstance(value, float):
                raise _Failed("bits are of a whole number")
            width = address.bits[-1] - address.bits[0] + 1
            return float(value >> address.bits[0] & (1 << width) - 1)
        return self._time_ns(value) / 1e9

    def _time_ns(self, moment: Moment) -> int:
        if isinstance(moment, datetime.time):
            raise _Failed('it is a time of day; that needs kind = "text"')
        if not isinstance(moment, datetime.datetime):
            moment = datetime.datetime.combine(moment, datetime.time())
        if self._offset_h is None:
            raise _Failed("a meter's clock has no offset; utc_offset_h can say which is meant")
        local = (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000
        return local - round(self._offset_h * 3_600_000_000_000)

    def _stamp(self, records: Sequence[Record], now_ns: int) -> int:
        """Return the time that the meter's clock shows, if that counts and it shows one."""
        if not self._is_stamped:
            return now_ns
        for record in records:
            value = record.seen.value
            is_clock = record.quantity == TIME and not (record.storage or record.told.qualifiers)
            if is_clock and isinstance(value, datetime.datetime):
                return self._time_ns(value)
        return now_ns


class _Clocked(Protocol):
    """What settings of a meter say of its clock."""

    @property
    def time(self) -> str: ...
    @property
    def utc_offset_h(self) -> float | None: ...


def points_of(settings: _Clocked, bindings: Sequence[Binding], site: Site) -> Points:
    """Return what is read of a meter.

    Raises:
        ConfigError: a point cannot be that.
    """
    for point, _ in bindings:
        if point.writable is not None:
            raise ConfigError(f"point {point.id}: meters are read only; leave out writable")
    return Points(
        bindings,
        site,
        utc_offset_h=settings.utc_offset_h,
        is_stamped=settings.time == "meter",
    )


def quality_of(error: DeviceError) -> Quality:
    """Return the quality of what an error cost."""
    if isinstance(error, DeviceRefused):
        return Quality.BAD_REFUSED
    return Quality.BAD_MALFORMED if isinstance(error, DeviceMalformed) else Quality.BAD_SILENT


def probed(readings: Sequence[Reading], elapsed_ns: int) -> list[Probed]:
    """Return readings for a technician."""
    return [
        Probed(one.point, one.raw, one.value, one.quality, elapsed_ns, one.note) for one in readings
    ]


def _bad(point: int, time_ns: int, failed: _Failed) -> Reading:
    return Reading(point, time_ns, math.nan, failed.quality, b"", str(failed))


def _of_header(telegram: Telegram, field: HeaderField) -> tuple[int | str, bytes]:
    if field in ("status", "access-number"):
        number = telegram.status if field == "status" else telegram.access
        if number is None:
            raise _Missing("the telegram has no such header")
        return number, bytes([number])
    meter = telegram.meter
    if meter is None:
        raise _Missing("the telegram does not say whose it is")
    if field == "identification":
        return meter.id, bytes.fromhex(meter.id)
    if field == "manufacturer":
        return meter.manufacturer, meter.manufacturer.encode()
    number = meter.version if field == "version" else meter.medium
    return number, bytes([number])


def _find(address: MbusPoint, records: Sequence[Record], unit: str) -> Record:
    """Return the record that a point is."""
    if address.index is not None:
        if address.index < len(records):
            return records[address.index]
        raise _Missing(f"there are {len(records)} records only")
    if address.record is None:
        key = address.key()
        found = [record for record in records if record.header == key]
    else:
        place = address.record
        like = [record for record in records if place.fits(record)]
        wanted = Function[place.function.upper()]
        found = [record for record in like if record.function == wanted]
        if not found and any(record.function == Function.ERROR for record in like):
            raise _Failed("the meter tells it as of an error only", Quality.BAD_NOT_A_NUMBER)
    if not found:
        raise _Missing(f"the meter has no such record; it has {overview(records)}")
    if len({_value_in(record, unit) for record in found}) > 1:
        keys = ", ".join(f'"{record.key}"' for record in found)
        raise _Failed(
            f"{len(found)} records fit ({keys}); choose one by dif_vif, or unit in record"
        )
    return found[0]


def _value_in(record: Record, unit: str) -> object:
    """Return what tells records apart that should be one."""
    if record.in_unit is None:
        return record.seen.value
    try:
        return _in_unit(record, unit)
    except _Failed:
        return record.header


def _in_unit(record: Record, unit: str) -> float:
    """Return a record's number in a unit; one that has none is taken as it is."""
    number, told = record.in_unit, record.told
    assert number is not None, "it is a number"
    offset = 0.0
    if told.unit not in ("", "1"):
        try:
            scale = between(told.unit, unit)
        except UnitError:
            raise _Failed(
                f"the meter tells {told.quantity} in {told.unit}, which cannot become {unit!r}"
            ) from None
        # Its digits, so that a division by 1000 stays one.
        number *= Fraction(repr(scale.factor))
        offset = 0.0 if told.is_difference else scale.offset
    try:
        return number.numerator / number.denominator + offset
    except OverflowError:
        return math.inf


def _text(value: float | Moment) -> str:
    return value.isoformat() if not isinstance(value, int | float) else f"{value:.15g}"


def describe(record: Record) -> str:
    """Return in words what a record is: ``04 13: volume 12.565 m3``."""
    told = record.told
    words = [told.quantity]
    if told.quantity in (MANUFACTURER, UNKNOWN) or record.in_unit is None:
        value = record.seen.value
        shown = (
            record.seen.why if value is None else value if isinstance(value, str) else _text(value)
        )
        words.append(shown)
    else:
        unit = told.label or ("" if told.unit in ("", "1") else told.unit)
        words.append(f"{float(record.in_unit):.9g} {unit}".strip())
    words += [
        f"{name} {number}"
        for name, number in (
            ("storage", record.storage), ("tariff", record.tariff), ("subunit", record.subunit)
        )
        if number
    ]  # fmt: skip
    if record.function:
        words.append(record.function.name.lower())
    return ", ".join([f"{record.key}: {words[0]} {words[1]}", *words[2:], *told.qualifiers])


def overview(records: Sequence[Record]) -> str:
    """Return what a meter's records are, as far as there is room."""
    said = "; ".join(describe(record) for record in records) or "none"
    return said if len(said) <= NOTE_CHARS_MAX else said[: NOTE_CHARS_MAX - 1] + "…"
