"""Current unbalance: a published number, an idle machine, and what is refused."""

import msgspec
import numpy as np
import pytest

from citytwin.batch import Batch
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.electricity.current_unbalance import (
    CURRENT_UNBALANCE,
    CurrentUnbalanceSettings,
)
from tests.edge.kernels.built import START_NS
from tests.edge.kernels.electricity.rough import of_three, once, rough

POINTS = [Point(id=f"g/m/i{number}", unit="A") for number in (1, 2, 3)]


def build(**settings):
    return CURRENT_UNBALANCE.build(CurrentUnbalanceSettings(**settings), POINTS)


def test_the_example_of_a_meters_maker():
    # Schneider Electric, FA409853: 165.8, 152.7 and 166.6 A are 9 / 161.7.
    assert once(build(), 165.8, 152.7, 166.6)[0] == pytest.approx(5.566, abs=5e-4)


def test_an_idle_machine_has_none():
    assert once(build(), 0, 0, 0) == (0, Quality.GOOD)
    assert once(build(current_min=0.5), 0.5, 0.2, 0.7) == (0, Quality.GOOD)
    assert once(build(current_min=0.4), 0.5, 0.2, 0.7)[0] > 50


def test_one_phase_alone_is_200_percent():
    assert once(build(), 30, 0, 0)[0] == pytest.approx(200)


def test_a_current_below_zero_is_none():
    value, quality = once(build(), 1, -1, 0)
    assert np.isnan(value)
    assert quality == Quality.BAD_OUT_OF_RANGE


def test_it_keeps_every_promise():
    made = check_kernel(lambda: build(current_min=20), rough(3, -5, 100))
    assert {Quality.GOOD, Quality.BAD_OUT_OF_RANGE, Quality.BAD_STALE} <= set(made.quality.tolist())


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(msgspec.ValidationError, match=">= 0"):
        msgspec.convert({"current_min": -1}, CurrentUnbalanceSettings)


def test_a_gateway_runs_it(tmp_path):
    text = 'kernel = "current-unbalance"\ninputs = ["m/a", "m/b", "m/c"]\n'
    samples = Batch.of([0, 1, 2], START_NS, [30.0, 0.0, 0.0])
    values, _ = of_three(tmp_path, text, "mA", samples)["g/m/a.unbalance"]
    assert values == pytest.approx([200])
