"""Places: what a technician writes about where a value is and how it is written, for all adapters.

The same words mean the same wherever an instrument or a broker brings texts, or bytes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from citytwin.point import Kind, Point
from citytwin.units import unit
from citytwin_edge.wire.fields import ADDRESSES, Field, FrameType, Order, Table
from citytwin_edge.wire.stamps import UTC_OFFSET_H_MAX
from citytwin_edge.wire.texts import Form, Numeral, TextField

Separator = Annotated[str, msgspec.Meta(max_length=8)]
Decimal = Literal[".", ","]
Hours = Annotated[float, msgspec.Meta(ge=-UTC_OFFSET_H_MAX, le=UTC_OFFSET_H_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1024)]


class PlaceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where something is in a message: in its text, or ``at`` some byte of it.

    Attributes:
        column: which column of the text it is, from 1; 0: the whole text.
        columns: several columns, counted from 1, that belong together and are joined by a blank.
        chars: [first, last] character of the text, from 1.
        pattern: a regular expression that finds it.
        group: which group of ``pattern`` it is, by name or number; empty: the one called ``value``,
            else the first, else all that matched.
        at: the first byte of a number in bytes, from 0.
        type: how the number is written in bytes; uint8 when left out.
        order: byte order of that number; the device's when left out.
        length: bytes of a string.
    """

    column: Count = 0
    columns: Annotated[tuple[int, ...], msgspec.Meta(max_length=8)] = ()
    chars: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    pattern: str = ""
    group: str | int = ""
    at: Annotated[int, msgspec.Meta(ge=0, lt=ADDRESSES)] | None = None
    type: FrameType | None = None
    order: Order | None = None
    length: Count = 0

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        if self.at is not None and self._is_in_text:
            raise ValueError(
                "at is a place in bytes; it excludes column, columns, chars and pattern"
            )
        if self.at is None and (self.type or self.order or self.length):
            raise ValueError("type, order and length go with at, the place in bytes")
        if self.at is None:
            self.in_text(",")
        else:
            self.in_bytes("ABCD")

    @property
    def _is_in_text(self) -> bool:
        return bool(self.column or self.columns or self.chars or self.pattern)

    @property
    def has_place(self) -> bool:
        """Whether it is a part of the message, not the whole text."""
        return self.at is not None or self._is_in_text

    def in_text(self, separator: str) -> TextField:
        """Return where it is in a text (ValueError)."""
        chars = (self.chars[0], self.chars[-1]) if self.chars else None
        return TextField(self.column, separator, chars, self.pattern, self.group, self.columns)

    def in_bytes(self, order: str) -> Field:
        """Return where it is in bytes, of which ``order`` is the usual order (ValueError)."""
        return Field(
            Table.FRAME,
            self.at or 0,
            self.type or "uint8",
            order=self.order or order,
            length=self.length,
        )


class ValueSettings(PlaceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point's value is, and how it is written.

    Attributes:
        bits: [lowest, highest] bit that counts of a number in bytes, or [bit].
        digits: how many digits of a BCD number in bytes count, from the lowest; 0: all.
        sentinel: numbers (in bytes raw ones) or texts that mean "no value".
        words: texts that stand for numbers, and those numbers.
        form: how a number is written in text; see :class:`citytwin_edge.wire.texts.Numeral`.
    """

    bits: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    digits: Annotated[int, msgspec.Meta(ge=0)] = 0
    sentinel: tuple[int | float | str, ...] = ()
    words: dict[str, float] = {}
    form: Form = "number"

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        if self.at is None and (self.bits or self.digits):
            raise ValueError("bits and digits go with at, the place in bytes")
        if self.at is not None and (self.words or self.form != "number"):
            raise ValueError("words and form are of texts; a place in bytes holds a number")

    def in_bytes(self, order: str) -> Field:
        """Return where it is in bytes, of which ``order`` is the usual order (ValueError)."""
        if not all(isinstance(one, int) for one in self.sentinel):
            raise ValueError("a sentinel of a number in bytes is a whole number")
        return replace(
            super().in_bytes(order),
            bits=(self.bits[0], self.bits[-1]) if self.bits else None,
            digits=self.digits,
            sentinel=tuple(one for one in self.sentinel if isinstance(one, int)),
        )

    def numeral(self, point: Point, decimal: str) -> Numeral:
        """Return how the point's value is written in a text (ValueError)."""
        return Numeral(
            words=self.words,
            sentinel=self.sentinel,
            units={point.unit, *unit(point.unit).symbols} if point.unit != "1" else (),
            decimal=decimal,
            form=self.form,
        )

    def word(self, value: float) -> str | None:
        """Return the first word that stands for a value; None where none does."""
        return next((word for word, number in self.words.items() if number == value), None)

    def check(self, kind: Kind) -> None:
        """Refuse a text that would be a number, and the other way round (ValueError)."""
        if self.at is not None and (self.type == "string") != (kind == Kind.TEXT):
            raise ValueError('type "string" and kind = "text" go together')
        if self.words and kind == Kind.TEXT:
            raise ValueError('words make numbers of texts; they do not go with kind = "text"')
