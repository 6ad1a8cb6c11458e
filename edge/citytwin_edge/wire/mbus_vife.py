"""M-Bus extensions: what the VIFEs behind a value's VIF change about it.

>>> extend([0x3C]).qualifiers, extend([0x74]).factor, extend([0x15]).error
(('backward',), Fraction(1, 100), 21)

Source: EN 13757-3:2018, 6.4.6 (tables 15 and 16).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

ERRORS: Final = {
    0x01: "too many DIFEs", 0x02: "storage number not implemented",
    0x03: "subunit not implemented", 0x04: "tariff not implemented",
    0x05: "function not implemented", 0x06: "data class not implemented",
    0x07: "data size not implemented", 0x0B: "too many VIFEs", 0x0C: "illegal VIF group",
    0x0D: "illegal VIF exponent", 0x0E: "VIF and DIF do not fit", 0x0F: "unimplemented action",
    0x15: "no data available", 0x16: "data overflow", 0x17: "data underflow", 0x18: "data error",
    0x1C: "premature end of record",
}  # fmt: skip
"""What a meter reports about a record in place of its value."""
NO_DATA, OVERFLOW, UNDERFLOW, DATA_ERROR = 0x15, 0x16, 0x17, 0x18

_WORDS: Final = {
    0x12: "average", 0x13: "inverse compact profile", 0x14: "relative deviation",
    0x1D: "standard conform", 0x1E: "compact profile with registers", 0x1F: "compact profile",
    0x24: "per week", 0x25: "per month", 0x26: "per year", 0x27: "per measurement",
    0x28: "per input pulse 0", 0x29: "per input pulse 1", 0x2A: "per output pulse 0",
    0x2B: "per output pulse 1", 0x2C: "per litre", 0x2D: "per m3", 0x2E: "per kg", 0x2F: "per K",
    0x30: "per kWh", 0x31: "per GJ", 0x32: "per kW", 0x33: "per K litre", 0x34: "per V",
    0x35: "per A", 0x36: "times s", 0x37: "times s per V", 0x38: "times s per A",
    0x3A: "uncorrected", 0x3B: "forward", 0x3C: "backward", 0x3D: "non-metric",
    0x3E: "at base conditions", 0x3F: "obis declaration",
    0x40: "lower limit", 0x48: "upper limit",
    0x68: "while below limit", 0x69: "leakage", 0x6C: "while above limit", 0x6D: "overflow",
    0x7E: "future",
}  # fmt: skip
_WITHOUT_UNIT: Final = {0x24, 0x25, 0x26, *range(0x27, 0x39)}
"""Those that make another quantity of it, for which there is no unit here."""
_COUNTS: Final = {0x41: "times below limit", 0x49: "times above limit"}
_DATES: Final = {
    0x39: "start of", 0x42: "begin of first below limit", 0x43: "end of first below limit",
    0x46: "begin of last below limit", 0x47: "end of last below limit",
    0x4A: "begin of first above limit", 0x4B: "end of first above limit",
    0x4E: "begin of last above limit", 0x4F: "end of last above limit",
    0x6A: "begin of first", 0x6B: "end of first", 0x6E: "begin of last", 0x6F: "end of last",
}  # fmt: skip
_DURATIONS: Final = {
    0x50: "duration of first below limit", 0x54: "duration of last below limit",
    0x58: "duration of first above limit", 0x5C: "duration of last above limit",
    0x60: "duration of first", 0x64: "duration of last",
}  # fmt: skip
_TIMES: Final = ("s", "min", "h", "d")
_RATES: Final = {0x20: "s", 0x21: "min", 0x22: "h", 0x23: "d"}
_SECOND: Final = {
    0x01: "at phase L1", 0x02: "at phase L2", 0x03: "at phase L3", 0x04: "at neutral",
    0x05: "between L1 and L2", 0x06: "between L2 and L3", 0x07: "between L3 and L1",
    0x08: "quadrant 1", 0x09: "quadrant 2", 0x0A: "quadrant 3", 0x0B: "quadrant 4",
    0x0C: "import less export", 0x10: "absolute",
}  # fmt: skip
"""Behind VIFE FC."""
_UNSIGNED: Final = {0x11, 0x12}
"""Behind VIFE FC: the data is of type C, or D."""
QUALIFIERS: Final = frozenset(
    {*_WORDS.values(), *_COUNTS.values(), *_DATES.values(), *_DURATIONS.values(), *_SECOND.values()}
    | {f"per {unit}" for unit in _RATES.values()}
)
"""Every word that a value can be qualified with, but for codes of the manufacturer."""


@dataclass(slots=True)
class Extended:
    """What extensions say together.

    Attributes:
        factor, addend: the number is multiplied by the one, to which the other is added, in steps.
        per: the time that the quantity is divided by: s, min, h, d; empty: none.
        unit: the value's own unit where that is another than the quantity's; empty: the quantity's.
        qualifiers: in which way the value is meant.
        is_time: the value is a date or time.
        is_unsigned: the value has no sign.
        error: code of ERRORS, 0 where there is none.
    """

    factor: Fraction = Fraction(1)
    addend: Fraction = Fraction(0)
    per: str = ""
    unit: str = ""
    qualifiers: tuple[str, ...] = ()
    is_time: bool = False
    is_unsigned: bool = False
    error: int = 0


def extend(codes: Sequence[int]) -> Extended:
    """Return what VIFEs say, given without their extension bits."""
    told = Extended()
    at = 0
    while at < len(codes):
        code = codes[at]
        at += 1
        if code == 0x7C:
            second = codes[at] if at < len(codes) else -1
            at += 1
            if second in _UNSIGNED:
                told.is_unsigned = True
            else:
                told.qualifiers += (_SECOND.get(second, f"extension {second & 0xFF:02x}"),)
        elif code == 0x7F:
            told.qualifiers += ("manufacturer " + bytes(codes[at:]).hex(),)
            break
        else:
            _extend(told, code)
    return told


def _extend(told: Extended, code: int) -> None:
    if code in ERRORS:
        told.error = code
    elif code in _RATES:
        told.per = _RATES[code]
        told.qualifiers += (f"per {told.per}",)
    elif code in _COUNTS:
        told.unit, told.factor = "1", Fraction(1)
        told.qualifiers += (_COUNTS[code],)
    elif code in _DATES:
        told.is_time = True
        told.qualifiers += (_DATES[code],)
    elif code & ~3 in _DURATIONS and 0x50 <= code < 0x68:
        told.unit, told.factor = _TIMES[code & 3], Fraction(1)
        told.qualifiers += (_DURATIONS[code & ~3],)
    elif 0x70 <= code <= 0x77:
        told.factor *= Fraction(10) ** ((code & 7) - 6)
    elif 0x78 <= code <= 0x7B:
        told.addend += Fraction(10) ** ((code & 3) - 3)
    elif code == 0x7D:
        told.factor *= 1000
    elif code:
        told.qualifiers += (_WORDS.get(code, f"reserved {code:02x}"),)
        if code in _WITHOUT_UNIT:
            told.per = "?"
