"""Level of service of a street: the limits are the technician's."""

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.street_service import STREET_SERVICE
from tests.edge.kernels.built import START_NS, built, once, run, settings, shaken

STREET = {"free_speed_km_h": 50, "percent_min": [80, 60, 45, 35, 25]}


@pytest.mark.parametrize(
    ("speed", "level"),
    [(60, 1), (40.1, 1), (40, 2), (30.1, 2), (30, 3), (22.6, 3), (22.5, 4), (17.6, 4), (17.5, 5),
     (12.6, 5), (12.5, 6), (0, 6)],
)  # fmt: skip
def test_limits(speed, level):
    assert once(built(STREET_SERVICE, ["km/h"], **STREET), speed) == ([level], Quality.GOOD)


def test_a_speed_below_zero_is_none():
    kernel = built(STREET_SERVICE, ["km/h"], **STREET)
    assert once(kernel, -1)[1] == Quality.BAD_OUT_OF_RANGE


def test_it_keeps_every_promise():
    check_kernel(
        lambda: built(STREET_SERVICE, ["km/h"], **STREET), shaken(12, [60.0], [0, 60, 900])
    )


@pytest.mark.parametrize(
    "fields",
    [{}, STREET | {"free_speed_km_h": 0}, STREET | {"percent_min": [80, 60, 60, 35, 25]},
     STREET | {"percent_min": [80, 60, 45, 35]}, STREET | {"percent_min": [80, 60, 45, 35, 0]}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(STREET_SERVICE, **fields)


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the travel speed"):
        built(STREET_SERVICE, ["s"], **STREET)


def test_a_gateway_runs_it(tmp_path):
    table = (
        '[[kernel]]\nname = "k"\nkernel = "street-service"\ninputs = ["d/a"]\n'
        "free_speed_km_h = 50\npercent_min = [80, 60, 45, 35, 25]\n"
    )
    made = run(tmp_path, ["m/s"], table, Batch.of([0], START_NS, [10.0]))
    assert made["g/d/a.service"] == ([2.0], [Quality.GOOD])
