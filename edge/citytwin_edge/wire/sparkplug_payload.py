"""Sparkplug payloads: the bytes of a message <-> metrics with their values, without I/O.

Field numbers and types are those of the Eclipse Sparkplug Specification 3.0.0, 6.4, as
sparkplug_b.proto has them; what a host must not trust is checked here: sizes, types, times.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from citytwin.errors import DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.wire import sparkplug_b_pb2 as pb

PAYLOAD_BYTES_MAX: Final = 1024 * 1024
METRICS_MAX: Final = 20_000
TIME_MS_MAX: Final = 2**63 // 1_000_000
QUALITY: Final = "Quality"
"""The property by which a node says that a value is not good (6.4.8)."""
_QUALITIES: Final = {0: Quality.BAD_REFUSED, 192: Quality.GOOD, 500: Quality.UNCERTAIN_STALE}

Value = float | str | bytes


class DataType(IntEnum):
    """The types of metrics, by their numbers (6.4.16)."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTYSET = 20
    PROPERTYSETLIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34

    @property
    def title(self) -> str:
        """The name in the specification: Int32Array."""
        return _TITLES.get(self) or self.name.title().replace("Uint", "UInt").replace("_", "")

    def __str__(self) -> str:
        return f"{'an' if self.title.startswith('Int') else 'a'} {self.title}"


_KNOWN: Final[dict[int, DataType]] = {int(kind): kind for kind in DataType}
_TITLES: Final = {
    DataType.UUID: "UUID", DataType.DATETIME: "DateTime", DataType.DATASET: "DataSet",
    DataType.PROPERTYSET: "PropertySet", DataType.PROPERTYSETLIST: "PropertySetList",
    DataType.DATETIME_ARRAY: "DateTimeArray",
}  # fmt: skip
_WHOLE: Final = {
    DataType.INT8: (8, True), DataType.INT16: (16, True), DataType.INT32: (32, True),
    DataType.INT64: (64, True), DataType.UINT8: (8, False), DataType.UINT16: (16, False),
    DataType.UINT32: (32, False), DataType.UINT64: (64, False), DataType.DATETIME: (64, False),
}  # fmt: skip
_FLOATS: Final = (DataType.FLOAT, DataType.DOUBLE)
_TEXTS: Final = (DataType.STRING, DataType.TEXT, DataType.UUID)
_RAW: Final = (DataType.BYTES, DataType.FILE)
_ARRAYS: Final = {
    DataType.INT8_ARRAY: "b", DataType.INT16_ARRAY: "h", DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q", DataType.UINT8_ARRAY: "B", DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I", DataType.UINT64_ARRAY: "Q", DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d", DataType.DATETIME_ARRAY: "Q",
}  # fmt: skip
_NOT_READ: Final = {
    DataType.UNKNOWN: "has no type that Sparkplug 3.0 knows",
    DataType.DATASET: "is a DataSet, a whole table, which is not read here",
    DataType.TEMPLATE: "is a Template; its members are not read here: let the node publish those "
    "that are wanted as metrics of their own",
    DataType.PROPERTYSET: "is a PropertySet, which is no value",
    DataType.PROPERTYSETLIST: "is a PropertySetList, which is no value",
}


class Metric(NamedTuple):
    """One metric of a message, its value not judged yet.

    Attributes:
        name: empty where only the alias says which one it is.
        alias, type: None, UNKNOWN where the message does not say.
        time_ns: when its value was so; None where the message does not say.
        quality: what the node itself says of the value.
        seen: kind and content of the value, as protobuf has them; None: none.
    """

    name: str
    alias: int | None
    type: DataType
    time_ns: int | None
    quality: Quality
    is_historical: bool
    is_transient: bool
    seen: tuple[str, Any] | None


@dataclass(frozen=True, slots=True)
class Message:
    """A payload: its time in UTC nanoseconds, its number 0 to 255, its metrics."""

    time_ns: int | None
    seq: int
    metrics: tuple[Metric, ...]


def parse(data: bytes) -> Message:
    """Return what a payload says.

    A message without a number counts as number 0: some encoders leave a zero out.

    Raises:
        DeviceMalformed: it is too large, no payload, or says what cannot be.
    """
    if len(data) > PAYLOAD_BYTES_MAX:
        raise DeviceMalformed(f"the payload has over {PAYLOAD_BYTES_MAX} bytes")
    try:
        payload = pb.Payload.FromString(data)
    except DecodeError as error:
        raise DeviceMalformed(f"it is no Sparkplug B payload: {error}") from None
    if len(payload.metrics) > METRICS_MAX:
        raise DeviceMalformed(f"the payload has over {METRICS_MAX} metrics")
    if payload.seq > 255:
        raise DeviceMalformed(f"seq {payload.seq} is not 0 to 255")
    time_ns = _time_ns(payload.timestamp) if payload.HasField("timestamp") else None
    return Message(time_ns, payload.seq, tuple(_metric(one) for one in payload.metrics))


def _metric(one: pb.Metric) -> Metric:
    which = one.WhichOneof("value")
    return Metric(
        one.name,
        one.alias if one.HasField("alias") else None,
        _KNOWN.get(one.datatype, DataType.UNKNOWN),
        _time_ns(one.timestamp) if one.HasField("timestamp") else None,
        _quality(one) if one.HasField("properties") else Quality.GOOD,
        one.is_historical,
        one.is_transient,
        None if one.is_null or which is None else (which, getattr(one, which)),
    )


def _time_ns(time_ms: int) -> int:
    if time_ms >= TIME_MS_MAX:
        raise DeviceMalformed(f"the time {time_ms} ms is centuries away")
    return time_ms * 1_000_000


def _quality(one: pb.Metric) -> Quality:
    for key, value in zip(one.properties.keys, one.properties.values, strict=False):
        if key == QUALITY and value.WhichOneof("value") in {"int_value", "long_value"}:
            code = value.int_value or value.long_value
            return _QUALITIES.get(code, Quality.BAD_REFUSED)
    return Quality.GOOD


def value(metric: Metric, kind: DataType, element: int | None = None) -> Value:
    """Return a number, text or bytes; NaN for null.

    Args:
        metric: one that came.
        kind: its type, which its birth has said.
        element: which one of an array, from 0.

    Raises:
        DeviceMalformed: its value is not of the type, or the type is none that is read.
    """
    if kind in _NOT_READ:
        raise DeviceMalformed(f"the metric {_NOT_READ[kind]}")
    is_array = kind in _ARRAYS or kind in {DataType.BOOLEAN_ARRAY, DataType.STRING_ARRAY}
    if is_array and element is None:
        raise DeviceMalformed(f"the metric is {kind}: element must say which one, from 0")
    if element is not None and not is_array:
        raise DeviceMalformed(f"the metric is {kind}, so it has no element {element}")
    if metric.seen is None:
        return math.nan
    which, seen = metric.seen
    if element is not None and which == "bytes_value":
        return _element(kind, seen, element)
    if kind in _WHOLE and which in {"int_value", "long_value"}:
        return float(_whole(kind, seen, 32 if which == "int_value" else 64))
    if kind in _FLOATS and which in {"float_value", "double_value"}:
        return float(seen) if math.isfinite(seen) else math.nan
    if kind == DataType.BOOLEAN and which == "boolean_value":
        return float(seen)
    if kind in _TEXTS and which == "string_value":
        return str(seen)
    if kind in _RAW and which == "bytes_value":
        return bytes(seen)
    raise DeviceMalformed(f"{kind} came as {which.removesuffix('_value')}")


def _whole(kind: DataType, seen: int, width: int) -> int:
    """Return a whole number; a negative one comes as its own bits, or as all of its carrier's."""
    bits, is_signed = _WHOLE[kind]
    half, whole = 1 << bits - 1, 1 << bits
    if seen < (half if is_signed else whole):
        return seen
    if is_signed and seen < whole:
        return seen - whole
    if is_signed and seen >= (1 << width) - half:
        return seen - (1 << width)
    raise DeviceMalformed(f"{seen} does not fit into {kind}")


def _element(kind: DataType, data: bytes, element: int) -> Value:
    """Return one element of an array (6.4.17: packed, low byte first)."""
    if kind == DataType.STRING_ARRAY:
        texts = data.split(b"\0")[:-1]
        if element >= len(texts):
            raise _too_few(len(texts), element)
        try:
            return texts[element].decode()
        except UnicodeDecodeError:
            raise DeviceMalformed("a text of the array is not UTF-8") from None
    if kind == DataType.BOOLEAN_ARRAY:
        count = int.from_bytes(data[:4], "little") if len(data) >= 4 else 0
        if element >= count or 4 + element // 8 >= len(data):
            raise _too_few(min(count, 8 * (len(data) - 4)), element)
        return float(data[4 + element // 8] >> 7 - element % 8 & 1)
    letter = _ARRAYS[kind]
    size = struct.calcsize(f"<{letter}")
    if len(data) % size:
        raise DeviceMalformed(f"{len(data)} bytes are no {kind.title}")
    if element >= len(data) // size:
        raise _too_few(len(data) // size, element)
    number = float(struct.unpack_from(f"<{letter}", data, element * size)[0])
    return number if math.isfinite(number) else math.nan


def _too_few(count: int, element: int) -> DeviceMalformed:
    return DeviceMalformed(f"the array has {max(count, 0)} elements, so none with number {element}")


# ---- what a host sends


def command(name: str, alias: int | None, kind: DataType, number: float, time_ns: int) -> bytes:
    """Return the payload of an NCMD or DCMD that sets one metric (6.4.2, 6.4.19 f.).

    Args:
        name: of the metric; left out where there is an alias.
        alias: by which its birth has it; None: none.
        kind: its type.
        number: what it shall be.
        time_ns: now, UTC.

    Raises:
        ValueError: the number does not fit the type, or the type cannot be commanded.
    """
    time_ms = time_ns // 1_000_000
    # The type should not be said (6.4.6), but there are nodes that take nothing without it.
    metric = pb.Metric(timestamp=time_ms, datatype=int(kind))
    if alias is None:
        metric.name = name
    else:
        metric.alias = alias
    if kind == DataType.BOOLEAN:
        if number not in {0.0, 1.0}:
            raise ValueError(f"a Boolean is 0 or 1, not {number:g}")
        metric.boolean_value = bool(number)
    elif kind in _WHOLE:
        _put_whole(metric, kind, number)
    elif kind in _FLOATS:
        _put_float(metric, kind, number)
    else:
        raise ValueError(f"{kind} cannot be commanded, only numbers and Booleans")
    return pb.Payload(timestamp=time_ms, metrics=[metric]).SerializeToString()


def _put_whole(metric: pb.Metric, kind: DataType, number: float) -> None:
    bits, is_signed = _WHOLE[kind]
    whole = round(number)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    if not low <= whole <= high:
        raise ValueError(f"{number:g} is outside {low} to {high} of {kind}")
    if bits == 64:
        metric.long_value = whole % (1 << 64)
    else:
        metric.int_value = whole % (1 << bits)


def _put_float(metric: pb.Metric, kind: DataType, number: float) -> None:
    if not math.isfinite(number):
        raise ValueError(f"{number} cannot be written")
    if kind == DataType.DOUBLE:
        metric.double_value = number
        return
    try:
        struct.pack("<f", number)
    except OverflowError:
        raise ValueError(f"{number:g} does not fit into a Float") from None
    metric.float_value = number
