"""Ozone NowCast: AirNow's example of 2016, and how it differs from that of particles."""

import numpy as np
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.nowcast import nowcast
from citytwin_edge.kernels.air.ozone_nowcast import OZONE_NOWCAST
from tests.edge.kernels.air.hourly import hours
from tests.edge.kernels.built import built, of, run, shaken

NEWEST_FIRST = [63, 69, 80, 74, 60, np.nan, 35, 22]


def test_the_published_example():
    weight = 0.275 ** np.array([0, 1, 2, 3, 4, 6, 7])
    made = built(OZONE_NOWCAST, ["[ppb]"]).step(hours(NEWEST_FIRST[::-1]))
    assert made.value[-1] == pytest.approx(89.925 / weight.sum(), abs=1e-3)
    assert made.value[-1] == pytest.approx(89.925 / (weight.sum() + 0.275**5), rel=2e-3)
    assert made.quality[-1] == Quality.GOOD


def test_no_weight_is_too_small_and_hours_are_eight():
    assert nowcast(np.array([10.0, 0.0, 0.0]), weight_min=0.0) == 10
    assert nowcast(np.array([np.nan, 10.0, 0.0]), weight_min=0.0) == 10
    made = built(OZONE_NOWCAST, ["[ppb]"]).step(hours([1000.0, *[40.0] * 8]))
    assert made.value[-1] == pytest.approx(40), "the ninth hour back does not count"
    assert made.value[-2] == pytest.approx(40, rel=1e-6)


def test_too_few_hours_are_stale_and_clean_air_is_none():
    made = built(OZONE_NOWCAST, ["[ppb]"]).step(hours([0.0, 0.0, np.nan, np.nan]))
    assert of(made, 1)[1] == [Quality.BAD_STALE, Quality.GOOD, Quality.GOOD, Quality.BAD_STALE]
    assert made.value[1] == 0


def test_the_unit_stays():
    kernel = built(OZONE_NOWCAST, ["ug/m3"])
    assert kernel.outputs[0].unit == "ug/m3"
    with pytest.raises(ConfigError, match="it reads 1, not 2: ozone"):
        built(OZONE_NOWCAST, ["[ppb]", "[ppb]"])


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(OZONE_NOWCAST, ["[ppb]"]), shaken(5, [80.0], [0, 60, 300, 600])
    )
    assert {Quality.GOOD, Quality.BAD_STALE} <= set(made.quality.tolist())


def test_a_gateway_runs_it_and_the_index_behind_it(tmp_path):
    table = (
        '[[kernel]]\nname = "index"\nkernel = "us-aqi"\ninputs = ["d/a.ozone-nowcast"]\n'
        'pollutant = "o3-8h"\n'
        '[[kernel]]\nname = "now"\nkernel = "ozone-nowcast"\ninputs = ["d/a"]\n'
    )
    made = run(tmp_path, ["[ppb]"], table, hours(NEWEST_FIRST[::-1]))
    # 0.065 ppm after truncation: 51 + 49 · (65 − 55) / (70 − 55) = 83.67.
    assert made["g/d/a.ozone-nowcast.aqi"][0][-1] == 84
