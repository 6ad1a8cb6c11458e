"""Queue: vehicles are conserved, errors are forgotten, and a queue on the detector is told."""

import math

import msgspec
import numpy as np
import pytest

from citytwin import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.queue import QUEUE
from tests.edge.kernels.built import START_NS, built, of, run, settings, shaken
from tests.edge.kernels.traffic.minutes import MINUTE_NS, minutes

UNITS = ["{vehicles}/h", "%", "{vehicles}/h"]
SECTION = {"length_m": 300, "occupancy_on": 45, "occupancy_off": 30}
EXACT = SECTION | {"memory_s": 86_400}
FREE_S = 300 / 50 * 3.6
FITS = 300 / 7.5


def after(*rows, **fields):
    """Return what is queued, how long that is and the quality, minute by minute; and the alarms."""
    kernel = built(QUEUE, UNITS, **(EXACT | fields))
    made = kernel.step(minutes(*rows))
    queued, quality = of(made, 4)
    alarms = made.select(made.point == 3)
    moments = ((alarms.time_ns - START_NS) // MINUTE_NS).tolist()
    return queued, of(made, 5)[0], quality, list(zip(moments, alarms.value.tolist(), strict=True))


def test_what_comes_and_does_not_go_waits():
    queued, length, quality, alarms = after((600, 5, 600), (600, 5, 600), (1200, 10, 600))
    moving = [flow * FREE_S / 3600 for flow in (600, 1200)]
    assert queued[:2] == [0, 0]
    # In the third minute 10 more come than go; twice as many are under way now.
    assert queued[2] == pytest.approx(10 + moving[0] - moving[1], rel=2e-3)
    assert length[2] == pytest.approx(queued[2] * 7.5)
    assert (set(quality), alarms) == ({Quality.GOOD}, [])


def test_a_red_light_of_a_minute_and_what_becomes_of_its_queue():
    # 1 veh in 6 s comes; none goes for a minute, then 1,800 an hour until it is gone.
    queued, *_ = after((600, 5, 600), (600, 8, 0), (600, 8, 1200), (600, 5, 600))
    assert queued[1] == pytest.approx(10, rel=2e-3)
    assert queued[2:] == pytest.approx([0, 0], abs=0.02)


def test_over_several_lanes_a_queue_is_shorter():
    _, length, *_ = after((600, 5, 600), (600, 8, 0), lanes=2)
    assert length[1] == pytest.approx(10 * 7.5 / 2, rel=2e-3)


def test_it_is_neither_below_nothing_nor_more_than_fits():
    queued, length, *_ = after((600, 5, 600), *[(600, 5, 1200)] * 5, (600, 5, 600))
    assert queued == [0] * 7
    queued, length, *_ = after((600, 5, 600), *[(1200, 5, 0)] * 5)
    assert (queued[-1], length[-1]) == (FITS, 300)


def test_errors_of_counting_are_forgotten():
    # One of 20 is not counted at the stop line: 30 vehicles an hour that never go.
    rows = [(600, 5, 570)] * 600
    queued, *_ = after(*rows, memory_s=900)
    assert max(queued) == pytest.approx(30 * 900 / 3600, rel=0.05), "7.5 and not 300"
    queued, *_ = after((600, 5, 600), (600, 8, 0), *[(0, 0, 0)] * 15, memory_s=900)
    moving = 600 * FREE_S / 3600
    expected = (10 * math.exp(-60 / 900) + moving) * math.exp(-1)
    assert queued[-1] == pytest.approx(expected, rel=1e-2)


def test_a_queue_on_the_detector_is_an_alarm_with_hysteresis():
    occupancies = [10, 50, 20, 50, 60, 40, 31, 30, 40, 44]
    rows = [(400, one, 400) for one in occupancies]
    queued, length, quality, alarms = after(*rows)
    assert alarms == [(4, 1.0), (7, 0.0)]
    stands = [4 <= minute < 7 for minute in range(10)]
    assert quality == [Quality.UNCERTAIN_RANGE if one else Quality.GOOD for one in stands]
    assert np.array(length)[stands].tolist() == [300.0] * 3
    assert queued[:4] == [0] * 4
    assert after(*rows, persist=1)[3][0] == (1, 1.0)


def test_after_a_gap_it_begins_anew():
    kernel = built(QUEUE, UNITS, **EXACT)
    first = kernel.step(minutes((600, 5, 600), (600, 8, 0)))
    assert of(first, 4)[0][1] > 9
    late = minutes(*[(600, 5, 600)] * 10).select(slice(27, 30))
    assert of(kernel.step(late), 4)[0] == [0.0]


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(QUEUE, UNITS, **(SECTION | {"persist": 1})),
        shaken(23, [1800.0, 70.0, 1500.0], [0, *[20] * 60, 900]),
    )
    assert set(of(made, 3)[0]) == {0.0, 1.0}
    assert max(of(made, 4)[0]) <= FITS


@pytest.mark.parametrize(
    "wrong",
    [
        {"occupancy_off": 45}, {"length_m": 0}, {"lanes": 0}, {"spacing_m": 1}, {"persist": 0},
        {"memory_s": 1}, {"free_speed_km_h": 0}, {"occupancy_on": 101}, {"other": 1},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        settings(QUEUE, **(SECTION | wrong))


@pytest.mark.parametrize("name", SECTION)
def test_the_section_must_be_written(name):
    with pytest.raises(msgspec.ValidationError, match=name):
        settings(QUEUE, **{key: value for key, value in SECTION.items() if key != name})


def test_a_gateway_runs_it(tmp_path):
    fields = "".join(f"{name} = {value}\n" for name, value in SECTION.items())
    inputs = 'inputs = ["d/a", "d/b", "d/c"]\n'
    table = f'[[kernel]]\nname = "k"\nkernel = "queue"\n{inputs}{fields}'
    made = run(tmp_path, UNITS, table, minutes((600, 50, 600), (600, 50, 0)))
    assert made["g/d/a.queue"] == ([1.0], [Quality.GOOD])
    assert made["g/d/a.queue-length"][0] == [0.0, 300.0]
