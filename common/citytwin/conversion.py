"""Conversion: how many of one unit another is, for the UCUM codes of :mod:`citytwin.units`.

>>> between("kW.h", "MJ"), between("Cel", "K")
(Scale(factor=3.6, offset=0.0), Scale(factor=1.0, offset=273.15))

Active, reactive and apparent power have the same dimension in the SI; here they are three (W, var,
V.A), since one is never meant where another stands. So are counted things ({vehicles}).
Source: The Unified Code for Units of Measure (UCUM) 2.1, tables 1 to 4.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from typing import Final, NamedTuple

from citytwin.errors import UnitError
from citytwin.units import unit


class Scale(NamedTuple):
    """value in the one unit * factor + offset = value in the other."""

    factor: float
    offset: float


class _Measure(NamedTuple):
    """A unit in base units: value * factor + zero, and the exponent of each base."""

    factor: float
    bases: frozenset[tuple[str, int]]
    zero: float = 0.0


_PREFIXES: Final = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1, "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9,
}  # fmt: skip
_MASS: Final = {"kg": 1}
_ENERGY: Final = {"kg": 1, "m": 2, "s": -2}
_POWER: Final = {"kg": 1, "m": 2, "s": -3}
_PRESSURE: Final = {"kg": 1, "m": -1, "s": -2}
_ATOMS: Final[dict[str, tuple[float, dict[str, int]]]] = {
    "1": (1.0, {}), "%": (1e-2, {}), "[ppm]": (1e-6, {}), "[ppb]": (1e-9, {}),
    "m": (1.0, {"m": 1}), "g": (1e-3, _MASS), "t": (1e3, _MASS), "A": (1.0, {"A": 1}),
    "K": (1.0, {"K": 1}), "deg": (math.pi / 180, {"rad": 1}), "lx": (1.0, {"lx": 1}),
    "s": (1.0, {"s": 1}), "min": (60.0, {"s": 1}), "h": (3600.0, {"s": 1}),
    "d": (86_400.0, {"s": 1}), "a": (31_557_600.0, {"s": 1}), "Hz": (1.0, {"s": -1}),
    "L": (1e-3, {"m": 3}), "N": (1.0, {"kg": 1, "m": 1, "s": -2}),
    "J": (1.0, _ENERGY), "cal_th": (4.184, _ENERGY), "W": (1.0, _POWER),
    "Pa": (1.0, _PRESSURE), "bar": (1e5, _PRESSURE), "m[H2O]": (9806.65, _PRESSURE),
    "[psi]": (6894.757293168361, _PRESSURE), "[kn_i]": (1852 / 3600, {"m": 1, "s": -1}),
    "[g]": (9.80665, {"m": 1, "s": -2}),
    "V": (1.0, {**_POWER, "A": -1}), "Ohm": (1.0, {**_POWER, "A": -2}),
    "S": (1.0, {"kg": -1, "m": -2, "s": 3, "A": 2}),
    "VA": (1.0, {"VA": 1}), "var": (1.0, {"var": 1}), "By": (1.0, {"By": 1}),
    "dB": (1.0, {"dB": 1}), "dB[mW]": (1.0, {"dBm": 1}), "[pH]": (1.0, {"pH": 1}),
    "mol": (1.0, {"mol": 1}),
}  # fmt: skip
_WHOLE: Final = {
    "Cel": _Measure(1.0, frozenset({("K", 1)}), 273.15),
    "[degF]": _Measure(5 / 9, frozenset({("K", 1)}), 273.15 - 32 * 5 / 9),
}
"""Units with a zero of their own; they stand alone."""
_TERM: Final = re.compile(r"([./]?)((?:\{[^}]*\}|\[[^\]]*\]|[^./])+)")
_POWER_OF: Final = re.compile(r"(.*?[^\d])(\d+)")


def between(one: str, other: str) -> Scale:
    """Return how values in one unit become values in the other.

    Raises:
        UnitError: a code is not known, or the two do not measure the same.
    """
    have, want = _measure(one), _measure(other)
    if have.bases != want.bases:
        raise UnitError(f"unit {one!r} cannot become {other!r}: they do not measure the same")
    factor = have.factor / want.factor
    # 15 digits are what a float64 keeps of a product: 3.6, not 3.5999999999999996.
    offset = (have.zero - want.zero) / want.factor
    return Scale(float(f"{factor:.15g}"), float(f"{offset:.12g}"))


def commensurable(one: str, other: str) -> bool:
    """Tell whether two units measure the same.

    Raises:
        UnitError: a code is not known.
    """
    return _measure(one).bases == _measure(other).bases


@functools.cache
def _measure(code: str) -> _Measure:
    code = unit(code).ucum
    if code in _WHOLE:
        return _WHOLE[code]
    factor, bases = 1.0, Counter[str]()
    for sign, term in _TERM.findall(code.replace("V.A", "VA")):
        size, of = _term(term)
        power = -1 if sign == "/" else 1
        factor *= size**power
        for base, exponent in of.items():
            bases[base] += power * exponent
    return _Measure(factor, frozenset((base, n) for base, n in bases.items() if n))


def _term(term: str) -> tuple[float, dict[str, int]]:
    if term.startswith("{"):
        return 1.0, {term: 1}
    raised = _POWER_OF.fullmatch(term)
    if term not in _ATOMS and raised is not None:
        size, of = _term(raised[1])
        power = int(raised[2])
        return size**power, {base: n * power for base, n in of.items()}
    if term in _ATOMS:
        return _ATOMS[term]
    atom = _ATOMS.get(term[1:])
    if atom is None or term[0] not in _PREFIXES:
        raise UnitError(f"unit {term!r} has no size in citytwin.conversion; add it there")
    return _PREFIXES[term[0]] * atom[0], atom[1]
