"""Compiled: the chain through numba, sample by sample; imported only where numba is."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import overload, register_jitable

from citytwin_edge.kernels.anomaly import activity, arithmetic, budget, chain, drift, envelope
from citytwin_edge.kernels.anomaly import holt_winters, intake, likelihood, profile, pvalue
from citytwin_edge.kernels.anomaly import recurrence, step
from citytwin_edge.kernels.anomaly.paths import COLUMNS


@overload(arithmetic.pick)
def _pick(condition, first, second):
    return lambda condition, first, second: first if condition else second


@overload(arithmetic.larger)
def _larger(first, second):
    return lambda first, second: first if first > second else second


@overload(arithmetic.smaller)
def _smaller(first, second):
    return lambda first, second: first if first < second else second


@overload(arithmetic.whole)
def _whole(number):
    return lambda number: int(number)


@overload(arithmetic.root)
def _root(number):
    return lambda number: math.sqrt(number)


@overload(arithmetic.bits)
def _bits(number):
    return lambda number: np.float64(number).view(np.int64)


@overload(arithmetic.get)
def _get(state, index):
    return lambda state, index: state[index]


@overload(arithmetic.take)
def _take(state, index):
    return lambda state, index: state[index]


@overload(arithmetic.entry)
def _entry(table, index):
    return lambda table, index: table[index]


@overload(arithmetic.put)
def _put(state, index, number):
    def put(state, index, number):
        state[index] = number

    return put


@overload(arithmetic.held)
def _held(counts, bin_):
    return lambda counts, bin_: float(counts[bin_])


@overload(arithmetic.count)
def _count(counts, bin_, most):
    def count(counts, bin_, most):
        for place in range(bin_ + 1):
            counts[place] += np.uint16(1)
        if counts[0] >= most:
            for place in range(len(counts)):
                counts[place] >>= np.uint16(1)

    return count


for _function in (
    arithmetic.log10, arithmetic.rarity, arithmetic.power_of_decay,
    profile.standard, profile.profile, holt_winters.holt_winters, step.step, activity.activity,
    envelope.envelope, drift.drift, likelihood.likelihood, pvalue.pvalue, recurrence._neighbour,
    recurrence.recurrence, budget.maturity, budget.alarm, chain._lead, chain.advance, intake.intake,
):
    register_jitable(_function)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _run(state, counts, every_s, wanted, channel, value, time_s, half, week, day, told):
    for row in range(len(channel)):
        who = channel[row]
        due, x, passed_s = intake.intake(state[who], value[row], time_s[row], every_s[who])
        if due:
            said = chain.advance(
                state[who], counts[who], x, time_s[row], passed_s, half[row], week[row], day[row],
                wanted[who],
            )
            told[row, 0] = 1.0
            told[row, 1], told[row, 2], told[row, 3], told[row, 4] = said[0], said[1], said[2], said[3]
            told[row, 5], told[row, 6], told[row, 7], told[row, 8] = said[4], said[5], said[6], said[7]


class CompiledPath:
    """Sample by sample, a channel's numbers side by side."""

    def __init__(self, channels, every_s, budget) -> None:
        """As :class:`NumpyPath`."""
        self.state = np.zeros((channels, chain.NUMBERS))
        self.counts = np.zeros((channels, chain.CALIBRATED, pvalue.BINS), np.uint16)
        self._every_s, self._budget = every_s, budget

    def run(self, samples):
        """See :class:`Path`."""
        told = np.zeros((len(samples.channel), COLUMNS))
        _run(self.state, self.counts, self._every_s, self._budget, *samples, told)
        return told
