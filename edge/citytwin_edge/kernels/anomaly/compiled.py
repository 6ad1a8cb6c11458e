"""Compiled: the chain through numba, sample by sample; imported only where numba is.

``python -m citytwin_edge.kernels.anomaly.compiled`` compiles it for this machine and keeps the code
beside this file: the installer does that, because the service may write nothing there.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
from pathlib import Path
from typing import Any

import numba
import numpy as np
import structlog
from numba.core.caching import InTreeCacheLocator
from numba.extending import overload, register_jitable

from citytwin.batch import Float64
from citytwin_edge.kernels.anomaly import (
    activity,
    arithmetic,
    budget,
    chain,
    drift,
    envelope,
    holt_winters,
    intake,
    likelihood,
    neighbours,
    profile,
    pvalue,
    recurrence,
    step,
)
from citytwin_edge.kernels.anomaly.budget import threshold_at
from citytwin_edge.kernels.anomaly.paths import COLUMNS, Bools, Samples

_log = structlog.get_logger(__name__)


_SCALE, _NEAR_SCALE = 1.0 / chain.PARTS, 1.0 / (chain.PARTS + 1.0)
_PLACES = np.arange(pvalue.BINS).astype(np.uint16)


# Typing and implementation must have the same signature, annotations and all: these have none.
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
    return lambda state, index: state[np.uintp(index)]


@overload(arithmetic.take)
def _take(state, index):
    return lambda state, index: state[np.uintp(index)]


@overload(arithmetic.entry)
def _entry(table, index):
    return lambda table, index: table[np.uintp(index)]


@overload(arithmetic.put)
def _put(state, index, number):
    def put(state, index, number):
        state[np.uintp(index)] = number

    return put


@overload(arithmetic.some)
def _some(condition):
    return lambda condition: condition


@overload(arithmetic.move_up)
def _move_up(state, first, length, number):
    def move_up(state, first, length, number):
        for place in range(np.uintp(first), np.uintp(first + length - 1)):
            state[place] = state[place + np.uintp(1)]
        state[np.uintp(first + length - 1)] = number

    return move_up


@overload(arithmetic.third_nearest)
def _third_nearest(state, first, size, seen):
    def third_nearest(state, first, size, seen):
        length, window = size
        one = two = three = np.inf
        last = first + length - window
        for begin in range(max(last + window - int(seen), first), last):
            total = 0.0
            for place in range(window):
                off = state[np.uintp(last + place)] - state[np.uintp(begin + place)]
                total += off * off
            if total < three:
                if total < two:
                    three = two
                    if total < one:
                        two, one = one, total
                    else:
                        two = total
                else:
                    three = total
        return three

    return third_nearest


@overload(arithmetic.held)
def _held(counts, bin_):
    return lambda counts, bin_: float(counts[np.uintp(bin_)])


@overload(arithmetic.all_held)
def _all_held(counts):
    return lambda counts: float(counts[0])


@overload(arithmetic.count)
def _count(counts, bin_, most):
    def count(counts, bin_, most):
        # All bins, by a comparison: that becomes a handful of vector instructions.
        last = np.uint16(bin_)
        for place in range(np.uintp(pvalue.BINS)):
            counts[place] += np.uint16(_PLACES[place] <= last)
        if counts[0] >= most:
            for place in range(np.uintp(pvalue.BINS)):
                counts[place] >>= np.uint16(1)

    return count


for _function in (
    arithmetic.log10,
    arithmetic.rarity,
    arithmetic.power_of_decay,
    arithmetic.rate_of,
    profile.standard,
    profile.profile,
    holt_winters.holt_winters,
    step.step,
    activity.activity,
    envelope.envelope,
    drift.drift,
    likelihood.likelihood,
    neighbours.neighbours,
    pvalue.pvalue,
    recurrence._neighbour,
    recurrence.recurrence,
    budget.maturity,
    budget.alarm,
    chain._lead,
    chain._scores,
    chain.nearness,
    chain.advance,
    intake.intake,
):
    # Called, each would take its arrays over the stack and count who holds them: a third of all.
    register_jitable(error_model="numpy", forceinline=True)(_function)


def _driver(sources: str) -> Any:
    """Return the compiled driver; ``sources`` makes the kept code of other sources useless."""

    @numba.njit(error_model="numpy", nogil=True)
    def run(
        state: Any,
        counts: Any,
        every_s: Any,
        budget: Any,
        begins: Any,
        near: Any,
        channel: Any,
        value: Any,
        time_s: Any,
        half: Any,
        week: Any,
        day: Any,
        told: Any,
    ) -> None:
        _ = sources  # part of the key of what is kept
        for row in range(len(channel)):
            who = channel[row]
            due, x, passed_s = intake.intake(state[who], value[row], time_s[row], every_s[who])
            if due:
                when = (time_s[row], passed_s, half[row], week[row], day[row])
                close = chain.nearness(state[who], counts[who], x) if near[who] else 0.0
                scale = _NEAR_SCALE if near[who] else _SCALE
                aim = (budget[who], begins[who], close, scale)
                said = chain.advance(state[who], counts[who], x, when, aim)
                told[row, 0] = 1.0
                told[row, 1], told[row, 2], told[row, 3] = said[0], said[1], said[2]
                told[row, 4], told[row, 5], told[row, 6] = said[3], said[4], said[5]
                told[row, 7], told[row, 8], told[row, 9] = said[6], said[7], said[8]

    return run


class KeptCode(InTreeCacheLocator):
    """Finds code that was kept beside the source, also where it cannot be written."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: Any) -> KeptCode | None:
        """Return the place if there is code already, or some can be put there; else None."""
        place: Any = cls(py_func, py_file)
        folder = Path(place.get_cache_path())
        kept = any(folder.glob(f"{Path(py_file).stem}.{py_func.__qualname__.split('.')[0]}.*.nbi"))
        return place if kept or os.access(folder.parent, os.W_OK) else None


def _kept(driver: Any) -> Any:
    """Let a driver look for kept code, and keep its own, where that can be; return it."""
    config: Any = importlib.import_module("numba.core.config")  # its fields are made at run time
    before = config.CACHE_LOCATOR_CLASSES
    places = ("numba.core.caching.UserProvidedCacheLocator", f"{__name__}.{KeptCode.__name__}",
              "numba.core.caching.UserWideCacheLocator")  # fmt: skip
    config.CACHE_LOCATOR_CLASSES = ",".join(places)
    try:
        driver.enable_caching()
    except RuntimeError:  # no place; it is compiled with every start
        _log.info("anomaly.code_not_kept")
    finally:
        config.CACHE_LOCATOR_CLASSES = before
    return driver


def _sources() -> str:
    """Return a digest of the files that the driver is made of."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


_run = _kept(_driver(_sources()))


class CompiledPath:
    """Sample by sample, a channel's numbers side by side; see :class:`paths.Path`."""

    def __init__(
        self, channels: int, every_s: Float64, budget: Float64, near: Bools | None = None
    ) -> None:
        """As :class:`paths.NumpyPath`."""
        self.state = np.zeros((channels, chain.NUMBERS))
        self.counts = np.zeros((channels, chain.CALIBRATED, pvalue.BINS), np.uint16)
        self._every_s, self._budget = every_s, budget
        self._near = np.zeros(channels, bool) if near is None else near
        self._begins = np.array([threshold_at(one) for one in budget.tolist()])
        nothing = np.zeros(0, np.int64)
        try:  # whatever is to be compiled is compiled here
            self.run(Samples(nothing.astype(np.int32), np.zeros(0), np.zeros(0), *[nothing] * 3))
        except OSError as error:  # it is compiled, but cannot be kept
            _log.info("anomaly.code_not_kept", reason=str(error))

    def run(self, samples: Samples) -> Float64:
        """Return what is to be said of each sample; see the contract."""
        told = np.zeros((len(samples.channel), COLUMNS))
        columns = [np.array(column) for column in samples]  # writable: one set of types is compiled
        own = (self._every_s, self._budget, self._begins, self._near)
        _run(self.state, self.counts, *own, *columns, told)
        return told


if __name__ == "__main__":
    # Under its own name, by which the kept code is known.
    importlib.import_module("citytwin_edge.kernels.anomaly.compiled").CompiledPath(
        1, np.ones(1), np.ones(1)
    )
