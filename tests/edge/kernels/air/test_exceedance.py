"""SI and NP: how far and how often above the limit."""

import msgspec
import numpy as np
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.exceedance import EXCEEDANCE
from tests.edge.kernels.air.monthly import days
from tests.edge.kernels.built import built, of, run, settings, shaken


def test_how_far_and_how_often():
    # 27 of 72 means lie above the limit, the highest at three times of it; at it is not above it.
    values = np.repeat([0.1, 0.5, 0.6, 1.5], 18)
    values[36:45] = 0.2
    kernel = built(EXCEEDANCE, ["ug/m3"], limit_mg_m3=0.5)
    made = kernel.step(days([1000 * values]))
    assert of(made, 1) == ([pytest.approx(3.0)], [Quality.GOOD])
    assert of(made, 2) == ([pytest.approx(100 * 27 / 72)], [Quality.GOOD])


def test_of_posts_and_pollutants_the_highest_counts():
    # The first is the furthest above its limit, the second the most often; the third is never.
    first, second = np.full(72, 0.1), np.full(72, 0.1)
    first[0], second[:36] = 1.5, 0.3
    made = built(EXCEEDANCE, ["mg/m3"] * 3, limit_mg_m3=[0.5, 0.2, 9.0]).step(
        days([first, second, 5.0])
    )
    assert of(made, 3) == ([pytest.approx(3.0)], [Quality.GOOD])
    assert of(made, 4) == ([pytest.approx(50.0)], [Quality.GOOD])


def test_what_was_not_seen_leaves_doubt():
    kernel = built(EXCEEDANCE, ["mg/m3"] * 2, limit_mg_m3=[0.5, 0.2])
    made = kernel.step(days([1.0, np.nan]))
    assert of(made, 2) == ([pytest.approx(2.0)], [Quality.UNCERTAIN_STALE])
    assert of(made, 3) == ([pytest.approx(100.0)], [Quality.UNCERTAIN_STALE])


def test_clean_air():
    made = built(EXCEEDANCE, ["mg/m3"], limit_mg_m3=0.5).step(days([-0.001]))
    assert made.value.tolist() == [0, 0]


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(EXCEEDANCE, ["ug/m3"], limit_mg_m3=0.05),
        shaken(15, [80.0], [0, *[600] * 40, 90_000]),
    )
    assert len(made) > 20


def test_it_keeps_every_promise_of_several():
    made = check_kernel(
        lambda: built(EXCEEDANCE, ["ug/m3"] * 3, limit_mg_m3=[0.05, 0.06, 0.07]),
        shaken(16, [80.0] * 3, [0, *[600] * 40, 90_000]),
    )
    assert len(made) > 20


@pytest.mark.parametrize(
    "fields", [{}, {"limit_mg_m3": 0}, {"limit_mg_m3": [1, 0]}, {"limit_mg_m3": 1, "limit": 2}]
)
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(EXCEEDANCE, **fields)


def test_wrong_inputs_are_named():
    with pytest.raises(ConfigError, match="input 1 is the concentration, in mg/m3"):
        built(EXCEEDANCE, ["[ppb]"], limit_mg_m3=1)
    with pytest.raises(ConfigError, match="a limit_mg_m3 for each; there are 2 and 1"):
        built(EXCEEDANCE, ["mg/m3", "mg/m3"], limit_mg_m3=1)


def test_a_gateway_runs_it(tmp_path):
    table = '[[kernel]]\nname = "k"\nkernel = "exceedance"\ninputs = ["d/a"]\nlimit_mg_m3 = 0.5\n'
    made = run(tmp_path, ["mg/m3"], table, days([1.0]))
    assert made["g/d/a.si"] == ([2.0], [Quality.GOOD])
    assert made["g/d/a.np"] == ([100.0], [Quality.GOOD])
