"""Shock waves: the worked number, which way they go, and states that are one."""

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.shock_wave import SHOCK_WAVE
from tests.edge.kernels.built import START_NS, built, once, run, settings, shaken

UNITS = ["{vehicles}/h", "{vehicles}/km"] * 2


def test_the_worked_number():
    # Upstream 1,800 veh/h at 14.4 veh/km, downstream 88 km/h at 20 veh/km.
    values, quality = once(built(SHOCK_WAVE, UNITS), 1800, 14.4, 88 * 20, 20)
    assert values == [pytest.approx(-7.143, abs=5e-4)]
    assert quality == Quality.GOOD


def test_a_queue_that_dissolves_goes_with_less():
    assert once(built(SHOCK_WAVE, UNITS), 0, 120, 1800, 30)[0] == [pytest.approx(-20)]
    assert once(built(SHOCK_WAVE, UNITS), 600, 8, 1500, 25)[0][0] > 0


def test_states_that_are_one_have_no_edge():
    kernel = built(SHOCK_WAVE, UNITS, density_min=2)
    assert once(kernel, 1800, 20, 1700, 21.9)[1] == Quality.BAD_OUT_OF_RANGE


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(SHOCK_WAVE, UNITS), shaken(13, [2000.0, 60.0] * 2, [0, 1, 20, 90])
    )
    assert Quality.GOOD in made.quality


@pytest.mark.parametrize("fields", [{"density_min": 0}, {"density": 1}])
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(SHOCK_WAVE, **fields)


def test_wrong_inputs_are_named():
    with pytest.raises(ConfigError, match="it reads 4, not 2"):
        built(SHOCK_WAVE, UNITS[:2])


def test_a_gateway_runs_it(tmp_path):
    table = '[[kernel]]\nname = "k"\nkernel = "shock-wave"\ninputs = ["d/a", "d/b", "d/c", "d/d"]\n'
    batch = Batch.of([0, 1, 2, 3], START_NS, [1800, 14.4, 1760, 20])
    made = run(tmp_path, UNITS, table, batch)
    assert made["g/d/a.shock-speed"] == ([pytest.approx(-7.143, abs=5e-4)], [Quality.GOOD])
