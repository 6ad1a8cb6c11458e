"""Level of service of a freeway: every limit, heavy vehicles, and what is refused."""

import msgspec
import pytest

from citytwin import Batch, Quality
from citytwin.errors import ConfigError
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.level_of_service import LEVEL_OF_SERVICE
from tests.edge.kernels.built import START_NS, built, once, run, settings, shaken

MILE = 1.609344


@pytest.mark.parametrize(
    ("cars", "level"),
    [(0, 1), (10.9, 1), (11.1, 2), (17.9, 2), (18.1, 3), (25.9, 3), (26.1, 4), (34.9, 4), (35.1, 5),
     (44.9, 5), (45.1, 6), (150, 6)],
)  # fmt: skip
def test_the_limits_of_the_manual(cars, level):
    kernel = built(LEVEL_OF_SERVICE, ["{vehicles}/km"], lanes=3)
    assert once(kernel, 3 * cars / MILE) == ([level], Quality.GOOD)


def test_heavy_vehicles_count_more():
    # 10 vehicles a mile, a fifth of them worth 2 cars: 12 cars.
    fields = {"lanes": 1, "heavy_percent": 20, "heavy_equivalent": 2}
    kernel = built(LEVEL_OF_SERVICE, ["{vehicles}/km"], **fields)
    assert once(kernel, 10 / MILE)[0] == [2]


def test_a_density_below_zero_is_none():
    kernel = built(LEVEL_OF_SERVICE, ["{vehicles}/km"], lanes=1)
    assert once(kernel, -1)[1] == Quality.BAD_OUT_OF_RANGE


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(LEVEL_OF_SERVICE, ["{vehicles}/km"], lanes=1), shaken(11, [60.0], [0, 60])
    )
    assert {1.0, 6.0} <= set(made.value[made.quality == Quality.GOOD].tolist())


@pytest.mark.parametrize(
    "fields",
    [{}, {"lanes": 0}, {"lanes": 1, "heavy_percent": 101}, {"lanes": 1, "heavy_percent": 10},
     {"lanes": 1, "heavy_equivalent": 0.5}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(LEVEL_OF_SERVICE, **fields)


def test_another_unit_is_refused():
    with pytest.raises(ConfigError, match="input 1 is the density of all lanes"):
        built(LEVEL_OF_SERVICE, ["{vehicles}/h"], lanes=1)


def test_a_gateway_runs_it(tmp_path):
    table = '[[kernel]]\nname = "k"\nkernel = "level-of-service"\ninputs = ["d/a"]\nlanes = 2\n'
    made = run(tmp_path, ["{vehicles}/km"], table, Batch.of([0], START_NS, [30.0]))
    assert made["g/d/a.service"] == ([3.0], [Quality.GOOD])
