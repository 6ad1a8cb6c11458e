"""Power factor of P and Q: each quadrant in each convention."""

import msgspec
import numpy as np
import pytest

from citytwin.batch import Batch
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.electricity.power_factor import POWER_FACTOR, PowerFactorSettings
from tests.edge.kernels.built import START_NS
from tests.edge.kernels.electricity.rough import of_three, once, rough

POINTS = [Point(id="g/m/p", unit="kW"), Point(id="g/m/q", unit="kvar")]


def build(**settings):
    return POWER_FACTOR.build(PowerFactorSettings(**settings), POINTS)


@pytest.mark.parametrize(
    ("active", "reactive", "iec", "ieee"),
    [  # quadrants 1 to 4; signs as Schneider's PM5300 and Siemens' 9410 manuals have them
        (4, 3, 0.8, -0.8),
        (-4, 3, -0.8, 0.8),
        (-4, -3, -0.8, -0.8),
        (4, -3, 0.8, 0.8),
        (4, 0, 1, 1),
        (0, 3, 0, 0),
    ],
)
def test_quadrants(active, reactive, iec, ieee):
    assert once(build(), active, reactive)[0] == pytest.approx(iec)
    assert once(build(sign="ieee"), active, reactive)[0] == pytest.approx(ieee)
    assert once(build(sign="none"), active, reactive)[0] == pytest.approx(abs(iec))


@pytest.mark.parametrize(("least", "active"), [(0, 0), (1, 1), (1, -0.5)])
def test_without_power_there_is_none(least, active):
    value, quality = once(build(apparent_kva_min=least), active, 0)
    assert np.isnan(value)
    assert quality == Quality.BAD_OUT_OF_RANGE


@pytest.mark.parametrize("sign", ["iec", "ieee", "none"])
def test_it_keeps_every_promise(sign):
    made = check_kernel(lambda: build(sign=sign, apparent_kva_min=2), rough(2, -9, 9))
    assert {Quality.GOOD, Quality.BAD_OUT_OF_RANGE, Quality.BAD_STALE} <= set(made.quality.tolist())


@pytest.mark.parametrize("fields", [{"sign": "IEC"}, {"apparent_kva_min": -1}])
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, PowerFactorSettings)


def test_apparent_power_in_place_of_reactive_is_refused():
    with pytest.raises(ConfigError, match="input 2 is the reactive power, in kvar"):
        POWER_FACTOR.build(PowerFactorSettings(), [POINTS[0], Point(id="g/m/s", unit="kV.A")])


OTHER = """\
[[device]]
name = "n"
adapter = "modbus"
host = "192.0.2.8"
point = [{ name = "q", unit = "var", table = "input", address = 0 }]
"""


def test_a_gateway_runs_it(tmp_path):
    text = 'kernel = "power-factor"\ninputs = ["m/a", "n/q"]\nsign = "ieee"\n'
    samples = Batch.of([0, 3], START_NS, [4.0, 3.0])
    values, _ = of_three(tmp_path, text + OTHER, "W", samples)["g/m/a.power-factor"]
    assert values == pytest.approx([-0.8])
