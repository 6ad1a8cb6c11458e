"""Payload: what a message says of a point: JSON by path (RFC 9535), a plain value, or raw bytes."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import jsonpath

from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.wire.fields import Field, Table
from citytwin_edge.wire.registers import Decoder

PAYLOAD_BYTES_MAX: Final = 64 * 1024
UTC_OFFSET_H_MAX: Final = 14.0
_TRUTH: Final = {"true": 1.0, "on": 1.0, "open": 1.0, "false": 0.0, "off": 0.0, "closed": 0.0}
_VOID: Final = {"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_NUMBER: Final = re.compile(r"([+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?)")
_SINCE_1970: Final = re.compile(r"[0-9]{1,20}(?:[.][0-9]{1,9})?")
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_EPOCH_UNITS: Final = ((1e11, SECOND_NS), (1e14, 1_000_000), (1e17, 1000), (math.inf, 1))
"""A number below the first is so many nanoseconds each: seconds since 1970 stay below 1e11 for
3,000 years, and milliseconds, microseconds and nanoseconds have been above it since 1973."""
_TIME_NS_MAX: Final = 1 << 63
_NAMES: Final = {bool: "a truth", list: "a list", dict: "an object", type(None): "null"}


class Payload:
    """The bytes of one message; JSON is parsed once, however many points look into it."""

    def __init__(self, data: bytes) -> None:
        """Take the bytes as they came."""
        self.data = data

    @cached_property
    def document(self) -> Any:
        """What the JSON says.

        Raises:
            DeviceMalformed: it is too large or not JSON.
        """
        try:
            return json.loads(self.checked)
        except (ValueError, RecursionError) as error:
            raise DeviceMalformed(f"the payload is not JSON: {error}") from None

    @property
    def checked(self) -> bytes:
        """The bytes, if they are not too many.

        Raises:
            DeviceMalformed: they are.
        """
        if len(self.data) > PAYLOAD_BYTES_MAX:
            raise DeviceMalformed(f"the payload has over {PAYLOAD_BYTES_MAX} bytes")
        return self.data


class Binary:
    """A number or text in raw bytes, compiled once."""

    def __init__(self, kind: str, byte: int, encoding: str = "", **how: Any) -> None:
        """Take a ``kind`` of number from byte ``byte`` on.

        Args:
            kind: uint8, int8 or one of the types of :class:`citytwin_edge.wire.fields.Field`.
            byte: where it begins, from 0.
            encoding: of bytes that come as text, hex or base64; empty: raw.
            how: order, length, bits, digits, sentinel of the field.

        Raises:
            ValueError: these do not fit together.
        """
        self._is_byte, self._is_signed = kind in {"uint8", "int8"}, kind == "int8"
        if self._is_byte:
            kind = "int16" if self._is_signed else "uint16"
            if any(bit > 7 for bit in how.get("bits") or ()):
                raise ValueError("bits of a uint8 are within 0 to 7")
        field = Field(Table.HOLDING, 0, kind, **how)
        self._byte, self._encoding = byte, encoding
        self._size = 1 if self._is_byte else 2 * field.size
        self._decoder = Decoder([field], [0])
        self._is_text = kind == "string"
        self._text = ""

    def decode(self, seen: Any) -> float | str:
        """Return the number (NaN for a sentinel) or text that is there.

        Raises:
            DeviceMalformed: the bytes are too few or none, or hold no such number.
        """
        data = self._bytes(seen)
        part = data[self._byte : self._byte + self._size]
        if len(part) < self._size:
            raise DeviceMalformed(
                f"{len(data)} bytes are too few: the value ends at byte {self._byte + self._size}"
            )
        if self._is_byte:
            part = (b"\xff" if self._is_signed and part[0] & 0x80 else b"\0") + part
        values, quality = self._decoder.decode(part, self._keep)
        if quality[0] == Quality.BAD_MALFORMED:
            raise DeviceMalformed(f"the bytes {part.hex(' ')} are not one of its type")
        return self._text if self._is_text else float(values[0])

    def _keep(self, text: str) -> int:
        self._text = text  # the decoder tells a text that has not changed once only
        return 0

    def _bytes(self, seen: Any) -> bytes:
        if not self._encoding:
            if not isinstance(seen, bytes):
                raise DeviceMalformed("bytes in JSON are a text: encoding must say hex or base64")
            return seen
        try:
            text = seen if isinstance(seen, str) else seen.decode("ascii")
            if self._encoding == "hex":
                return bytes.fromhex(text)
            return base64.b64decode(text, validate=True)
        except (AttributeError, ValueError, binascii.Error):
            raise DeviceMalformed(f"the bytes are not {self._encoding}") from None


class PayloadField:
    """One value in a payload, and the time stamp that goes with it; compiled once."""

    def __init__(
        self,
        path: str = "",
        time_path: str = "",
        *,
        values: Mapping[str, float] | None = None,
        no_value: Sequence[str] = (),
        units: Sequence[str] = (),
        utc_offset_h: float | None = None,
        binary: Binary | None = None,
        is_text: bool = False,
    ) -> None:
        """Take the value at ``path`` (empty: the payload is the value) and its time, if any.

        Args:
            path, time_path: RFC 9535.
            values: numbers that words stand for, upper and lower case alike; without any, on, true
                and open are 1, off, false and closed 0.
            no_value: words that stand for no number at all.
            units: what may stand behind a number in a text.
            utc_offset_h: hours east of Greenwich, of times that name no offset.
            binary: the value is in raw bytes.
            is_text: whatever is there is a text, a number too.

        Raises:
            ValueError: a path is not RFC 9535's, or these do not fit together.
        """
        if utc_offset_h is not None and not abs(utc_offset_h) <= UTC_OFFSET_H_MAX:
            raise ValueError(f"utc_offset_h must be within ±{UTC_OFFSET_H_MAX:g}")
        if time_path and not path:
            raise ValueError("time_path goes with path: only JSON has both a value and its time")
        try:
            self._path = jsonpath.compile(path) if path else None
            self._time = jsonpath.compile(time_path) if time_path else None
        except jsonpath.JSONPathError as error:
            raise ValueError(f"{path or time_path!r} is not a JSON path: {error}") from None
        self._values = {word.casefold(): number for word, number in (values or _TRUTH).items()}
        self._values |= {word.casefold(): math.nan for word in no_value}
        self._units = {unit for unit in units if unit}
        self._binary, self._is_text = binary, is_text
        hours = datetime.timedelta(hours=utc_offset_h or 0.0)
        self._zone = None if utc_offset_h is None else datetime.timezone(hours)

    def decode(self, payload: Payload) -> tuple[float | str, int | None]:
        """Return (value, UTC nanoseconds or None); a value that is none is NaN.

        A text only where ``is_text`` was said, or the binary field is a string.

        Raises:
            DeviceMalformed: the payload is too large, not JSON, has nothing at the path, or what
                is there is neither a number nor one of the words.
        """
        seen: Any = payload.checked
        if self._path is not None:
            seen = _first(self._path, payload.document)
        elif self._binary is None:
            seen = _text(seen)
        value = self._value(seen) if self._binary is None else self._binary.decode(seen)
        if self._time is None:
            return value, None
        return value, self._time_ns(_first(self._time, payload.document))

    def _value(self, seen: Any) -> float | str:
        if seen is None:
            return math.nan
        if not isinstance(seen, bool | int | float | str):
            raise DeviceMalformed(f"the value is {_NAMES[type(seen)]}, not a number or text")
        text = seen.strip() if isinstance(seen, str) else _as_text(seen)
        if self._is_text:
            return text
        number = self._values.get(text.casefold())
        if number is not None:
            return number
        if isinstance(seen, str):
            return self._number(text)
        try:
            number = float(seen)
        except OverflowError:
            raise DeviceMalformed("the number is too large") from None
        return number if math.isfinite(number) else math.nan

    def _number(self, text: str) -> float:
        if text.casefold() in _VOID:
            return math.nan
        match = _NUMBER.match(text)
        rest = text[match.end() :].strip() if match else text
        if match is None or (rest and rest not in self._units):
            known = [*self._values, *(f"a number in {unit}" for unit in sorted(self._units))]
            raise DeviceMalformed(f"{text[:40]!r} is not a number, nor {', '.join(known)}")
        number = float(match[1].replace(",", "."))
        if not math.isfinite(number):
            raise DeviceMalformed("the number is too large")
        return number

    def _time_ns(self, seen: Any) -> int:
        """Return UTC nanoseconds of ISO 8601, or of s, ms, µs or ns since 1970."""
        if isinstance(seen, str):
            if not _SINCE_1970.fullmatch(seen.strip()):
                return self._moment_ns(seen.strip())
            seen = float(seen)
        if isinstance(seen, bool) or not isinstance(seen, int | float) or not abs(seen) < math.inf:
            raise DeviceMalformed("the time is neither ISO 8601 nor a number")
        scale = next(scale for limit, scale in _EPOCH_UNITS if abs(seen) < limit)
        time_ns = round(seen * scale)
        if abs(time_ns) >= _TIME_NS_MAX:
            raise DeviceMalformed("the time is beyond any calendar")
        return time_ns

    def _moment_ns(self, text: str) -> int:
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError:
            raise DeviceMalformed(f"{text[:40]!r} is not a time") from None
        if moment.tzinfo is None:
            if self._zone is None:
                raise DeviceMalformed(
                    f"the time {text[:40]!r} has no offset; utc_offset_h can say which is meant"
                )
            moment = moment.replace(tzinfo=self._zone)
        time_ns = (moment - _EPOCH) // datetime.timedelta(microseconds=1) * 1000
        if abs(time_ns) >= _TIME_NS_MAX:
            raise DeviceMalformed("the time is beyond any calendar")
        return time_ns


def _first(path: Any, document: Any) -> Any:
    if isinstance(document, str):  # the library would take it for JSON once more
        raise DeviceMalformed("the payload is a text, not an object, in JSON")
    try:
        found = next(iter(path.finditer(document)), None)
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise DeviceMalformed(f"{path} cannot be followed in the payload: {error}") from None
    if found is None:
        raise DeviceMalformed(f"the payload has nothing at {path}")
    return found.value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise DeviceMalformed("the payload is not a text in UTF-8") from None


def _as_text(seen: Any) -> str:
    """Return a JSON number or truth as its device wrote it, as near as can be."""
    if isinstance(seen, bool):
        return str(seen).lower()
    if isinstance(seen, int) and abs(seen) >= 1 << 64:
        raise DeviceMalformed("the number is too large")
    return f"{seen:.15g}" if isinstance(seen, float) else str(seen)
