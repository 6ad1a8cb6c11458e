"""Arithmetic: the few operations that the chain is made of, over columns or over single numbers.

A formula written with these runs as it stands with numpy, where every name is a column over the
channels, and compiled, where it is one channel's number. Only what IEEE 754 defines to the last bit
is used, and logarithms are looked up in one table, so both give the same numbers.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np

LOG_BITS: Final = 8
LOG_TABLE: Final = np.array([math.log10(1 + i / (1 << LOG_BITS)) for i in range(257)])
LOG_2: Final = math.log10(2.0)
TAIL_STEPS: Final = 16
"""So many entries of the normal distribution's tail for each standard deviation."""
TAIL_X_MAX: Final = 7.0
TAIL_TABLE: Final = np.array(
    [-math.log10(0.5 * math.erfc(i / TAIL_STEPS / math.sqrt(2.0))) for i in range(114)]
)


def pick(condition: Any, first: Any, second: Any) -> Any:
    """Return the first where the condition holds, else the second."""
    return np.where(condition, first, second)


def larger(first: Any, second: Any) -> Any:
    """Return the larger of two numbers."""
    return np.maximum(first, second)


def smaller(first: Any, second: Any) -> Any:
    """Return the smaller of two numbers."""
    return np.minimum(first, second)


def root(number: Any) -> Any:
    """Return the square root."""
    return np.sqrt(number)


def whole(number: Any) -> Any:
    """Return the whole part of a number that is not negative, as an index."""
    return number.astype(np.int64)


def bits(number: Any) -> Any:
    """Return the bits of a float64 as int64."""
    return number.view(np.int64)


def get(state: Any, index: int) -> Any:
    """Return the number at one place of the state, as it is now."""
    return state[index].copy()


def take(state: Any, index: Any) -> Any:
    """Return a number of each channel's state; shape (numbers, channels) or (numbers,)."""
    return state.take(_flat(state, index))


def put(state: Any, index: Any, number: Any) -> None:
    """Set a number of each channel's state."""
    state.put(_flat(state, index), number)


def _flat(table: Any, index: Any) -> Any:
    # One flat index is found three times as fast as a pair of them.
    channels = table.shape[1]
    return index * channels + _columns(channels)


@lru_cache(maxsize=16)
def _columns(channels: int) -> Any:
    return np.arange(channels)


def entry(table: Any, index: Any) -> Any:
    """Return an entry of a table that all channels share."""
    return table[index]


def some(condition: Any) -> Any:
    """Return whether a condition holds for any channel: what is only for those can be left out."""
    return bool(condition.any())


def rate_of(least: Any, seen: Any) -> Any:
    """Return the rate of a mean that counts the first alike, and forgets by ``least`` later."""
    rate = least
    if some(seen * least < 1.0):
        rate = larger(least, 1.0 / seen)
    return rate


def move_up(state: Any, first: int, length: int, number: Any) -> None:
    """Move numbers of each channel's state down by one place, and put one at their end."""
    state[first : first + length - 1] = state[first + 1 : first + length]
    state[first + length - 1] = number


def third_nearest(state: Any, first: int, size: Any, seen: Any) -> Any:
    """Return the third smallest of the squared distances from the last window to those before it.

    Args:
        state: as of ``take``; the values are in it from ``first`` on, the latest last.
        size: how many values there are, and how many make a window.
        seen: so many of them are values; where there are not three windows, the result is inf.
    """
    length, window = size
    windows = length - window
    total = np.zeros((windows, state.shape[1]))
    for place in range(window):
        off = state[first + windows + place] - state[first + place : first + place + windows]
        total += off * off
    total[np.arange(windows)[:, None] < length - seen] = np.inf
    return np.partition(total, 2, axis=0)[2]


def held(counts: Any, bin_: Any) -> Any:
    """Return how many values lie in a bin or above, of a channel's cumulative counts."""
    return counts.take(_flat(counts, bin_)).astype(np.float64)


def all_held(counts: Any) -> Any:
    """Return how many values a channel's cumulative counts hold."""
    return counts[0].astype(np.float64)


def count(counts: Any, bin_: Any, most: int) -> None:
    """Count a value in its bin and all below; halve a channel's counts when there are too many."""
    counts += _BINS[: counts.shape[0]] <= bin_.astype(np.uint8)
    if counts[0].max(initial=0) >= most:
        full = counts[0] >= most
        counts[:, full] >>= 1


_BINS: Final = np.arange(255, dtype=np.uint8)[:, None]


def log10(number: Any) -> Any:
    """Return the decimal logarithm of a normal number above 0, to 3e-6."""
    code = bits(number)
    exponent = (code >> 52) - 1023
    index = (code >> (52 - LOG_BITS)) & ((1 << LOG_BITS) - 1)
    rest = (code & ((1 << (52 - LOG_BITS)) - 1)) * 2.0 ** -(52 - LOG_BITS)
    low = entry(LOG_TABLE, index)
    return exponent * LOG_2 + low + rest * (entry(LOG_TABLE, index + 1) - low)


def rarity(deviations: Any) -> Any:
    """Return -log10 of the chance that a normal variable exceeds its mean by so many deviations."""
    place = smaller(larger(deviations, 0.0), TAIL_X_MAX) * TAIL_STEPS
    index = whole(place)
    low = entry(TAIL_TABLE, index)
    return pick(deviations > 0.0, low + (place - index) * (entry(TAIL_TABLE, index + 1) - low), 0.0)


DECAY_DAYS_MAX: Final = 400
DECAYS: Final = np.array([0.95**days for days in range(DECAY_DAYS_MAX + 1)])


def power_of_decay(days: Any) -> Any:
    """Return what is left of something that loses a twentieth a day; backwards counts, too."""
    return entry(DECAYS, whole(smaller(abs(days), float(DECAY_DAYS_MAX))))
