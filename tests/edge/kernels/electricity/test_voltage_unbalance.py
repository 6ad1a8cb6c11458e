"""Voltage unbalance: published numbers, phasors of a known sequence, and what is refused."""

import cmath
import math

import msgspec
import numpy as np
import pytest

from citytwin.batch import Batch
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.electricity.voltage_unbalance import (
    VOLTAGE_UNBALANCE,
    VoltageUnbalanceSettings,
)
from tests.edge.kernels.built import START_NS
from tests.edge.kernels.electricity.rough import of_three, once, rough

POINTS = [Point(id=f"g/m/u{number}", unit="V") for number in (1, 2, 3)]


def build(method="negative-sequence", **fields):
    settings = msgspec.convert({"method": method, **fields}, VoltageUnbalanceSettings)
    return VOLTAGE_UNBALANCE.build(settings, POINTS)


@pytest.mark.parametrize("method", ["nema", "phase"])
def test_the_example_of_a_motor_protection_manual(method):
    # SymCom 201-575-AU: 203, 210 and 212 V are 2.5 % (cut; 5.33 / 208.33 is 2.56).
    assert once(build(method), 203, 210, 212)[0] == pytest.approx(2.56, abs=1e-9)


@pytest.mark.parametrize("percent", [0.0, 0.1, 2.0, 15.0])
@pytest.mark.parametrize("degrees", [0, 77, 180, 301])
def test_magnitudes_give_the_negative_sequence_that_was_put_in(percent, degrees):
    turn = cmath.rect(1, 2 * math.pi / 3)
    one, two = 230, cmath.rect(2.3 * percent, math.radians(degrees))
    zero = 17  # a zero sequence does not reach the voltages between lines
    phases = [zero + one * turn**-number + two * turn**number for number in range(3)]
    lines = [abs(phases[number] - phases[(number + 1) % 3]) for number in range(3)]
    value, quality = once(build(), *lines)
    assert value == pytest.approx(percent, abs=2e-6)
    assert quality == Quality.GOOD


@pytest.mark.parametrize(
    ("values", "method"),
    [
        ((400, 400, -400), "nema"),
        ((10, 49, 90), "nema"),
        ((0, 0, 0), "phase"),
        ((100, 100, 201), "negative-sequence"),
    ],
)
def test_what_has_no_unbalance_gives_none(values, method):
    value, quality = once(build(method), *values)
    assert np.isnan(value)
    assert quality == Quality.BAD_OUT_OF_RANGE


def test_from_which_voltage_there_is_a_supply_can_be_set():
    assert once(build("nema", voltage_min=49), 48, 49, 51)[1] == Quality.GOOD


@pytest.mark.parametrize("method", ["negative-sequence", "nema", "phase"])
def test_it_keeps_every_promise(method):
    made = check_kernel(lambda: build(method), rough(3, -20, 300))
    assert {Quality.GOOD, Quality.BAD_OUT_OF_RANGE, Quality.BAD_STALE} <= set(made.quality.tolist())


@pytest.mark.parametrize("fields", [{"method": "iec"}, {}, {"method": "nema", "voltage_min": 0}])
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, VoltageUnbalanceSettings)


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the voltage L1-L2, or L1-N, in V"):
        VOLTAGE_UNBALANCE.build(
            VoltageUnbalanceSettings(method="nema"), [Point(id="g/m/i", unit="A"), *POINTS[1:]]
        )


def test_a_gateway_runs_it(tmp_path):
    text = 'kernel = "voltage-unbalance"\ninputs = ["m/a", "m/b", "m/c"]\nmethod = "nema"\n'
    samples = Batch.of([0, 1, 2], START_NS, [20.3, 21.0, 21.2])
    values, _ = of_three(tmp_path, text, "kV", samples)["g/m/a.unbalance"]
    assert values == pytest.approx([2.56])
