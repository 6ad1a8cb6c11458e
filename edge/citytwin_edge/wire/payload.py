"""Payload: what a message says of a point: JSON by path (RFC 9535), a plain text, or raw bytes."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import jsonpath
import msgspec

from citytwin.errors import DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.wire.fields import Field
from citytwin_edge.wire.registers import Single
from citytwin_edge.wire.stamps import Stamp
from citytwin_edge.wire.texts import Numeral, TextField

PAYLOAD_BYTES_MAX: Final = 64 * 1024
RECORDS_MAX: Final = 1000
_PLAIN: Final = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_JSON: Final = msgspec.json.Decoder()
_WHOLE_MAX: Final = 1 << 64
_NUMBERS: Final = {float, int}
_NAMES: Final = {bool: "a truth", list: "a list", dict: "an object", type(None): "null"}


class Absent(DeviceMalformed):
    """A message that says nothing of a point: what is sought is not in it."""


class Path:
    """A place in JSON (RFC 9535), compiled once."""

    def __init__(self, text: str) -> None:
        """Compile (ValueError)."""
        self._path, self._text = _compiled(text), text
        # Of most devices a path is names alone: they are looked up in a tenth of the time.
        self._names = text.split(".")[1:] if _PLAIN.fullmatch(text) else None
        self.only_name = self._names[0] if self._names and len(self._names) == 1 else ""
        """The name at the top of a document that this is; empty: it is another place."""

    def __str__(self) -> str:
        return self._text

    def first(self, document: Any) -> Any:
        """Return what is there.

        Raises:
            Absent: nothing is.
            DeviceMalformed: it cannot be followed.
        """
        if self._names is None:
            return _first(self._path, document)
        found = document
        for name in self._names:
            if not isinstance(found, dict) or name not in found:
                return _first(self._path, document)  # says what is wrong
            found = found[name]
        return found

    def all(self, document: Any) -> list[Any]:
        """Return everything that is there; of lists each item (DeviceMalformed)."""
        found: list[Any] = []
        for seen in _found(self._path, document):
            found += seen.value if isinstance(seen.value, list) else [seen.value]
            if len(found) > RECORDS_MAX:
                raise DeviceMalformed(f"the payload has over {RECORDS_MAX} records")
        return found


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
        data = self.checked
        # Five times as fast; what it does not take (NaN, UTF-16, a number without end) the standard
        # library may, or says why not.
        with suppress(msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return _JSON.decode(data)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DeviceMalformed(f"the payload is not JSON: {error}") from None

    def records(self, path: Path) -> list[Payload]:
        """Return the records at a path, each a payload of its own; none where it has none.

        Raises:
            DeviceMalformed: it is no JSON, or there are too many.
        """
        return [_Record(self.data, one) for one in path.all(self.document)]

    @property
    def checked(self) -> bytes:
        """The bytes, if they are not too many.

        Raises:
            DeviceMalformed: they are.
        """
        if len(self.data) > PAYLOAD_BYTES_MAX:
            raise DeviceMalformed(f"the payload has over {PAYLOAD_BYTES_MAX} bytes")
        return self.data


class _Record(Payload):
    """A part of a message that stands for itself."""

    def __init__(self, data: bytes, document: Any) -> None:
        super().__init__(data)
        self.__dict__["document"] = document  # what the cached property would have found


class Place(Protocol):
    """Where in bytes a value is, if it is not at a fixed place."""

    def find(self, data: bytes) -> bytes | float:
        """Return the bytes that it is in, or itself (Absent, DeviceMalformed)."""
        ...


@dataclass(frozen=True, slots=True)
class Inside:
    """How the bytes are come by that a value is in.

    Attributes:
        encoding: of bytes that come as text, hex or base64; empty: raw.
        place: where among them its own are; None: all are.
    """

    encoding: str = ""
    place: Place | None = None


class PayloadField:
    """One value in a payload, and the time stamp that goes with it; compiled once."""

    def __init__(
        self,
        path: str = "",
        time_path: str = "",
        *,
        stamp: Stamp | None = None,
        place: TextField | None = None,
        numeral: Numeral | None = None,
        field: Field | None = None,
        inside: Inside | None = None,
        is_text: bool = False,
    ) -> None:
        """Take the value at ``path`` (empty: the payload is the value) and its time, if any.

        Args:
            path, time_path: RFC 9535.
            stamp: how the time is written.
            place: where the value is in a text; None: it is the whole text.
            numeral: how a number is written in a text.
            field: the value is in bytes.
            inside: how these bytes are come by; None: they are what is there.
            is_text: whatever is there is a text, a number too.

        Raises:
            ValueError: a path is not RFC 9535's, or these do not fit together.
        """
        if time_path and not path:
            raise ValueError("time goes with path: only JSON has both a value and its time")
        self._path = Path(path) if path else None
        self._time = Path(time_path) if time_path else None
        self._stamp = stamp or Stamp()
        if not self._stamp.has_date:  # a message may be old: retained, or kept by the broker
            raise ValueError(f"format {self._stamp.format!r} of a message must have a date")
        self._place, self._numeral = place or TextField(), numeral or Numeral()
        self._inside, self._is_text = inside or Inside(), is_text
        # No word is a number: then a number of JSON need not be written out to be looked up.
        self._is_plain = not is_text and not self._numeral.has_numbers
        self._is_in_bytes = field is not None or self._inside.place is not None
        self._single = None if field is None else Single(field)

    @property
    def name_of_number(self) -> str:
        """The name that ``numbers`` finds it by; empty: it may be something else, or elsewhere."""
        simple = self._is_plain and not self._numeral.has_sentinel and not self._is_in_bytes
        return self._path.only_name if self._path and simple and self._time is None else ""

    def decode(self, payload: Payload) -> tuple[float | str, int | None]:
        """Return (value, UTC nanoseconds or None); a value that is none is NaN.

        A text only where ``is_text`` was said, or the field in bytes is a string.

        Raises:
            Absent: there is nothing at the path, or nothing of it in the bytes.
            DeviceMalformed: the payload is too large, empty, not JSON, or what is there is neither
                a number nor a known word.
        """
        seen: Any = payload.checked
        if self._path is not None:
            seen = self._path.first(payload.document)
        elif not self._is_in_bytes:
            seen = _text(seen)
        value = self._in_bytes(seen) if self._is_in_bytes else self._value(seen)
        if self._time is None:
            return value, None
        try:
            time = self._time.first(payload.document)
        except Absent:
            if not self._stamp.may_lack:
                raise DeviceMalformed(f"the payload has no time at {self._time}") from None
            return value, None
        if time is None and self._stamp.may_lack:
            return value, None
        return value, self._time_ns(time)

    def _value(self, seen: Any) -> float | str:
        if type(seen) is float and self._is_plain:
            return self._numeral.judged(seen)
        if seen is None:
            return math.nan
        text = _as_text("the value", seen)
        if isinstance(seen, str):
            text = self._place.find(text)
        if self._is_text:
            void = self._numeral.is_void(text)
            return math.nan if void else text
        if isinstance(seen, str):
            return self._numeral.value(text)
        word = self._numeral.word(text)
        return self._numeral.judged(float(seen)) if word is None else word

    def _in_bytes(self, seen: Any) -> float | str:
        data = _bytes(seen, self._inside.encoding)
        own = data if self._inside.place is None else self._inside.place.find(data)
        if not isinstance(own, bytes):
            return own
        single = self._single
        assert single is not None, "a place that gives bytes goes with a field"
        own = single.cut(own)
        value, quality, text = single.decode(own)
        if quality == Quality.BAD_MALFORMED:
            raise DeviceMalformed(f"the bytes {own.hex(' ')} are not one of its type")
        return text if single.field.type == "string" else value

    def _time_ns(self, seen: Any) -> int:
        if isinstance(seen, bool) or seen is None:
            raise DeviceMalformed(f"the time is {_NAMES[type(seen)]}")
        return self._stamp.time_ns(
            str(seen) if isinstance(seen, float) else _as_text("the time", seen)
        )


def numbers(payload: Payload, names: Sequence[str]) -> list[float] | None:
    """Return the numbers of the fields with these names (``PayloadField.name_of_number``).

    What is returned is what ``PayloadField.decode`` would say of each, in a fifth of the time; None
    where one is no plain number or is missing, and each must be asked.
    """
    try:
        document = payload.document
    except DeviceMalformed:
        return None
    if type(document) is not dict:
        return None
    seen: list[Any] = [document.get(name) for name in names]
    kinds = set(map(type, seen))
    if not kinds <= _NUMBERS or (int in kinds and max(map(abs, seen)) >= _WHOLE_MAX):
        return None
    values = list(map(float, seen))
    return values if math.isfinite(sum(values)) else None


def _bytes(seen: Any, encoding: str) -> bytes:
    if not encoding:
        if not isinstance(seen, bytes):
            raise DeviceMalformed("bytes in JSON are a text: encoding must say hex or base64")
        return seen
    try:
        text = seen if isinstance(seen, str) else seen.decode("ascii")
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (AttributeError, ValueError, binascii.Error):
        raise DeviceMalformed(f"the bytes are not {encoding}") from None


def _compiled(path: str) -> Any:
    try:
        return jsonpath.compile(path) if path else None
    except jsonpath.JSONPathError as error:
        why = str(error).partition("\n")[0]  # what follows is a drawing
        raise ValueError(f"{path!r} is not a JSON path: {why}") from None


def _found(path: Any, document: Any) -> Iterator[Any]:
    if isinstance(document, str):  # the library would take it for JSON once more
        raise DeviceMalformed("the payload is a text, not an object, in JSON")
    try:
        yield from path.finditer(document)
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise DeviceMalformed(f"{path} cannot be followed in the payload: {error}") from None


def _first(path: Any, document: Any) -> Any:
    found = next(_found(path, document), None)
    if found is None:
        raise Absent(f"the payload has nothing at {path}")
    return found.value


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise DeviceMalformed("the payload is not a text in UTF-8") from None
    if not text:  # this is how a broker is told to forget what it has retained
        raise DeviceMalformed("the payload is empty")
    return text


def _as_text(what: str, seen: Any) -> str:
    """Return a text, number or truth of JSON as its device wrote it, as near as can be."""
    if isinstance(seen, str):
        return seen.strip()
    if isinstance(seen, bool):
        return str(seen).lower()
    if isinstance(seen, int):
        if abs(seen) >= 1 << 64:
            raise DeviceMalformed(f"{what} is too large a number")
        return str(seen)
    if isinstance(seen, float):
        return f"{seen:.15g}"
    raise DeviceMalformed(f"{what} is {_NAMES[type(seen)]}, not a number or text")
