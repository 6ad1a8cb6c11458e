"""The freeway of the tests: vehicles are kept, queues grow and dissolve, stations see it."""

import numpy as np

from tests.edge.kernels.traffic.freeway import STATIONS, drive, score

ROADS = drive(3, roads=20)


def test_an_incident_makes_a_queue_upstream_and_a_gap_downstream():
    road = int(np.flatnonzero(ROADS.kind == 1)[0])
    pair, end = ROADS.pair[road], ROADS.end[road]
    before, during = slice(20, 50), slice(end - 5, end)
    up, down = ROADS.occupancy[road, pair], ROADS.occupancy[road, pair + 1]
    assert up[during].mean() > 2 * up[before].mean()
    assert down[during].mean() < down[before].mean()


def test_a_queue_from_downstream_comes_to_the_last_station_first():
    road = int(np.flatnonzero(ROADS.kind == 2)[0])
    reached = [
        next((minute for minute, one in enumerate(station) if one > 30), np.inf)
        for station in ROADS.occupancy[road]
    ]
    assert reached[-1] < reached[-2] <= reached[-3]


def test_the_score_of_one_who_knows_and_of_one_who_cries_wolf():
    def knows(road, pair):
        is_here = ROADS.kind[road] == 1 and ROADS.pair[road] == pair
        return [ROADS.start[road] + 2] if is_here else []

    assert score(ROADS, knows) == (1.0, 2.0, 0.0)
    wolf = score(ROADS, lambda road, pair: [10])
    assert (wolf.found, wolf.false_per_day) == (0.0, 1440 / 240)
    assert len(STATIONS) == 8
