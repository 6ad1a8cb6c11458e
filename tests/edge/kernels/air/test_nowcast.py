"""NowCast: the published number, missing hours, and what is refused."""

import msgspec
import numpy as np
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.nowcast import NOWCAST, nowcast
from tests.edge.kernels.air.hourly import hours
from tests.edge.kernels.built import built, of, run, settings, shaken

NEWEST_FIRST = [13, 16, 10, 21, 74, 64, 53, 82, 90, 75, 80, 50]


def test_the_published_example():
    made = built(NOWCAST, ["ug/m3"]).step(hours(NEWEST_FIRST[::-1]))
    assert made.value[-1] == pytest.approx(17.4139, abs=5e-5)
    assert made.quality[-1] == Quality.GOOD


def test_the_weight_is_never_below_a_half():
    assert nowcast(np.array([10.0, 0.0, 0.0])) == pytest.approx(10 / 1.75)
    # Steady air: min/max is above a half, and weighs.
    assert nowcast(np.array([8.0, 10.0])) == pytest.approx((8 + 0.8 * 10) / 1.8)


@pytest.mark.parametrize(
    ("mean", "value"),
    [
        ([10, np.nan, 10], 10),
        ([np.nan, 10, 10], 10),
        ([np.nan, np.nan, 10, 10], np.nan),
        ([10, np.nan, np.nan, 10], np.nan),
        ([0, 0], 0),
        ([-1, 4], 4 * 0.5 / 1.5),
        # A missing hour keeps its place in the weights.
        ([4, np.nan, 8], (4 + 0.25 * 8) / 1.25),
    ],
)
def test_missing_hours(mean, value):
    assert nowcast(np.array(mean, float)) == pytest.approx(value, nan_ok=True)


def test_too_few_hours_are_stale():
    made = built(NOWCAST, ["ug/m3"]).step(hours([7.0, 7.0, np.nan, np.nan]))
    assert of(made, 1)[1] == [Quality.BAD_STALE, Quality.GOOD, Quality.GOOD, Quality.BAD_STALE]


def test_milligrams_will_do_and_parts_of_volume_do_not():
    made = built(NOWCAST, ["mg/m3"]).step(hours([0.01, 0.01]))
    assert made.value[-1] == pytest.approx(10)
    with pytest.raises(ConfigError, match="in ug/m3 or a unit that can become it"):
        built(NOWCAST, ["[ppb]"])


def test_it_keeps_every_promise():
    made = check_kernel(lambda: built(NOWCAST, ["ug/m3"]), shaken(3, [80.0], [0, 60, 300, 9000]))
    assert {Quality.GOOD, Quality.BAD_STALE} <= set(made.quality.tolist())


@pytest.mark.parametrize("fields", [{"step_min": 7}, {"step_min": 0}, {"hours": 12}])
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(NOWCAST, **fields)


def test_a_gateway_runs_it_and_the_index_behind_it(tmp_path):
    table = (
        '[[kernel]]\nname = "index"\nkernel = "us-aqi"\ninputs = ["d/a.nowcast"]\n'
        'pollutant = "pm25"\n'
        '[[kernel]]\nname = "now"\nkernel = "nowcast"\ninputs = ["d/a"]\n'
    )
    made = run(tmp_path, ["ug/m3"], table, hours(NEWEST_FIRST[::-1]))
    assert made["g/d/a.nowcast"][0][-1] == pytest.approx(17.4139, abs=5e-5)
    # 17.4 µg/m³ after truncation: 51 + 49 · (17.4 − 9.1) / (35.4 − 9.1) = 66.46.
    assert made["g/d/a.nowcast.aqi"][0][-1] == 66
    assert made["g/d/a.nowcast.aqi-category"][0][-1] == 2
