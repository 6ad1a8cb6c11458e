"""Hours: three quarters of one must be seen, and hours of silence are told of."""

import numpy as np
import pytest

from citytwin import Batch, Label, Point, Quality
from citytwin.conversion import Scale
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.hours import Hours
from citytwin_edge.kernels.formula import Gives
from tests.edge.kernels.air.hourly import hours
from tests.edge.kernels.built import at, shaken

POINT = Point(id="g/d/p", unit="ug/m3")


class Last(Hours):
    """Gives the mean of the last hour."""

    def __init__(self, step_min=15):
        gives = Gives("last", "ug/m3", Label(en="Last"))
        super().__init__(
            "last", [POINT], [gives.point(POINT)], scale=Scale(2.0, 0.0), hours=3, step_min=step_min
        )

    def _hour(self, mean, quality):
        yield float(mean[0]), int(quality[0])


def test_an_hour_is_the_mean_of_its_parts():
    # The first quarter has many samples and the others have one: each quarter counts alike.
    times = at(*range(0, 900, 60), 900, 1800, 2700, 3600)
    made = Last().step(Batch.of(np.zeros(19), times, [1.0] * 15 + [2, 3, 6, 0]))
    assert made.value.tolist() == [pytest.approx(2 * (1 + 2 + 3 + 6) / 4)]
    assert made.time_ns.tolist() == at(3600)


@pytest.mark.parametrize(("seen", "known"), [(4, True), (3, True), (2, False)])
def test_three_quarters_must_be_seen(seen, known):
    times = at(*(900 * part for part in range(seen)), 3600)
    made = Last().step(Batch.of(np.zeros(seen + 1), times, np.ones(seen + 1)))
    assert bool(np.isfinite(made.value[0])) == known
    assert made.quality[0] == (Quality.GOOD if known else Quality.BAD_OUT_OF_RANGE)


def test_hours_of_silence_are_told_of_up_to_what_is_kept():
    batch = Batch.concat([hours([5.0]).select(slice(0, -1)), Batch.of([0], at(100 * 3600), [1])])
    made = Last().step(batch)
    assert made.time_ns.tolist() == at(3600, 7200, 10_800, 14_400)
    assert np.isnan(made.value[1:]).all()


def test_doubt_stays_with_its_hour():
    first = hours([5.0], quality=Quality.UNCERTAIN_CLOCK)
    made = Last().step(first)
    assert made.quality.tolist() == [Quality.UNCERTAIN_CLOCK]


def test_it_keeps_every_promise():
    made = check_kernel(Last, shaken(2, [50.0], [0, *[60] * 200, 4000]))
    assert {Quality.GOOD, Quality.UNCERTAIN_CLOCK} <= set(made.quality.tolist())
