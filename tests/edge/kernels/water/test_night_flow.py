"""Night flow: the least hour of the night, what is beyond its use, gaps, and what is refused."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.water.night_flow import NIGHT_FLOW
from tests.edge.kernels.built import built, of, settings
from tests.edge.kernels.water.running import days, run

MINUTE = 60 * 10**9
NIGHT = 1_767_301_200 * 10**9  # 2026-01-01 21:00 UTC, 02:00 in Almaty
USE = {"connections": 2000, "use_l_h": 1.7, "exceptional_m3_h": 0.6}


def night(quarters, start=NIGHT):
    """Return samples every minute, with one value for each quarter of an hour, and one behind."""
    times = start + np.arange(len(quarters) * 15 + 1) * MINUTE
    values = np.append(np.repeat(quarters, 15), 0)
    keep = np.isfinite(values)
    return Batch.of(np.zeros(keep.sum()), times[keep], values[keep])


def test_the_least_hour_and_what_is_beyond_the_use_at_night():
    kernel = built(NIGHT_FLOW, ["m3/h"], zone="Asia/Almaty", **USE)
    made = kernel.step(night([20, 16, 14, 12, 10, 12, 14, 18]))
    assert of(made, 1) == ([pytest.approx(12)], [Quality.GOOD])
    assert of(made, 2) == ([pytest.approx(12 - 4)], [Quality.GOOD])
    assert made.time_ns.tolist() == [NIGHT + 120 * MINUTE] * 2


def test_a_flow_in_litres_will_do():
    kernel = built(NIGHT_FLOW, ["L/s"], zone="Asia/Almaty")
    assert of(kernel.step(night([10] * 8)), 1)[0] == pytest.approx([36])


def test_a_window_over_midnight():
    kernel = built(
        NIGHT_FLOW, ["m3/h"], zone="Asia/Almaty", begin="23:00", end="01:00", average_min=30
    )
    made = kernel.step(night([9, 9, 9, 9, 3, 4, 9, 9], NIGHT - 180 * MINUTE))
    assert of(made, 1)[0] == pytest.approx([3.5])
    assert made.time_ns[0] == NIGHT - 60 * MINUTE


@pytest.mark.parametrize(
    ("quarters", "value", "quality"),
    [
        ([5, np.nan, 6, 6, 6, 6, 6, 6], 6, Quality.UNCERTAIN_STALE),
        ([4, 4, 4, 4, np.nan, np.nan, np.nan, np.nan], 4, Quality.UNCERTAIN_STALE),
        ([4, 4, 4, np.nan, 4, 4, 4, np.nan], np.nan, Quality.BAD_STALE),  # no whole hour
        ([np.nan] * 5 + [4] * 3, np.nan, Quality.BAD_STALE),
        ([-3] * 8, -3, Quality.GOOD),
    ],
)
def test_gaps(quarters, value, quality):
    made = built(NIGHT_FLOW, ["m3/h"], zone="Asia/Almaty").step(night(quarters))
    found, said = of(made, 1)
    assert found == pytest.approx([value], nan_ok=True)
    assert said == [quality]


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(NIGHT_FLOW, ["m3/h"], zone="Asia/Almaty", **USE),
        days(9, [5]),
    )
    assert set(made.point.tolist()) == {1, 2}
    assert Quality.GOOD in made.quality


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"zone": "Mars"}, 'zone "Mars" is not known'),
        ({"begin": "2"}, "begin must be a time of day"),
        ({"end": "25:00"}, "end must be a time of day"),
        ({"end": "02:00"}, "end must be after begin"),
        ({"end": "14:15"}, "by at most 12 hours"),
        ({"step_min": 7}, "step_min must divide"),
        ({"average_min": 50}, "step_min must divide"),
        ({"average_min": 150}, "must not be longer than the window"),
        ({"average_min": 0}, ">= 1"),
        ({"connections": -1}, ">= 0"),
        ({"use_l_h": -1}, ">= 0"),
        ({"exceptional_m3_h": -1}, ">= 0"),
        ({"colour": 1}, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        settings(NIGHT_FLOW, **{"zone": "Asia/Almaty"} | fields)


def test_another_input_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the inflow, in m3/h"):
        built(NIGHT_FLOW, ["bar"], zone="Asia/Almaty")


def test_a_gateway_runs_it(tmp_path):
    table = (
        'kernel = "night-flow"\nzone = "Asia/Almaty"\nconnections = 2000\nuse_l_h = 1.7\n'
        "exceptional_m3_h = 0.6\n"
    )
    points, found = run(tmp_path, ["L/s"], table, night([10] * 8))
    assert [point.id for point in points] == ["g/d/a.night-flow", "g/d/a.night-excess"]
    assert found[1] == (pytest.approx([32]), [Quality.GOOD])
