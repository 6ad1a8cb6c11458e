"""Averages of 1, 8 and 24 hours: what must be there, and in which unit."""

import msgspec
import numpy as np
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.average import AIR_AVERAGE
from tests.edge.kernels.air.hourly import hours
from tests.edge.kernels.built import built, of, run, settings, shaken


def test_the_mean_of_eight_hours():
    kernel = built(AIR_AVERAGE, ["[ppm]"], hours=8)
    assert (kernel.outputs[0].id, kernel.outputs[0].unit) == ("g/d/0.mean-8h", "[ppm]")
    value, _ = of(kernel.step(hours([9, 1, 2, 3, 4, 5, 6, 7, 8])), 1)
    assert value[-1] == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("length", "seen", "quality"),
    [(8, 6, Quality.GOOD), (8, 5, Quality.BAD_STALE), (24, 18, Quality.GOOD),
     (24, 17, Quality.BAD_STALE), (1, 1, Quality.GOOD)],
)  # fmt: skip
def test_three_quarters_of_the_hours_must_be_there(length, seen, quality):
    means = [np.nan] * (length - seen) + [3.0] * seen
    made = built(AIR_AVERAGE, ["ug/m3"], hours=length).step(hours(means))
    assert made.quality[-1] == quality


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(AIR_AVERAGE, ["ug/m3"], hours=8), shaken(4, [80.0], [0, *[600] * 200, 9000])
    )
    assert {Quality.GOOD, Quality.BAD_STALE} <= set(made.quality.tolist())


@pytest.mark.parametrize("fields", [{}, {"hours": 12}, {"hours": 8, "step_min": 45}])
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(AIR_AVERAGE, **fields)


def test_one_input():
    with pytest.raises(ConfigError, match="it reads 1, not 2"):
        built(AIR_AVERAGE, ["ug/m3", "ug/m3"], hours=8)


def test_a_gateway_runs_it(tmp_path):
    table = '[[kernel]]\nname = "k"\nkernel = "air-average"\ninputs = ["d/a"]\nhours = 1\n'
    made = run(tmp_path, ["ug/m3"], table, hours([5.0]))
    assert made["g/d/a.mean-1h"] == ([5.0], [Quality.GOOD])
