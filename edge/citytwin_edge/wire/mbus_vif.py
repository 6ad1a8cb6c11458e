"""M-Bus value information: what a VIF and its extensions say a number is, and in which unit.

>>> told = value_information(b"\\x13", "")
>>> told.quantity, told.unit, told.factor
('volume', 'm3', Fraction(1, 1000))
>>> value_information(b"\\xFD\\x48", "").quantity, value_information(b"\\x93\\x3C", "").qualifiers
('voltage', ('backward',))

Source: EN 13757-3:2018, 6.4 (tables 10 to 16). Units are codes of :mod:`citytwin.units`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from citytwin_edge.wire.mbus_vife import Extended, extend

MANUFACTURER: Final = "manufacturer-specific"
UNKNOWN: Final = "reserved"
PLAIN_TEXT: Final = "plain-text"
DATE, TIME = "date", "date-time"


class Base(NamedTuple):
    """What a VIF says before extensions.

    Attributes:
        quantity: its name here.
        unit: UCUM code; empty where the number has none that is known.
        factor: one step of the number in that unit.
        is_difference: of temperatures.
        is_unsigned: its integers have no sign: flags, numbers of things.
    """

    quantity: str
    unit: str = "1"
    factor: Fraction = Fraction(1)
    is_difference: bool = False
    is_unsigned: bool = False


class ValueInformation(NamedTuple):
    """What a whole value information block says.

    Attributes:
        quantity: name of what is measured, as in QUANTITIES.
        unit: UCUM code of the number times ``factor``; empty: none is known.
        factor, addend: value = number * factor + addend.
        qualifiers: in which way it is meant (``backward``, ``at phase L1``), in their order.
        is_time: it is a date or time; its data type says which.
        is_difference, is_unsigned: see :class:`Base`.
        error: 0, or the record error that the meter reports in place of a value.
        label: the unit as text, where it is not one of the standard's.
    """

    quantity: str
    unit: str
    factor: Fraction
    addend: Fraction
    qualifiers: tuple[str, ...]
    is_time: bool
    is_difference: bool
    is_unsigned: bool
    error: int
    label: str


def _steps(first: int, count: int, name: str, unit: str, exponent: int) -> dict[int, Base]:
    """Return codes whose lowest bits are an exponent of ten; ``exponent``: that of the first."""
    return {
        first + n: Base(
            name, unit, Fraction(10) ** (exponent + n), name == "temperature-difference"
        )
        for n in range(count)
    }


_TIMES: Final = ("s", "min", "h", "d")


def _times(first: int, name: str, units: Sequence[str] = _TIMES) -> dict[int, Base]:
    """Return codes of a time in units that grow; a month is a twelfth of a year."""
    return {
        first + n: Base(name, "a", Fraction(1, 12)) if unit == "mo" else Base(name, unit)
        for n, unit in enumerate(units)
        if unit
    }


def _flags(first: int, *names: str) -> dict[int, Base]:
    """Return codes of numbers without a unit."""
    return {first + n: Base(name, is_unsigned=True) for n, name in enumerate(names) if name}


_PRIMARY: Final[dict[int, Base]] = {
    **_steps(0x00, 8, "energy", "W.h", -3),
    **_steps(0x08, 8, "energy", "J", 0),
    **_steps(0x10, 8, "volume", "m3", -6),
    **_steps(0x18, 8, "mass", "kg", -3),
    **_times(0x20, "on-time"),
    **_times(0x24, "operating-time"),
    **_steps(0x28, 8, "power", "W", -3),
    **_steps(0x30, 8, "power", "MJ/h", -6),
    **_steps(0x38, 8, "volume-flow", "m3/h", -6),
    **_steps(0x40, 8, "volume-flow", "L/min", -4),
    **_steps(0x48, 8, "volume-flow", "m3/s", -9),
    **_steps(0x50, 8, "mass-flow", "kg/h", -3),
    **_steps(0x58, 4, "flow-temperature", "Cel", -3),
    **_steps(0x5C, 4, "return-temperature", "Cel", -3),
    **_steps(0x60, 4, "temperature-difference", "K", -3),
    **_steps(0x64, 4, "external-temperature", "Cel", -3),
    **_steps(0x68, 4, "pressure", "bar", -3),
    **_flags(0x6C, DATE, TIME, "heat-cost"),
    **_times(0x70, "averaging-duration"),
    **_times(0x74, "actuality-duration"),
    **_flags(0x78, "fabrication-number", "identification", "bus-address"),
    0x7E: Base("any"),
    0x7F: Base(MANUFACTURER, ""),
}

_FD: Final[dict[int, Base]] = {
    **_steps(0x00, 4, "credit", "", -3),
    **_steps(0x04, 4, "debit", "", -3),
    **_flags(
        0x08, "access-number", "medium", "manufacturer", "parameter-set", "model",
        "hardware-version", "firmware-version", "software-version", "customer-location",
        "customer", "user-code",
        "operator-code", "system-operator-code", "developer-code", "password", "error-flags",
        "error-mask", "security-key", "digital-output", "digital-input", "baud-rate",
        "response-delay", "retry", "remote-control", "first-storage", "last-storage",
        "storage-block-size", "tariff-descriptor",
    ),
    **_times(0x24, "storage-interval", (*_TIMES, "mo", "a")),
    **_flags(0x2A, "operator-data", "second"),
    **_times(0x2C, "time-since-readout"),
    0x30: Base("tariff-start"),
    **_times(0x30, "tariff-duration", ("", "min", "h", "d")),
    **_times(0x34, "tariff-period", (*_TIMES, "mo", "a")),
    0x3A: Base("dimensionless"),
    0x3B: Base("data-container", ""),
    **_times(0x3C, "transmission-period"),
    **_steps(0x40, 16, "voltage", "V", -9),
    **_steps(0x50, 16, "current", "A", -12),
    **_flags(
        0x60, "reset-counter", "cumulation-counter", "control-signal", "weekday", "week",
        "day-change", "parameter-activation", "supplier-information",
    ),
    **_times(0x68, "time-since-cumulation", ("h", "d", "mo", "a")),
    **_times(0x6C, "battery-time", ("h", "d", "mo", "a")),
    0x70: Base("battery-change"),
    0x71: Base("radio-level", "dB[mW]"),
    **_flags(0x72, "daylight-saving", "listening-window"),
    0x74: Base("battery-left", "d"),
    **_flags(0x75, "stops"),
    0x76: Base("manufacturer-container", ""),
}  # fmt: skip
_FD_FD: Final[dict[int, Base]] = {
    **_flags(0x00, "application"),
    **_times(0x02, "battery-left", ("mo", "a")),
}

_CUBIC_FOOT: Final = Fraction("0.028316846592")
_GALLON_L: Final = Fraction("3.785411784")
_FB: Final[dict[int, Base]] = {
    **_steps(0x00, 2, "energy", "MW.h", -1),
    **_steps(0x02, 2, "reactive-energy", "kvar.h", 0),
    **_steps(0x04, 2, "apparent-energy", "kV.A.h", 0),
    **_steps(0x08, 2, "energy", "GJ", -1),
    **_steps(0x0C, 4, "energy", "Gcal_th", -4),
    **_steps(0x10, 2, "volume", "m3", 2),
    **_steps(0x14, 4, "reactive-power", "kvar", -3),
    **_steps(0x18, 2, "mass", "t", 2),
    **_steps(0x1A, 2, "humidity", "%", -1),
    0x20: Base("volume", "m3", _CUBIC_FOOT),
    0x21: Base("volume", "m3", _CUBIC_FOOT / 10),
    0x22: Base("volume", "L", _GALLON_L / 10),
    0x23: Base("volume", "L", _GALLON_L),
    0x24: Base("volume-flow", "L/min", _GALLON_L / 1000),
    0x25: Base("volume-flow", "L/min", _GALLON_L),
    0x26: Base("volume-flow", "L/h", _GALLON_L),
    **_steps(0x28, 2, "power", "MW", -1),
    0x2A: Base("angle-between-voltages", "deg", Fraction(1, 10)),
    0x2B: Base("angle-to-current", "deg", Fraction(1, 10)),
    **_steps(0x2C, 4, "frequency", "Hz", -3),
    **_steps(0x30, 2, "power", "GJ/h", -1),
    **_steps(0x34, 4, "apparent-power", "kV.A", -3),
    **_steps(0x58, 4, "flow-temperature", "[degF]", -3),
    **_steps(0x5C, 4, "return-temperature", "[degF]", -3),
    **_steps(0x60, 4, "temperature-difference", "[degF]", -3),
    **_steps(0x64, 4, "external-temperature", "[degF]", -3),
    **_steps(0x70, 4, "temperature-limit", "[degF]", -3),
    **_steps(0x74, 4, "temperature-limit", "Cel", -3),
    **_steps(0x78, 8, "power-maxima", "W", -3),
}
_EXTENSIONS: Final = {0x7B: _FB, 0x7D: _FD, 0x6F: {}}
_TIMES_OF_DAY: Final = {DATE, TIME, "tariff-start", "battery-change", "day-change"}

QUANTITIES: Final = tuple(
    sorted(
        {
            base.quantity
            for table in (_PRIMARY, _FB, _FD, _FD_FD)
            for base in table.values()
            if base.unit
        }
        | {MANUFACTURER, PLAIN_TEXT, "credit", "debit", "temperature"}
    )
)
"""Every name that a record can have."""
_LABELS: Final = {
    "%RH": Base("humidity", "%"), "%": Base(PLAIN_TEXT, "%"), "Hz": Base("frequency", "Hz"),
    "kvarh": Base("reactive-energy", "kvar.h"), "kvar": Base("reactive-power", "kvar"),
    "var": Base("reactive-power", "var"), "varh": Base("reactive-energy", "var.h"),
    "kVA": Base("apparent-power", "kV.A"), "VA": Base("apparent-power", "V.A"),
    "kVAh": Base("apparent-energy", "kV.A.h"), "ppm": Base(PLAIN_TEXT, "[ppm]"),
}  # fmt: skip
"""Units that meters write in plain text (VIF 7C) and that can mean one thing only."""


@functools.lru_cache(maxsize=1024)
def value_information(codes: bytes, label: str) -> ValueInformation:
    """Return what a VIF and its extensions say; remembered, since meters repeat themselves.

    Args:
        codes: VIF and VIFEs as sent, each with its extension bit; at least one.
        label: the plain text that follows VIF 7C or FC; empty where there is none.
    """
    base, rest = _base([code & 0x7F for code in codes], label)
    told = Extended()
    if base.quantity != MANUFACTURER:  # behind 7F the manufacturer says what the codes mean
        told = extend(rest)
    is_time = told.is_time or base.quantity in _TIMES_OF_DAY
    unit, factor = told.unit or base.unit, base.factor * told.factor
    if told.unit:
        factor = told.factor
    elif told.per:
        unit, factor = _per(unit, told.per, factor)
    return ValueInformation(
        base.quantity,
        unit,
        factor,
        base.factor * told.addend,
        told.qualifiers,
        is_time,
        base.is_difference,
        base.is_unsigned or told.is_unsigned,
        told.error,
        label,
    )


def _base(codes: Sequence[int], label: str) -> tuple[Base, Sequence[int]]:
    """Return what the VIF says by itself, and the extensions that are left."""
    first = codes[0]
    if first == 0x7C:
        return _LABELS.get(label, Base(PLAIN_TEXT, "")), codes[1:]
    if first not in _EXTENSIONS:
        return _PRIMARY.get(first, Base(UNKNOWN, "")), codes[1:]
    if first == 0x7D and codes[1:2] == [0x7D]:
        return _FD_FD.get(codes[2] if len(codes) > 2 else -1, Base(UNKNOWN, "")), codes[3:]
    return _EXTENSIONS[first].get(codes[1] if len(codes) > 1 else -1, Base(UNKNOWN, "")), codes[2:]


_PER: Final[dict[tuple[str, str], tuple[str, Fraction | int]]] = {
    ("m3", "h"): ("m3/h", 1), ("m3", "s"): ("m3/s", 1), ("m3", "d"): ("m3/d", 1),
    ("m3", "min"): ("L/min", 1000), ("kg", "h"): ("kg/h", 1), ("kg", "s"): ("kg/s", 1),
    ("kg", "min"): ("kg/h", 60), ("W.h", "h"): ("W", 1), ("J", "h"): ("MJ/h", Fraction(1, 10**6)),
    ("J", "s"): ("W", 1), ("1", "h"): ("/h", 1), ("1", "min"): ("/min", 1), ("1", "s"): ("Hz", 1),
}  # fmt: skip
"""What a quantity of the first unit is in each time of the second."""


def _per(unit: str, per: str, factor: Fraction) -> tuple[str, Fraction]:
    """Return the unit of a rate, and the factor; no unit where none is known."""
    known = _PER.get((unit, per))
    return ("", factor) if known is None else (known[0], factor * known[1])
