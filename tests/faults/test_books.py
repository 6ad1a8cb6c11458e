"""The books of the fault tests: a loss is found, and a late answer is not taken for one."""

import math

import pytest

from tests.faults.books import Gap, Life, gaps
from tests.faults.meters import Meter

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "lies_after", "found"),
    [
        ([6, 7, 8, 9], [], []),
        ([6, 9], [], [Gap(2, 0)]),
        ([6, 7], [], [Gap(2, 0)]),
        ([9], [], [Gap(3, 0)]),
        ([6, NAN, 8, 9], [], [Gap(1, 1)]),
        ([6, NAN, 9], [], [Gap(2, 1)]),
        ([6, NAN, NAN, 7, 8, 9], [6, 6], []),
        ([6, NAN, NAN, 8, 9], [6, 6], [Gap(1, 0)]),
        ([6, NAN, NAN, NAN, 8, 9], [6, 6], [Gap(1, 1)]),
        ([4, NAN, 5, 6, 8, 9], [], [Gap(1, 0)]),
        ([6, 7, NAN, 8, NAN], [], [Gap(1, 1)]),
    ],
)
def test_each_missing_number_is_lost_or_has_a_reason(values, lies_after, found):
    """Answers 6 to 9 are those of a life; reasons of lies excuse nothing else."""
    meter = Meter("m")
    meter.lies_after = lies_after
    assert list(gaps(Life(meter, 5, 9), 9, values)) == found


def test_who_is_not_asked_has_no_excuse():
    meter = Meter("m")
    meter.is_asked = False
    assert list(gaps(Life(meter, 5, 9), 9, [6, NAN, 8, 9])) == [Gap(1, 0)]
