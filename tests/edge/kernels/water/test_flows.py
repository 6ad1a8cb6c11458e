"""Outside the limits of a standard a result is doubtful; what is worse stays worse."""

import numpy as np
import pytest

from citytwin import Batch, Point, Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.formula import Reads
from citytwin_edge.kernels.water.limited import FLOW, VELOCITY, Limited, above, finite
from tests.edge.kernels.water.running import of, shaken


def twice(values):
    level = values[0]
    return np.array([2 * level, np.where(level > 8, np.nan, 3 * level), level > 5])


def build():
    return Limited(
        "twice", [Point(id="g/d/h", unit="cm")], [Reads("level", "m")], [FLOW, VELOCITY], twice,
        age_s_max=60,
    )  # fmt: skip


def test_doubt_is_of_all_outputs_and_what_is_worse_stays():
    batch = Batch.of(
        [0] * 4, np.arange(4), [500, 600, 900, np.nan],
        [Quality.UNCERTAIN_CLOCK, Quality.GOOD, Quality.GOOD, Quality.BAD_SILENT],
    )  # fmt: skip
    made = build().step(batch)
    first, doubtful = int(Quality.UNCERTAIN_CLOCK), int(Quality.UNCERTAIN_RANGE)
    assert of(made, 1)[0][:3] == [10, 12, 18]
    assert of(made, 1)[1] == [first, doubtful, doubtful, Quality.BAD_SILENT]
    assert of(made, 2)[1] == [first, doubtful, Quality.BAD_OUT_OF_RANGE, Quality.BAD_SILENT]


def test_it_keeps_every_promise():
    made = check_kernel(build, shaken(1, [500], [500]))
    assert set(made.point.tolist()) == {1, 2}
    assert Quality.UNCERTAIN_RANGE in made.quality


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_settings_that_must_be_above_zero(value):
    with pytest.raises(ValueError, match="width_m must be above 0"):
        above(depth_m=1, width_m=value)


def test_settings_that_must_be_numbers():
    finite(zero_m=-3)
    with pytest.raises(ValueError, match="zero_m must be a number"):
        finite(zero_m=float("nan"))
