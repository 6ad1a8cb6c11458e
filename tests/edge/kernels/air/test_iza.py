"""IZA5: five of the highest, exponents, and pollutants that were not seen."""

import msgspec
import numpy as np
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.iza import IZA5
from tests.edge.kernels.air.monthly import days
from tests.edge.kernels.built import built, of, run, settings, shaken

SIX = {"limit_mg_m3": [0.1] * 6, "exponent": [1.0] * 6}


def test_exponents():
    kernel = built(IZA5, ["mg/m3", "ug/m3"], limit_mg_m3=[0.04, 3], exponent=[1.3, 0.9])
    made = kernel.step(days([0.08, 6000]))
    assert of(made, 2) == ([pytest.approx(2**1.3 + 2**0.9)], [Quality.GOOD])


def test_the_five_highest_count():
    made = built(IZA5, ["mg/m3"] * 6, **SIX).step(days([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert of(made, 6)[0] == [pytest.approx(2 + 3 + 4 + 5 + 6)]


def test_the_mean_is_of_the_whole_period():
    made = built(IZA5, ["mg/m3"], limit_mg_m3=[0.1], exponent=[1]).step(days([0.1], [0.3]))
    assert of(made, 1)[0] == pytest.approx([1, 2])


def test_a_pollutant_that_was_not_seen():
    kernel = built(IZA5, ["mg/m3"] * 2, limit_mg_m3=[0.1] * 2, exponent=[1] * 2)
    assert of(kernel.step(days([0.1, np.nan])), 2)[1] == [Quality.BAD_STALE]


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(IZA5, ["ug/m3"] * 2, limit_mg_m3=[0.05] * 2, exponent=[1.3, 1]),
        shaken(16, [80.0] * 2, [0, *[600] * 40, 90_000], low=0.5),
    )
    assert len(made) > 20


@pytest.mark.parametrize(
    "fields",
    [{}, {"limit_mg_m3": [0.1]}, {"limit_mg_m3": [0], "exponent": [1]},
     {"limit_mg_m3": [0.1], "exponent": [3]}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(IZA5, **fields)


@pytest.mark.parametrize(("count", "limits"), [(2, 1), (0, 0), (21, 21)])
def test_one_limit_for_each(count, limits):
    with pytest.raises(ConfigError, match="with a limit_mg_m3 and an exponent for each"):
        built(IZA5, ["mg/m3"] * count, limit_mg_m3=[0.1] * limits, exponent=[1] * limits)


def test_a_gateway_runs_it(tmp_path):
    table = (
        '[[kernel]]\nname = "k"\nkernel = "iza5"\ninputs = ["d/a", "d/b"]\n'
        "limit_mg_m3 = [0.1, 0.1]\nexponent = [1.0, 1.0]\n"
    )
    made = run(tmp_path, ["mg/m3"] * 2, table, days([0.1, 0.2]))
    assert made["g/d/a.iza5"] == ([pytest.approx(3.0)], [Quality.GOOD])
