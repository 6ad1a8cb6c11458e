"""Values of the query language: what a term compares an attribute with, and how.

ETSI GS CIM 009, clause 4.9. What is of another type is unequal, and neither more nor less.

>>> literal("4.5").compare(3)
-1
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from citytwin_hub.entities.moments import date_ns, parse_ns, time_ns


class Instant(int):
    """A moment in UTC nanoseconds that the hub knows to be one, such as observedAt."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: int | float

    def equals(self, value: Any) -> bool:
        """Tell whether a value is this number."""
        return type(value) in (int, float) and value == self.value

    def compare(self, value: Any) -> int | None:
        """Return -1, 0 or 1: a value is less, equal or more; None: it cannot be compared."""
        if type(value) not in (int, float):
            return None
        return int(value > self.value) - int(value < self.value)


@dataclass(frozen=True, slots=True)
class Truth:
    """``true`` or ``false``."""

    value: bool

    def equals(self, value: Any) -> bool:
        """Tell whether a value is this."""
        return value is self.value


@dataclass(frozen=True, slots=True)
class Term:
    """A URI or another word without quotes: only equal or not."""

    value: str

    def equals(self, value: Any) -> bool:
        """Tell whether a value is this text."""
        return isinstance(value, str) and value == self.value


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotation marks. Beside a moment, it is read as one."""

    value: str

    def equals(self, value: Any) -> bool:
        """Tell whether a value is this text."""
        if type(value) is Instant:
            return self.compare(value) == 0
        return isinstance(value, str) and value == self.value

    def compare(self, value: Any) -> int | None:
        """Return -1, 0 or 1: a value is less, equal or more; None: it cannot be compared."""
        if type(value) is Instant:
            own = temporal(self.value)
            return None if own is None else own.compare(value)
        if not isinstance(value, str):
            return None
        return (value > self.value) - (value < self.value)


@dataclass(frozen=True, slots=True)
class Temporal:
    """A DateTime, a Date or a Time, compared as such and not as text."""

    text: str
    value_ns: int
    read: Callable[[str], int]

    def equals(self, value: Any) -> bool:
        """Tell whether a value is the same moment."""
        return self.compare(value) == 0

    def compare(self, value: Any) -> int | None:
        """Return -1, 0 or 1: a value is before, equal or after; None: it cannot be compared."""
        if type(value) is Instant:
            if self.read is time_ns:
                return None
            moment = int(value)
        elif isinstance(value, str):
            try:
                moment = self.read(value)
            except ValueError:
                return None
        else:
            return None
        return (moment > self.value_ns) - (moment < self.value_ns)


Comparable: TypeAlias = Number | Text | Temporal
Literal: TypeAlias = Number | Text | Temporal | Truth | Term


@dataclass(frozen=True, slots=True)
class Range:
    """From one value to another, both included."""

    low: Comparable
    high: Comparable

    def equals(self, value: Any) -> bool:
        """Tell whether a value is in it."""
        from_low, from_high = self.low.compare(value), self.high.compare(value)
        return from_low is not None and from_low >= 0 and from_high is not None and from_high <= 0


@dataclass(frozen=True, slots=True)
class OneOf:
    """Some values of which any serves."""

    values: tuple[Literal, ...]

    def equals(self, value: Any) -> bool:
        """Tell whether a value is one of them."""
        return any(each.equals(value) for each in self.values)


_NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)


def temporal(text: str) -> Temporal | None:
    """Return a text as a DateTime, a Date or a Time; None when it is none of them."""
    for read in (parse_ns, date_ns, time_ns):
        try:
            return Temporal(text, read(text), read)
        except ValueError:
            continue
    return None


def literal(text: str) -> Literal:
    """Return what a word without quotation marks is."""
    if text in ("true", "false"):
        return Truth(text == "true")
    match = _NUMBER.fullmatch(text)
    if match is not None:
        return Number(float(text) if match[1] or match[2] else int(text))
    return temporal(text) or Term(text)
