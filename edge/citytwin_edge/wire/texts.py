"""Texts: takes a field out of a text and makes a number of it, as devices write them.

>>> TextField(column=2).find("PT1, +012.5 kPa ,OK")
'+012.5 kPa'
>>> Numeral(units=["kPa"]).value("+012.5 kPa"), Numeral(decimal=",").value("-3,25")
(12.5, -3.25)
>>> Numeral(form="degrees-minutes").value("04315.0000 S")
-43.25
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from citytwin.errors import DeviceMalformed

PATTERN_CHARS_MAX: Final = 200
WILD_MAX: Final = 3
TRUTH: Final = {"true": 1.0, "on": 1.0, "open": 1.0, "false": 0.0, "off": 0.0, "closed": 0.0}
_VOID: Final = re.compile(r"|[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_NUMBERS: Final = {
    ".": re.compile(r"([+-]?) *((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"),
    ",": re.compile(r"([+-]?) *((?:[0-9]+,?[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?)"),
}
Form = Literal["number", "degrees-minutes"]
"""How a number is written: in digits, or as degrees and minutes of an angle on the globe with its
hemisphere behind it (NMEA 0183: ``4717.1127 N`` is 47° 17.1127')."""
_ANGLE: Final = re.compile(r"([0-9]{1,3})([0-5][0-9](?:\.[0-9]*)?)[ ,]?([NSEWnsew])")
_REPEATED_GROUP: Final = re.compile(r"\)(?:[*+]|\{)")
_WILD: Final = re.compile(r"\.[*+]|\.\{")
_CLASS_OR_ESCAPE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)


class Numeral:
    """How a device writes a number as text; compiled once."""

    def __init__(
        self,
        *,
        words: Mapping[str, float] | None = None,
        sentinel: Collection[float | str] = (),
        units: Collection[str] = (),
        decimal: str = ".",
        form: Form = "number",
    ) -> None:
        """Compile.

        Args:
            words: numbers that words stand for, upper and lower case alike; without any, those of
                TRUTH.
            sentinel: numbers and words that mean "no value".
            units: what may stand behind a number. Anything else there is malformed: a number in
                another unit is another number, and one with a remark perhaps none.
            decimal: point or comma. The other one is malformed: it may separate thousands.
            form: how the number is written.
        """
        void = {one for one in sentinel if isinstance(one, str)}
        self._words = {_folded(word): number for word, number in (words or TRUTH).items()}
        self._words |= dict.fromkeys(map(_folded, void), math.nan)
        self._sentinel = frozenset(sentinel) - void
        self.has_sentinel = bool(self._sentinel)
        """Whether a number may mean "no value"."""
        self.has_numbers = any(any(map(str.isdigit, word)) for word in self._words)
        """Whether a word may be a number: "0" for off, say."""
        self._units = frozenset(unit for unit in units if unit)
        self._number = _NUMBERS[decimal]
        self._form = form

    def word(self, text: str) -> float | None:
        """Return what a word stands for, NaN where that is "no value"; None for any other text."""
        return self._words.get(_folded(text))

    def is_void(self, text: str) -> bool:
        """Tell whether a text, which is none of numbers, means "no value"."""
        return math.isnan(self._words.get(_folded(text), 0.0))

    def judged(self, value: float) -> float:
        """Return a number; NaN for one that means "no value", and for infinity."""
        return math.nan if value in self._sentinel or math.isinf(value) else value

    def value(self, text: str) -> float:
        """Return the number that a text is; NaN for "no value": a sentinel, nothing, NaN, infinity.

        Raises:
            DeviceMalformed: it is neither a number nor a known word.
        """
        text = text.strip()
        known = self.word(text)
        if known is not None:
            return known
        if _VOID.fullmatch(text):
            return math.nan
        if self._form == "degrees-minutes":
            return self.judged(_angle(text))
        found = self._number.match(text)
        rest = text[found.end() :].strip() if found else ""
        if found is None or (rest and rest not in self._units):
            others = [*self._words, *(f"a number in {unit}" for unit in sorted(self._units))]
            raise DeviceMalformed(f"{text[:40]!r} is not a number, nor {', '.join(others)}")
        value = float(found[1] + found[2].replace(",", "."))
        if not math.isfinite(value):
            raise DeviceMalformed(f"{text[:40]!r} is not a number of a possible size")
        return self.judged(value)


def _angle(text: str) -> float:
    """Return degrees, positive to the north and east."""
    found = _ANGLE.fullmatch(text)
    if found is None:
        raise DeviceMalformed(f"{text[:40]!r} is no angle in degrees and minutes with N, S, E or W")
    letter = found[3].upper()
    value = int(found[1]) + float(found[2]) / 60
    if value > (90 if letter in "NS" else 180):
        raise DeviceMalformed(f"{text[:40]!r} is not on the globe")
    return -value if letter in "SW" else value


def _folded(text: str) -> str:
    return text.strip().casefold()


@dataclass(frozen=True, slots=True)
class TextField:
    """Where a field is in a line; without column, chars and pattern it is the whole line.

    Attributes:
        column: from 1, between separators.
        columns: several of them, which become one with a blank between each two.
        separator: of columns; empty: any blanks.
        chars: first and last character, from 1.
        pattern: a regular expression; its group is the field.
        group: name or number of the group; empty: the one called ``value``, else the first, else
            all that the pattern matches.

    Raises:
        ValueError: the attributes do not fit together; the text says which and what is allowed.
    """

    column: int = 0
    separator: str = ","
    chars: tuple[int, int] | None = None
    pattern: str = ""
    group: str | int = ""
    columns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together, and patterns that could take for ever."""
        in_columns = (self.column > 0) + bool(self.columns)
        if in_columns + (self.chars is not None) + bool(self.pattern) > 1:
            raise ValueError("column, columns, chars and pattern exclude each other")
        if self.columns and min(self.columns) < 1:
            raise ValueError(f"columns {list(self.columns)} are counted from 1")
        if self.chars is not None and not 1 <= self.chars[0] <= self.chars[1]:
            raise ValueError(
                f"chars [{self.chars[0]}, {self.chars[1]}] must be [first, last], counted from 1"
            )
        if self.group and not self.pattern:
            raise ValueError("group goes with pattern")
        if self.pattern:
            self._chosen(_compiled(self.pattern))

    def _chosen(self, pattern: re.Pattern[str]) -> str | int:
        """Return the group that counts."""
        if self.group:
            known = self.group in pattern.groupindex or (
                isinstance(self.group, int) and self.group <= pattern.groups
            )
            if not known:
                raise ValueError(f"group {self.group!r} is not in the pattern {self.pattern!r}")
            return self.group
        return "value" if "value" in pattern.groupindex else min(pattern.groups, 1)

    def find(self, line: str) -> str:
        """Return the field without blanks around it; empty where an optional group is not there.

        Raises:
            DeviceMalformed: the line has no such field.
        """
        if self.column or self.columns:
            wanted = self.columns or (self.column,)
            there = line.split(self.separator or None)
            if len(there) < max(wanted):
                raise DeviceMalformed(f"the line has {len(there)} columns, not {max(wanted)}")
            return " ".join(there[one - 1].strip() for one in wanted).strip()
        if self.chars is not None:
            first, last = self.chars
            if len(line) < first:
                raise DeviceMalformed(f"the line has {len(line)} characters, not {first}")
            return line[first - 1 : last].strip()
        if self.pattern:
            pattern = _compiled(self.pattern)
            found = pattern.search(line)
            if found is None:
                raise DeviceMalformed(f"the line does not match {self.pattern!r}")
            return (found[self._chosen(pattern)] or "").strip()
        return line.strip()


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern; the time that it takes grows with the line, not beyond all bounds.

    Raises:
        ValueError: it is no pattern, or one that could take for ever.
    """
    plain = _CLASS_OR_ESCAPE.sub("x", pattern)
    if len(pattern) > PATTERN_CHARS_MAX:
        raise ValueError(f"pattern has over {PATTERN_CHARS_MAX} characters")
    if _REPEATED_GROUP.search(plain):
        raise ValueError(
            f"pattern {pattern!r} repeats a group, which can take for ever; a group may only be "
            "optional: (…)?"
        )
    if len(_WILD.findall(plain)) > WILD_MAX:
        raise ValueError(
            f"pattern {pattern!r} has more than {WILD_MAX} times .* or .+, which can take very "
            r"long; say what may stand there: [^,]*, \d+"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern {pattern!r} is not a regular expression: {error}") from None
