"""Serial messages: what a line or frame of an instrument says of its points."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from citytwin.adapter import Binding, Site
from citytwin.batch import Batch
from citytwin.errors import DeviceMalformed, StoreFull
from citytwin.point import Kind
from citytwin.quality import Quality
from citytwin_edge.adapters.serial_settings import PlaceSettings, SerialDevice, SerialPoint, named
from citytwin_edge.wire.fields import Field
from citytwin_edge.wire.registers import Decoder
from citytwin_edge.wire.texts import TextField, number

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

    data: bytes
    at: int

    def is_in(self, message: bytes) -> bool:
        return message.startswith(self.data, self.at)


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
        self._values: list[_Text | _Number] = []
        for point, address in bindings:
            try:
                with named("match"):
                    self._marks.append(self._mark(address))
                self._values.append(self._value(point.kind, address))
            except ValueError as error:
                raise ValueError(f"point {point.id}: {error}") from None
        self._time: TextField | _Number | None = None
        if settings.time is not None:
            self._stamp = settings.time.stamp()
            self._time_mark = self._mark(settings.time)
            if settings.time.at is None:
                self._time = settings.time.in_text(settings.separator)
            else:
                self._time = _Number(settings.time.in_frame(settings.order), site)

    @property
    def all_marked(self) -> bool:
        """Whether every point's messages are known by some bytes, an address perhaps."""
        return all(mark.data for mark in self._marks)

    def _mark(self, place: PlaceSettings) -> _Mark:
        own, at = place.match, place.match_at
        data = self._settings.bytes_of(self._settings.match if own is None else own)
        return _Mark(data, self._settings.match_at if at is None else at)

    def _value(self, kind: Kind, address: SerialPoint) -> _Text | _Number:
        if address.at is not None:
            if self._layout is None:
                raise ValueError(
                    "at is a place in a frame, but the device has none; a line has column, chars "
                    "or pattern"
                )
            field = address.in_frame(self._settings.order)
            length = self._layout.length or self._layout.length_max
            if field.end > length:
                raise ValueError(f"at {address.at}: it ends at {field.end}, a frame at {length}")
            if (field.type == "string") != (kind == Kind.TEXT):
                raise ValueError('type "string" and kind = "text" go together')
            return _Number(field, self._site)
        return _Text(kind, address, self._settings, self._site)

    def concern(self, message: bytes) -> list[int]:
        """Return the points that a message is about."""
        return [index for index, mark in enumerate(self._marks) if mark.is_in(message)]

    def read(self, message: bytes, points: Sequence[int], now_ns: int) -> list[Reading]:
        """Return what a message says of points that it is about."""
        layout = self._layout
        raw_text = message if layout is None else layout.body(message)
        try:
            text, broken = raw_text.decode(self._settings.encoding), ""
        except UnicodeDecodeError:
            text, broken = "", f"it is not {self._settings.encoding}"
        readings = []
        try:
            time_ns = self._moment(message, text, now_ns)
        except DeviceMalformed as error:
            return [self.spoilt(one, message, str(error), now_ns) for one in points]
        for point in points:
            value = self._values[point]
            try:
                if isinstance(value, _Number):
                    number, quality, raw, note = value.read(message)
                elif broken:
                    raise DeviceMalformed(broken)
                else:
                    number, quality, raw, note = value.read(text)
            except DeviceMalformed as error:
                readings.append(self.spoilt(point, message, str(error), time_ns))
            else:
                readings.append(Reading(point, time_ns, number, quality, raw, note))
        return readings

    @staticmethod
    def spoilt(point: int, message: bytes, why: str, time_ns: int) -> Reading:
        """Return the reading of a point of which a message says nothing that can be understood."""
        raw = message[:RAW_BYTES_MAX]
        return Reading(point, time_ns, math.nan, Quality.BAD_MALFORMED, raw, why)

    def _moment(self, message: bytes, text: str, now_ns: int) -> int:
        """Return when the instrument says it was; now where it says nothing."""
        if self._time is None or not self._time_mark.is_in(message):
            return now_ns
        if isinstance(self._time, TextField):
            said = self._time.find(text)
        else:
            said = self._time.digits(message)
        return self._stamp.time_ns(said, now_ns=now_ns) if said else now_ns


class _Number:
    """A field of a frame; a text of one, too."""

    def __init__(self, field: Field, site: Site) -> None:
        self._field, self._site = field, site
        self._decoder = Decoder([field], [0])

    def _bytes(self, message: bytes) -> bytes:
        field = self._field
        if len(message) < field.end:
            raise DeviceMalformed(f"the frame has {len(message)} bytes, not {field.end}")
        return message[field.address : field.end]

    def read(self, message: bytes) -> tuple[float, int, bytes, str]:
        """Return value, quality, raw bytes and, of a text, what it says.

        Raises:
            DeviceMalformed: the frame is too short.
        """
        raw = self._bytes(message)
        texts: list[str] = []

        def intern(text: str) -> int:
            texts.append(text)
            return self._site.intern(text)

        values, qualities = self._decoder.decode(raw, intern)
        return float(values[0]), int(qualities[0]), raw, "".join(texts)

    def digits(self, message: bytes) -> str:
        """Return a time as text: a number in digits, the bytes of a string in hexadecimal ones."""
        raw = self._bytes(message)
        if self._field.type == "string":
            return raw.hex()
        values, qualities = self._decoder.decode(raw)
        if qualities[0] != Quality.GOOD:
            raise DeviceMalformed(f"the time {raw.hex(' ')} is not a {self._field.type}")
        return repr(float(values[0]))


class _Text:
    """A field of a line, or of the text in a frame."""

    def __init__(
        self, kind: Kind, address: SerialPoint, settings: SerialDevice, site: Site
    ) -> None:
        self._is_text = kind == Kind.TEXT
        if self._is_text and address.words:
            raise ValueError('words make numbers of texts; they do not go with kind = "text"')
        self._field = address.in_text(settings.separator)
        self._encoding, self._decimal = settings.encoding, settings.decimal
        self._words, self._site = address.words, site
        self._void = {one.strip() for one in address.sentinel if isinstance(one, str)}
        self._sentinel = {one for one in address.sentinel if not isinstance(one, str)}

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
        if field in self._void:
            return math.nan, Quality.BAD_NOT_A_NUMBER
        if self._is_text:
            try:
                return float(self._site.intern(field)), Quality.GOOD
            except StoreFull:  # the gateway's dictionary takes no more texts
                return math.nan, Quality.BAD_OUT_OF_RANGE
        if field in self._words:
            return self._words[field], Quality.GOOD
        value = number(field, decimal=self._decimal)
        if math.isnan(value) or value in self._sentinel:
            return math.nan, Quality.BAD_NOT_A_NUMBER
        return value, Quality.GOOD
