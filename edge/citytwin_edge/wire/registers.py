"""Registers: bytes of registers and frames <-> numbers, without I/O.

A :class:`Decoder` is compiled once from many fields and turns the bytes of a whole device into
columns with a few numpy operations; :func:`encode` is the way back, for writing.

Bytes come as on the line: registers high byte first, coils and discrete inputs lowest bit first
(MODBUS Application Protocol 1.1b3, 4.2 and 6.1).

>>> from citytwin_edge.wire.fields import Field, Table
>>> flow = Field(Table.HOLDING, 10, "float32", order="CDAB")
>>> values, quality = Decoder([flow], [0]).decode(bytes.fromhex("0000 4228"))
>>> values.tolist(), quality.tolist(), encode(flow, 42.0).hex(" ", 2)
([42.0], [0], '0000 4228')
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.batch import Float64, UInt8
from citytwin.errors import DeviceMalformed, StoreFull
from citytwin.quality import Quality
from citytwin_edge.wire.fields import Field

_FLOATS: Final = {"float32": ">f", "float64": ">d"}
_NIBBLE_SHIFTS: Final = np.arange(0, 64, 4, dtype=np.uint64)
_NIBBLE_WEIGHTS: Final = 10.0 ** np.arange(16)


class Decoder:
    """Fields compiled for one layout of bytes: :meth:`decode` costs a few numpy operations."""

    def __init__(self, fields: Sequence[Field], places: Sequence[int]) -> None:
        """Compile.

        Args:
            fields: n fields.
            places: for each field where it begins in the bytes to come, in bits (8 times the byte);
                -1 when it will not be there.
        """
        count = len(fields)
        self._size_bytes = max(
            (
                (place + field.width + 7) // 8
                for field, place in zip(fields, places, strict=True)
                if place >= 0
            ),
            default=0,
        )
        self._absent = np.array([place < 0 for place in places], dtype=np.bool_)
        gather = np.full((count, 8), self._size_bytes, dtype=np.intp)  # behind the end: a zero
        shift = np.zeros(count, dtype=np.uint64)
        mask = np.zeros(count, dtype=np.uint64)
        for row, (field, place) in enumerate(zip(fields, places, strict=True)):
            if place < 0 or field.type == "string":
                continue
            shift[row], mask[row] = field.span
            if field.table.of_bits:
                gather[row, 0] = place // 8
                shift[row] = place % 8
            else:
                order = field.byte_order()
                gather[row, : len(order)] = place // 8 + np.array(order[::-1])
        self._gather = gather
        self._shift, self._mask = shift, mask
        self._masked = any(f.partial or f.table.of_bits for f in fields)
        self._compile_kinds(fields)
        self._compile_sentinels(fields)
        self._texts = [
            _Text(row, place // 8, field)
            for row, (field, place) in enumerate(zip(fields, places, strict=True))
            if field.type == "string" and place >= 0
        ]

    def _compile_kinds(self, fields: Sequence[Field]) -> None:
        def rows(*types: str) -> npt.NDArray[np.intp]:
            return np.array([i for i, f in enumerate(fields) if f.type in types], dtype=np.intp)

        self._bools = rows("bool", "bit")
        self._signed = rows("int8", "int16", "int32", "int64")
        self._spare = np.array([64 - fields[i].width for i in self._signed], dtype=np.uint64)
        self._float32 = rows("float32")
        self._float64 = rows("float64")
        self._floats = rows("float32", "float64")
        self._bcd = rows("bcd8", "bcd16", "bcd32", "bcd64")

    def _compile_sentinels(self, fields: Sequence[Field]) -> None:
        pairs = [
            (row, raw & (1 << field.width) - 1)
            for row, field in enumerate(fields)
            for raw in field.sentinel
        ]
        self._sentinel_row = np.array([row for row, _ in pairs], dtype=np.intp)
        self._sentinel_raw = np.array([raw for _, raw in pairs], dtype=np.uint64)

    @property
    def size_bytes(self) -> int:
        """How many bytes :meth:`decode` needs at least."""
        return self._size_bytes

    def decode(
        self,
        data: bytes,
        intern: Callable[[str], int] | None = None,
        missing: Collection[int] = (),
    ) -> tuple[Float64, UInt8]:
        """Return values and qualities, both of shape (n,).

        NaN and BAD_NOT_A_NUMBER for a sentinel and for floating-point NaN and infinity,
        BAD_MALFORMED for a BCD digit above nine or a text that is not UTF-8, BAD_REFUSED for a
        field without a place. Whole numbers beyond 2**53 are the nearest float64.

        Args:
            data: at least ``size_bytes`` bytes.
            intern: gives the number that stands for a text; needed where there are strings.
            missing: rows whose bytes are not the device's: a text of them must not be interned. Of
                numbers there, whoever gives such bytes does not use the result.
        """
        if len(data) < self._size_bytes:
            raise ValueError(f"{len(data)} bytes are fewer than the {self._size_bytes} needed")
        column = np.frombuffer(data[: self._size_bytes] + b"\0", dtype=np.uint8)
        whole = column[self._gather].view("<u8").ravel().astype(np.uint64, copy=False)
        raw = (whole >> self._shift) & self._mask if self._masked else whole
        values = raw.astype(np.float64)
        quality = np.zeros(len(values), dtype=np.uint8)
        if len(self._bools):
            values[self._bools] = raw[self._bools] != 0
        if len(self._signed):
            aligned = (raw[self._signed] << self._spare).view(np.int64)
            values[self._signed] = aligned >> self._spare.view(np.int64)
        if len(self._float32):
            singles = raw[self._float32].astype(np.uint32).view(np.float32)
            with np.errstate(invalid="ignore"):  # a signalling NaN is a value like others here
                values[self._float32] = singles
        if len(self._float64):
            values[self._float64] = raw[self._float64].view(np.float64)
        if len(self._floats):
            void = self._floats[~np.isfinite(values[self._floats])]
            values[void] = np.nan
            quality[void] = Quality.BAD_NOT_A_NUMBER
        if len(self._bcd):
            self._decode_bcd(raw, values, quality)
        if len(self._sentinel_row):
            void = self._sentinel_row[whole[self._sentinel_row] == self._sentinel_raw]
            values[void] = np.nan
            quality[void] = Quality.BAD_NOT_A_NUMBER
        for text in self._texts:
            if text.row in missing:
                continue
            values[text.row], quality[text.row] = text.decode(data, intern)
        if self._absent.any():
            values[self._absent] = np.nan
            quality[self._absent] = Quality.BAD_REFUSED
        return values, quality

    def _decode_bcd(self, raw: npt.NDArray[np.uint64], values: Float64, quality: UInt8) -> None:
        nibbles = (raw[self._bcd][:, None] >> _NIBBLE_SHIFTS) & np.uint64(15)
        values[self._bcd] = nibbles @ _NIBBLE_WEIGHTS
        wrong = self._bcd[(nibbles > 9).any(axis=1)]
        values[wrong] = np.nan
        quality[wrong] = Quality.BAD_MALFORMED


class _Text:
    """One string of a decoder; an unchanged text is not decoded or interned again."""

    def __init__(self, row: int, start: int, field: Field) -> None:
        self.row = row
        self._start = start
        self._stop = start + field.size_bytes
        self._order = field.byte_order()
        self._in_order = self._order == sorted(self._order)
        self._seen: bytes | None = None
        self._number = math.nan

    def decode(self, data: bytes, intern: Callable[[str], int] | None) -> tuple[float, int]:
        if intern is None:
            raise ValueError("a string needs intern: texts are numbers in a batch")
        raw = data[self._start : self._stop]
        if raw == self._seen:
            return self._number, Quality.GOOD
        ordered = raw if self._in_order else bytes([raw[place] for place in self._order])
        try:
            text = ordered.partition(b"\0")[0].decode().strip()
            number = float(intern(text))
        except UnicodeDecodeError:
            return math.nan, Quality.BAD_MALFORMED
        except StoreFull:  # the gateway's dictionary takes no more texts
            return math.nan, Quality.BAD_OUT_OF_RANGE
        self._seen, self._number = raw, number
        return number, Quality.GOOD


class Single:
    """One field that is decoded alone: of a frame, a payload, or the answer to a question."""

    def __init__(self, field: Field) -> None:
        """Compile; of a frame the whole is given, of registers those of the field."""
        self.field = field
        self._start = field.address if field.table.of_bytes else 0
        self._decoder = Decoder([field], [0])
        self._text = ""

    def cut(self, data: bytes) -> bytes:
        """Return the field's own bytes.

        Raises:
            DeviceMalformed: they are not all there.
        """
        end = self._start + self._decoder.size_bytes
        if len(data) < end:
            raise DeviceMalformed(f"{len(data)} bytes are too few: the value ends at byte {end}")
        return data[self._start : end]

    def decode(
        self, own: bytes, intern: Callable[[str], int] | None = None
    ) -> tuple[float, int, str]:
        """Return value, quality and, of a string, the text; see :meth:`Decoder.decode`.

        Args:
            own: the field's own bytes.
            intern: gives the number that stands for a text; without it that is 0.
        """

        def keep(text: str) -> int:
            self._text = text  # the decoder tells a text that has not changed once only
            return 0 if intern is None else intern(text)

        values, quality = self._decoder.decode(own, keep)
        text = "" if quality[0] == Quality.BAD_MALFORMED else self._text
        return float(values[0]), int(quality[0]), text


def encode(field: Field, value: float, current: bytes = b"") -> bytes:
    """Return the registers that hold ``value``, as bytes on the line; one byte 0 or 1 for a bit.

    Whole numbers are rounded to the nearest.

    Args:
        field: where the value goes.
        value: as the device shall have it.
        current: what the registers hold now; needed when ``field.partial``.

    Raises:
        ValueError: the value does not fit, is a sentinel of the field, or the field is a string.
    """
    if field.type == "string":
        raise ValueError("a string cannot be written")
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written")
    if field.table.of_bits or field.is_bool:
        if value not in {0.0, 1.0}:
            raise ValueError(f"a bool is 0 or 1, not {value:g}")
        if field.table.of_bits:
            return bytes([int(value)])
    raw = _raw_of(field, value)
    if field.partial:
        if len(current) != field.size_bytes:
            raise ValueError("other bits share the registers: what they hold now must be known")
        shift, mask = field.span
        kept = _from_line(field, current) & ~(mask << shift)
        raw = kept | raw << shift
    if raw in {sentinel & (1 << field.width) - 1 for sentinel in field.sentinel}:
        raise ValueError(f"{value:g} would be written as {raw:#x}, which means no value")
    return _to_line(field, raw)


def _raw_of(field: Field, value: float) -> int:
    """Return the bits of a value, before they are shifted into place."""
    if field.type in _FLOATS:
        try:
            return int.from_bytes(struct.pack(_FLOATS[field.type], value), "big")
        except OverflowError:
            raise ValueError(f"{value:g} does not fit into {field.type}") from None
    number = round(value)
    _, mask = field.span
    low, high = 0, mask
    if field.type.startswith("int"):
        low, high = -(mask + 1 >> 1), mask >> 1
    elif field.type.startswith("bcd"):
        high = 10 ** (mask.bit_length() // 4) - 1
    if not low <= number <= high:
        raise ValueError(f"{value:g} is outside {low} to {high} of this {field.type}")
    if field.type.startswith("bcd"):
        return int(str(number), 16)
    return number & mask


def _from_line(field: Field, data: bytes) -> int:
    return int.from_bytes(bytes([data[place] for place in field.byte_order()]), "big")


def _to_line(field: Field, raw: int) -> bytes:
    data = bytearray(field.size_bytes)
    for place, byte in zip(field.byte_order(), raw.to_bytes(field.size_bytes, "big"), strict=True):
        data[place] = byte
    return bytes(data)
