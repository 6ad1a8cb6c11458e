"""Slots: what a slot of time holds, late samples, clocks that are set back."""

import numpy as np
import pytest

from citytwin import Batch, Label, Point, Quality
from citytwin.batch import SECOND_NS
from citytwin.testing import check_kernel
from citytwin_edge.kernels.formula import Gives
from citytwin_edge.kernels.slots import LATE_MAX, Slots, row
from tests.edge.kernels.built import START_NS, at, of, shaken

POINT = Point(id="g/d/p")


class Total(Slots):
    """Adds up."""

    def __init__(self):
        gives = Gives("total", "1", Label(en="Total"))
        super().__init__("total", [POINT], [gives.point(POINT)], slot_ns=60 * SECOND_NS)
        self._keep({"sum": np.zeros(1)})

    def _take(self, sample):
        if sample.usable:
            self._columns["sum"][0] += sample.value

    def _close(self, slot, following):
        total = float(self._columns["sum"][0])
        self._columns["sum"][0] = 0
        return [row(self._ends(slot), 0, total, 0)]


def test_a_slot_is_told_with_the_first_sample_behind_it():
    made = Total().step(Batch.of([0, 0, 0, 0], at(0, 59, 60, 200), [1, 2, 4, 8]))
    assert made.value.tolist() == [3, 4]
    assert made.time_ns.tolist() == at(60, 120)


def test_a_late_sample_is_passed_over_and_a_clock_set_back_is_believed_at_last():
    kernel, count = Total(), LATE_MAX + 2
    times = [*at(3600), *[START_NS] * (LATE_MAX + 1)]
    assert not len(kernel.step(Batch.of(np.zeros(count), times, np.ones(count))))
    # Of all those only the last one counts: with it the clock is believed.
    assert kernel.step(Batch.of([0], at(60), [0])).value.tolist() == [1]


def test_it_keeps_every_promise():
    assert len(check_kernel(Total, shaken(1, [5.0], [0, 1, 10, 90]))) > 50


@pytest.mark.parametrize(
    ("value", "quality", "becomes"),
    [
        (2.0, Quality.GOOD, (2.0, Quality.GOOD)),
        (np.inf, Quality.GOOD, (np.nan, Quality.BAD_OUT_OF_RANGE)),
        (2.0, Quality.BAD_STALE, (np.nan, Quality.BAD_STALE)),
    ],
)
def test_what_is_no_number_is_bad(value, quality, becomes):
    made = row(0, 0, value, int(quality))
    assert (made.value, made.quality) == pytest.approx(becomes, nan_ok=True)


def test_of_names_a_point():
    assert of(Batch.of([0, 1], START_NS, [1, 2]), 1) == ([2.0], [0])
