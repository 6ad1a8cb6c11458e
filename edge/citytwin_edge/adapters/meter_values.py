"""Meter values: what a meter says of a point, as a number in the point's unit with its quality."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

import msgspec

from citytwin.adapter import Site
from citytwin.errors import DeviceMalformed, StoreFull
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin_edge.wire.iec62056 import DataSet
from citytwin_edge.wire.meter_units import WRITTEN, in_unit
from citytwin_edge.wire.obis import CURRENT, Name, name_of
from citytwin_edge.wire.texts import Numeral, TextField

NOTE_CHARS_MAX: Final = 60
_VALUE_UNIT: Final = re.compile(r"(.*?)(?:\*|(?<=\d) +)([^\s*\d][^\s*]*)", re.DOTALL)


class ObisSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which value of a meter a point is, and how it is written.

    Attributes:
        obis: its code, whole or short (1-0:1.8.0, 1.8.0), or another name that the meter has.
        storage: of which billing period it is (value group F); by default of none, it is now.
        words: texts that stand for numbers, and those numbers.
        sentinel: numbers or texts that mean "no value".
    """

    obis: str = ""
    storage: Annotated[int, msgspec.Meta(ge=0, lt=CURRENT)] | None = None
    words: dict[str, float] = {}
    sentinel: tuple[int | float | str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        if self.storage is not None and isinstance(self.name, str):
            raise ValueError("storage goes with obis, an OBIS code")
        if self.storage is not None and "*" in self.obis:
            raise ValueError("obis names a billing period itself; leave out storage")

    @property
    def name(self) -> Name:
        """What the value is called."""
        name = name_of(self.obis)
        return (
            name if isinstance(name, str) or self.storage is None else name._replace(f=self.storage)
        )

    def check(self, kind: Kind) -> None:
        """Refuse words that would make numbers of a text (ValueError)."""
        if self.words and kind == Kind.TEXT:
            raise ValueError('words make numbers of texts; they do not go with kind = "text"')


class Understood(NamedTuple):
    """What was said of a point.

    Attributes:
        value: in the point's unit, before its scale and offset; NaN unless the quality is good.
        quality: a :class:`citytwin.quality.Quality` code.
        note: what was said, or what is wrong with it.
    """

    value: float
    quality: int
    note: str


class MeterValue:
    """How one point is understood; compiled once."""

    def __init__(self, point: Point, settings: ObisSettings, site: Site, pattern: str = "") -> None:
        """Compile.

        Args:
            point: for its unit and kind.
            settings: words and sentinels.
            site: keeps texts.
            pattern: takes a part of a text; a regular expression.

        Raises:
            ValueError: the pattern is none; words and a text do not go together.
        """
        settings.check(point.kind)
        self._is_text, self._unit, self._site = point.kind == Kind.TEXT, point.unit, site
        self._field = TextField(pattern=pattern)
        self._numeral = Numeral(words=settings.words, sentinel=settings.sentinel)
        self._numbers = frozenset(one for one in settings.sentinel if not isinstance(one, str))

    def of_text(self, text: str) -> Understood:
        """Return what stands in a pair of brackets: ``000123.4*kWh``."""
        try:
            part = self._field.find(text)
            if self._is_text:
                return self._text(part)
            number, written = part, ""
            found = _VALUE_UNIT.fullmatch(part)
            if found is not None and self._numeral.word(part) is None:
                number, written = found.groups()
            value = self._numeral.value(number)
            if written:
                value = in_unit(value, _unit_of(written), self._unit)
        except DeviceMalformed as error:
            return Understood(math.nan, Quality.BAD_MALFORMED, f"{text[:24]!r}: {error}")
        return self._judged(value, text)

    def of_number(self, number: float, scaler: int, unit: str) -> Understood:
        """Return a pushed number; ``unit`` is empty where none was pushed."""
        said = f"{number}" + (f"e{scaler}" if scaler else "") + (f" {unit}" if unit else "")
        if self._is_text:
            return self._text(said)
        if number in self._numbers or not math.isfinite(number):
            return self._judged(math.nan, said)
        try:
            # 2364 / 10 is 236.4, 2364 * 0.1 is not.
            value = number * 10.0**scaler if scaler >= 0 else number / 10.0**-scaler
            if unit:
                value = in_unit(value, unit, self._unit)
        except DeviceMalformed as error:
            return Understood(math.nan, Quality.BAD_MALFORMED, f"{said}: {error}")
        return self._judged(value, said)

    def _judged(self, value: float, said: str) -> Understood:
        quality = Quality.BAD_NOT_A_NUMBER if math.isnan(value) else Quality.GOOD
        return Understood(value, quality, said[:NOTE_CHARS_MAX])

    def _text(self, text: str) -> Understood:
        if self._numeral.is_void(text) or not text:
            return Understood(math.nan, Quality.BAD_NOT_A_NUMBER, text[:NOTE_CHARS_MAX])
        try:
            return Understood(float(self._site.intern(text)), Quality.GOOD, text[:NOTE_CHARS_MAX])
        except StoreFull as full:  # the gateway's dictionary takes no more texts
            return Understood(math.nan, Quality.BAD_OUT_OF_RANGE, str(full))


def _unit_of(written: str) -> str:
    try:
        return WRITTEN[written.strip()]
    except KeyError:
        raise DeviceMalformed(f"unit {written!r} of the meter is not known") from None


def by_name(sets: Sequence[DataSet]) -> dict[Name, DataSet]:
    """Return data sets by their name; of two spellings of one name, the first counts."""
    named: dict[Name, DataSet] = {}
    for one in sets:
        named.setdefault(name_of(one.name), one)
    return named
