"""Gas mass: the same factor backwards, and what is refused."""

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.air.gas_mass import GAS_MASS
from tests.edge.kernels.built import START_NS, built, once, run, settings, shaken

AT_25 = {"gas": "o3", "temperature_c": 25, "pressure_hpa": 1013.25}


def test_ozone_at_25_degrees():
    values, quality = once(built(GAS_MASS, ["[ppm]"], **AT_25), 0.05)
    assert values == [pytest.approx(98.1, abs=0.05)]
    assert quality == Quality.GOOD


def test_it_keeps_every_promise():
    check_kernel(lambda: built(GAS_MASS, ["[ppb]"], **AT_25), shaken(14, [80.0], [0, 60]))


@pytest.mark.parametrize(
    "fields", [{}, AT_25 | {"gas": "pm"}, {"gas": "o3", "temperature_c": 25}, AT_25 | {"a": 1}]
)
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(GAS_MASS, **fields)


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match="concentration of a gas in parts"):
        built(GAS_MASS, ["ug/m3"], **AT_25)


def test_a_gateway_runs_it(tmp_path):
    table = (
        '[[kernel]]\nname = "k"\nkernel = "gas-mass"\ninputs = ["d/a"]\ngas = "co"\n'
        "temperature_c = 25\npressure_hpa = 1013.25\n"
    )
    made = run(tmp_path, ["[ppm]"], table, Batch.of([0], START_NS, [1.0]))
    assert made["g/d/a.mass"] == ([pytest.approx(1145, abs=0.5)], [Quality.GOOD])
