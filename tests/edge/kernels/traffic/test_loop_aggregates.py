"""Loop aggregates: the flow of ten vehicles in 30 s, speed and occupancy."""

import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.loop_aggregates import LOOP_AGGREGATES
from tests.edge.kernels.built import at, built, of, run, shaken
from tests.edge.kernels.traffic.vehicles import vehicles


def test_ten_vehicles_in_half_a_minute_are_1200_an_hour():
    kernel = built(LOOP_AGGREGATES, ["km/h"], interval_s=30)
    made = kernel.step(vehicles(range(0, 30, 3), [40, 60] * 5, until_s=30))
    assert of(made, 1) == ([10], [Quality.GOOD])
    assert of(made, 2) == ([pytest.approx(1200)], [Quality.GOOD])
    assert of(made, 3) == ([pytest.approx(50)], [Quality.GOOD])
    assert set(made.time_ns.tolist()) == set(at(30))


def test_occupancy_is_the_part_of_the_time_that_a_vehicle_is_there():
    kernel = built(LOOP_AGGREGATES, ["m/s", "ms"], interval_s=60, reads=["speed", "occupied"])
    batch = Batch.of([0, 1, 0, 1, 0], at(1, 1, 2, 2, 60), [10, 400, 20, 200, 15])
    made = kernel.step(batch)
    assert of(made, 4)[0] == [pytest.approx(54)]
    assert of(made, 5)[0] == [pytest.approx(100 * 0.6 / 60)]


def test_occupancy_alone_counts_too():
    kernel = built(LOOP_AGGREGATES, ["s"], interval_s=60, reads=["occupied"])
    assert [point.id for point in kernel.outputs] == [
        "g/d/0.count",
        "g/d/0.flow",
        "g/d/0.occupancy",
    ]
    made = kernel.step(Batch.of([0, 0, 0], at(1, 30, 60), [3, 80, 1]))
    assert of(made, 1)[0] == [2]
    assert of(made, 3)[0] == [100]


def test_an_empty_road_has_no_speed():
    made = built(LOOP_AGGREGATES, ["km/h"]).step(vehicles([1], [50], until_s=120))
    assert of(made, 2) == ([60, 0], [Quality.GOOD] * 2)
    values, quality = of(made, 3)
    assert np.isnan(values[1])
    assert quality[1] == Quality.BAD_NOT_A_NUMBER


def test_it_keeps_every_promise():
    def build():
        return built(
            LOOP_AGGREGATES, ["km/h", "s"], interval_s=30, reads=["speed", "occupied"],
            silent_s_max=200,
        )  # fmt: skip

    made = check_kernel(build, shaken(6, [120.0, 2.0], [0, *[2] * 20, 10, 300]))
    assert {Quality.GOOD, Quality.UNCERTAIN_STALE, Quality.BAD_STALE} <= set(made.quality.tolist())


def test_a_gateway_runs_it(tmp_path):
    table = (
        '[[kernel]]\nname = "k"\nkernel = "loop-aggregates"\ninputs = ["d/a"]\ninterval_s = 30\n'
    )
    made = run(tmp_path, ["km/h"], table, vehicles(range(0, 30, 3), [50] * 10, until_s=30))
    assert made["g/d/a.flow"] == ([pytest.approx(1200)], [Quality.GOOD])
