"""Power factor of P and S: the sign of P, the rounding of a meter, and what cannot be."""

import msgspec
import numpy as np
import pytest

from citytwin.batch import Batch
from citytwin.errors import ConfigError
from citytwin.point import Point
from citytwin.quality import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.electricity.power_factor_apparent import (
    POWER_FACTOR_APPARENT,
    ApparentSettings,
)
from tests.edge.kernels.electricity.rough import of_three, once, rough

POINTS = [Point(id="g/m/p", unit="kW"), Point(id="g/m/s", unit="kV.A")]


def build(**settings):
    return POWER_FACTOR_APPARENT.build(ApparentSettings(**settings), POINTS)


@pytest.mark.parametrize(
    ("active", "apparent", "factor"),
    [(4, 5, 0.8), (-4, 5, -0.8), (10.1, 10, 1), (-10.05, 10, -1), (0, 3, 0)],
)
def test_the_sign_is_that_of_the_active_power(active, apparent, factor):
    assert once(build(), active, apparent) == (pytest.approx(factor), Quality.GOOD)


@pytest.mark.parametrize(("active", "apparent"), [(0, 0), (1, 0), (10.2, 10), (1, -5), (0.1, 0.5)])
def test_what_has_none_or_cannot_be(active, apparent):
    value, quality = once(build(apparent_kva_min=0.5), active, apparent)
    assert np.isnan(value)
    assert quality == Quality.BAD_OUT_OF_RANGE


def test_it_keeps_every_promise():
    made = check_kernel(lambda: build(apparent_kva_min=2), rough(2, -9, 9))
    assert {Quality.GOOD, Quality.BAD_OUT_OF_RANGE, Quality.BAD_STALE} <= set(made.quality.tolist())


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(msgspec.ValidationError, match=">= 0"):
        msgspec.convert({"apparent_kva_min": -1}, ApparentSettings)


def test_a_gateway_names_what_it_wants(tmp_path):
    text = 'kernel = "power-factor-apparent"\ninputs = ["m/a", "m/b"]\n'
    with pytest.raises(ConfigError, match=r"the apparent power, in kV\.A .* is in W"):
        of_three(tmp_path, text, "W", Batch.empty())
