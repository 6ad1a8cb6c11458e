"""Decimals: float64 <-> whole numbers, exactly, in the coarsest way that gives every bit back.

A field value is nearly always a register times a power of ten. Each point has a *form*:

====== =============================================================== =======================
form   value                                                           whole number
====== =============================================================== =======================
0–6    n / 10**form (the nearest float64 to a decimal)                 n, below 2**53
7–12   n * 10**-(form-6) (a register times 0.1, off by a last bit)     n, below 2**53
13     a float32                                                       its bits, in its order
14     any float64                                                     its bits, in its order
====== =============================================================== =======================

Bits "in its order": the pattern read as a signed number, negative ones turned around, so that
neighbouring values have neighbouring numbers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from citytwin.errors import MalformedError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

SINGLE: Final = 13
DOUBLE: Final = 14
UNSET: Final = 15
"""The form of a point that has had no value yet."""
WHOLE_MAX: Final = 1 << 53
_DECIMALS: Final = np.array([0, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12], np.uint8)
"""The order in which forms are tried: smallest numbers first; SINGLE follows, then DOUBLE."""
_AT_ONCE_VALUES_MAX: Final = 4096
DIGITS: Final = np.array([0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 8, 9, 0], np.int64)
"""How fine each form is; the bit patterns stand above the decimals, UNSET asks for nothing."""

_DIVIDES: Final = 7
_POWERS: Final = np.array([10.0**n for n in range(7)] + [10.0**n for n in range(1, 7)])
_FACTORS: Final = np.array([1.0] * _DIVIDES + [float(f"1e-{n}") for n in range(1, 7)])
_LOW_31: Final = np.int64(0x7FFFFFFF)
_LOW_63: Final = np.int64(0x7FFFFFFFFFFFFFFF)


def to_whole(value: Float64, form: UInt8) -> tuple[Int64, Mask]:
    """Return the whole number of each value in its form, and where the form gives it back.

    Args:
        value: shape (n,), finite, without -0.0.
        form: shape (n,), 0 to UNSET; UNSET gives nothing back.
    """
    highest = int(form.max(initial=0))
    if highest < SINGLE:
        return _to_decimal(value, form)
    whole = np.zeros(len(value), np.int64)
    exact = np.zeros(len(value), np.bool_)
    decimal = form < SINGLE
    whole[decimal], exact[decimal] = _to_decimal(value[decimal], form[decimal])
    single = form == SINGLE
    if single.any():
        with np.errstate(over="ignore", under="ignore"):
            narrow = value[single].astype(np.float32)
        exact[single] = narrow.astype(np.float64) == value[single]
        whole[single] = _ordered(narrow.view(np.int32).astype(np.int64), _LOW_31)
    double = form == DOUBLE
    if double.any():
        exact[double] = True
        whole[double] = _ordered(value[double].view(np.int64), _LOW_63)
    return whole, exact


def from_whole(whole: Int64, form: UInt8) -> Float64:
    """Return the values of whole numbers.

    Raises:
        MalformedError: a number is too large for its form, or stands for no finite value.
    """
    decimal = form < SINGLE
    value = np.empty(len(whole))
    if decimal.all():
        value = _from_decimal(whole, form)
    else:
        value[decimal] = _from_decimal(whole[decimal], form[decimal])
        single = form == SINGLE
        value[single] = _from_single(whole[single])
        double = ~(decimal | single)
        value[double] = _ordered(whole[double], _LOW_63).view(np.float64)
    if not np.isfinite(value).all():
        raise MalformedError("a value that is not finite")
    return value


def choose_form(value: Float64, starts: npt.NDArray[np.intp], digits_min: Int64) -> UInt8:
    """Return, for each group of values, the simplest form that gives all of them back.

    Args:
        value: shape (n,), finite, without -0.0; the values of a group lie together.
        starts: where each group begins, growing from 0, shape (groups,).
        digits_min: how many DIGITS the form must have at least, shape (groups,).

    Returns:
        Forms, shape (groups,); DOUBLE where no other will do.
    """
    chosen = np.full(len(starts), DOUBLE, np.uint8)
    # All at once is quickest for the hundreds of values of a usual block; a table of a hundred
    # thousand values by thirteen forms would be large.
    at_once = len(_DECIMALS) if len(value) <= _AT_ONCE_VALUES_MAX else 1
    for first in range(0, len(_DECIMALS), at_once):
        forms = _DECIMALS[first : first + at_once]
        _, exact = _to_decimal(value[:, None], forms[None, :])
        fits = np.logical_and.reduceat(exact, starts, axis=0)
        fits &= digits_min[:, None] <= DIGITS[forms]
        found = fits.any(axis=1) & (chosen == DOUBLE)
        chosen[found] = forms[fits[found].argmax(axis=1)]
        if (chosen != DOUBLE).all():
            return chosen
    with np.errstate(over="ignore", under="ignore"):
        exact = value.astype(np.float32).astype(np.float64) == value
    fits = np.logical_and.reduceat(exact, starts) & (digits_min <= DIGITS[SINGLE])
    chosen[fits & (chosen == DOUBLE)] = SINGLE
    return chosen


def _to_decimal(value: Float64, form: UInt8) -> tuple[Int64, Mask]:
    with np.errstate(over="ignore"):
        scaled = np.rint(value * _POWERS[form])
    fits = np.abs(scaled) < WHOLE_MAX
    if not fits.all():
        scaled = np.where(fits, scaled, 0.0)
    exact: Mask = (_scaled(scaled, form) == value) & fits
    return scaled.astype(np.int64), exact


def _from_decimal(whole: Int64, form: UInt8) -> Float64:
    if ((whole >= WHOLE_MAX) | (whole <= -WHOLE_MAX)).any():
        raise MalformedError("a whole number of 2**53 or more")
    return _scaled(whole.astype(np.float64), form)


def _scaled(number: Float64, form: UInt8) -> Float64:
    multiplies = form >= _DIVIDES
    if not multiplies.any():
        quotient: Float64 = number / _POWERS[form]
        return quotient
    both: Float64 = np.where(multiplies, number * _FACTORS[form], number / _POWERS[form])
    return both


def _from_single(whole: Int64) -> Float64:
    if ((whole > _LOW_31) | (whole < -_LOW_31 - 1)).any():
        raise MalformedError("a number that is no float32")
    narrow = _ordered(whole, _LOW_31).astype(np.int32).view(np.float32)
    with np.errstate(invalid="ignore"):
        return narrow.astype(np.float64)


def _ordered(bits: Int64, low: np.int64) -> Int64:
    """Turn the order of negative patterns around; its own inverse."""
    return np.where(bits < 0, bits ^ low, bits)
