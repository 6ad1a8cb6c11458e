"""Serial messages: what a line or frame of an instrument says of its points."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from citytwin.adapter import Binding, Site
from citytwin.batch import SECOND_NS, Batch
from citytwin.errors import DeviceMalformed, StoreFull
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin_edge.adapters.serial_settings import (
    Condition,
    Conditions,
    SerialDevice,
    SerialPoint,
    TimeSettings,
    named,
)
from citytwin_edge.wire.fields import Field
from citytwin_edge.wire.registers import Single
from citytwin_edge.wire.texts import TextField

RAW_BYTES_MAX: Final = 32
"""So much of what could not be understood is shown to a technician."""

NOTE_CHARS_MAX: Final = 60


class Reading(NamedTuple):
    """What a message says of one point.

    Attributes:
        point: index of its binding.
        time_ns: when the instrument says it was, else when the message was whole; UTC.
        value: NaN unless the quality is good.
        quality: a :class:`citytwin.quality.Quality` code.
        raw: the bytes that carried it.
        note: the text that was read, or what is wrong.
    """

    point: int
    time_ns: int
    value: float
    quality: int
    raw: bytes
    note: str = ""


def batch_of(readings: Collection[Reading]) -> Batch:
    """Return readings as a batch."""
    if not readings:
        return Batch.empty()
    return Batch.of(*zip(*(one[:4] for one in readings), strict=True))


class _Mark(NamedTuple):
    """By which bytes at which place a message is known."""

    pattern: re.Pattern[bytes]
    at: int

    def is_in(self, message: bytes) -> bool:
        return len(message) >= self.at and self.pattern.match(message, self.at) is not None


class Messages:
    """The messages of one instrument; compiled once."""

    def __init__(self, settings: SerialDevice, bindings: Sequence[Binding], site: Site) -> None:
        """Compile.

        Raises:
            ValueError: a point does not fit; the text begins with "point ID:".
        """
        self._settings, self._site = settings, site
        self._layout = settings.frame_layout()
        self._marks: list[_Mark] = []
        self._values: list[_Text | Single] = []
        self._conditions: list[list[_Condition]] = []
        self._clocks = frozenset(n for n, one in enumerate(bindings) if one.address.clock)
        for point, address in bindings:
            try:
                with named("match"):
                    self._marks.append(self._mark(address))
                self._values.append(self._value(point, address))
                self._conditions.append(self._compiled(address.only_when))
                if address.clock and settings.time is None:
                    raise ValueError("clock needs time, where the device says what time it is")
            except ValueError as error:
                raise ValueError(f"point {point.id}: {error}") from None
        self._time: TextField | Single | None = None
        if settings.time is not None:
            self._time_conditions = self._compiled(settings.time.only_when)
            self._stamp = settings.time.stamp()
            self._time_mark = self._mark(settings.time)
            if settings.time.at is None:
                self._time = settings.time.in_text(settings.separator)
            else:
                self._time = Single(settings.time.in_bytes(settings.order))

    @property
    def all_marked(self) -> bool:
        """Whether every point's messages are known by some bytes, an address perhaps."""
        return all(mark.pattern.pattern for mark in self._marks)

    def _mark(self, place: SerialPoint | TimeSettings) -> _Mark:
        own, at = place.match, place.match_at
        pattern = self._settings.mark(self._settings.match if own is None else own)
        return _Mark(pattern, self._settings.match_at if at is None else at)

    def _value(self, point: Point, address: SerialPoint) -> _Text | Single:
        address.check(point.kind)
        if address.at is None:
            return _Text(point, address, self._settings, self._site)
        if self._layout is None:
            raise ValueError(
                "at is a place in a frame, but the device has none; a line has column, chars or "
                "pattern"
            )
        field = address.in_bytes(self._settings.order)
        length = self._layout.length or self._layout.length_max
        if field.end > length:
            raise ValueError(f"at {address.at}: it ends at {field.end}, a frame at {length}")
        return Single(field)

    def _compiled(self, conditions: Conditions) -> list[_Condition]:
        with named("only_when"):
            return [self._condition(one) for one in conditions]

    def _condition(self, one: Condition) -> _Condition:
        if one.at is None:
            place: TextField | Field = one.in_text(self._settings.separator)
        elif self._layout is None:
            raise ValueError("at is a place in a frame, but the device has none")
        else:
            place = one.in_bytes(self._settings.order)
        return _Condition(place, one.equals, one.not_equals)

    def concern(self, message: bytes) -> list[int]:
        """Return the points that a message is about."""
        return [index for index, mark in enumerate(self._marks) if mark.is_in(message)]

    def read(self, message: bytes, points: Sequence[int], now_ns: int) -> list[Reading]:
        """Return what a message says of points that it is about."""
        layout = self._layout
        raw_text = message if layout is None else layout.body(message)
        try:
            text, broken = raw_text.decode(self._settings.encoding), False
        except UnicodeDecodeError:
            text, broken = "", True
        try:
            said_ns = self._moment(message, text, now_ns)
        except DeviceMalformed as error:
            return [self.spoilt(one, message, str(error), now_ns) for one in points]
        time_ns = now_ns if said_ns is None else said_ns
        readings = [
            self._reading(point, message, None if broken else text, time_ns)
            for point in points
            if point not in self._clocks
        ]
        if said_ns is not None:
            ahead_s = (said_ns - now_ns) / SECOND_NS
            readings += [
                Reading(one, now_ns, ahead_s, Quality.GOOD, b"")
                for one in points
                if one in self._clocks
            ]
        return readings

    def _reading(self, point: int, message: bytes, text: str | None, time_ns: int) -> Reading:
        """Return what a message says of one point; ``text`` is None where it is none."""
        void = _void(self._conditions[point], message, text or "")
        if void:
            raw, none = message[:RAW_BYTES_MAX], Quality.BAD_NOT_A_NUMBER
            return Reading(point, time_ns, math.nan, none, raw, void)
        value = self._values[point]
        try:
            if isinstance(value, Single):
                raw = value.cut(message)
                number, quality, note = value.decode(raw, self._site.intern)
            elif text is None:
                raise DeviceMalformed(f"it is not {self._settings.encoding}")
            else:
                number, quality, raw, note = value.read(text)
        except DeviceMalformed as error:
            return self.spoilt(point, message, str(error), time_ns)
        return Reading(point, time_ns, number, quality, raw, note)

    @staticmethod
    def spoilt(point: int, message: bytes, why: str, time_ns: int) -> Reading:
        """Return the reading of a point of which a message says nothing that can be understood."""
        raw = message[:RAW_BYTES_MAX]
        return Reading(point, time_ns, math.nan, Quality.BAD_MALFORMED, raw, why)

    def _moment(self, message: bytes, text: str, now_ns: int) -> int | None:
        """Return when the instrument says it was; None where it says nothing."""
        if self._time is None or not self._time_mark.is_in(message):
            return None
        if _void(self._time_conditions, message, text):
            return None
        if isinstance(self._time, TextField):
            said = self._time.find(text)
        else:
            said = _digits(self._time, message)
        return self._stamp.time_ns(said, now_ns=now_ns) if said else None


class _Condition(NamedTuple):
    """What must be at a place for a value to count."""

    place: TextField | Field
    equals: tuple[str | int, ...]
    not_equals: tuple[str | int, ...]

    def void(self, message: bytes, text: str) -> str:
        """Return in words why a value does not count; empty when it does."""
        seen: str | int = ""
        if isinstance(self.place, TextField):
            with contextlib.suppress(DeviceMalformed):
                seen = self.place.find(text)
        elif len(message) >= self.place.end:
            raw = message[self.place.address : self.place.end]
            seen = raw.decode("latin-1") if self.place.type == "string" else _whole(self.place, raw)
        if seen in self.equals or (self.not_equals and seen not in self.not_equals):
            return ""
        wanted = " or ".join(repr(one) for one in self.equals) or "something else"
        return f"no value: there is {seen!r}, not {wanted}"


def _whole(field: Field, raw: bytes) -> int:
    """Return a whole number."""
    ordered = bytes(raw[place] for place in field.byte_order())
    return int.from_bytes(ordered, "big", signed=field.type.startswith("int"))


def _void(conditions: Sequence[_Condition], message: bytes, text: str) -> str:
    """Return why a value does not count; empty when it does."""
    return next((why for one in conditions if (why := one.void(message, text))), "")


def _digits(single: Single, message: bytes) -> str:
    """Return a time as text: a number in digits, the bytes of a string in hexadecimal ones."""
    raw = single.cut(message)
    if single.field.type == "string":
        return raw.hex()
    value, quality, _ = single.decode(raw)
    if quality != Quality.GOOD:
        raise DeviceMalformed(f"the time {raw.hex(' ')} is not a {single.field.type}")
    return repr(value)


class _Text:
    """A field of a line, or of the text in a frame."""

    def __init__(
        self, point: Point, address: SerialPoint, settings: SerialDevice, site: Site
    ) -> None:
        self._is_text, self._site = point.kind == Kind.TEXT, site
        self._field = address.in_text(settings.separator)
        self._numeral = address.numeral(point, settings.decimal)
        self._encoding = settings.encoding

    def read(self, text: str) -> tuple[float, int, bytes, str]:
        """Return value, quality, raw bytes and the whole line.

        Raises:
            DeviceMalformed: the field is not there, or is not what it should be.
        """
        field = self._field.find(text)
        raw = field.encode(self._encoding)
        value, quality = self._judged(field)
        return value, quality, raw, text.strip()[:NOTE_CHARS_MAX]

    def _judged(self, field: str) -> tuple[float, int]:
        if not self._is_text:
            value = self._numeral.value(field)
        elif self._numeral.is_void(field):
            value = math.nan
        else:
            try:
                value = float(self._site.intern(field))
            except StoreFull:  # the gateway's dictionary takes no more texts
                return math.nan, Quality.BAD_OUT_OF_RANGE
        return value, Quality.BAD_NOT_A_NUMBER if math.isnan(value) else Quality.GOOD
