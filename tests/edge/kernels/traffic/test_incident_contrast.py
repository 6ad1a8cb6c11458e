"""Ours: learning, incidents, waves from downstream, and its figures beside the published two."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.california8 import CALIFORNIA_8
from citytwin_edge.kernels.traffic.incident_contrast import INCIDENT_CONTRAST
from citytwin_edge.kernels.traffic.mcmaster import MCMASTER
from tests.edge.kernels.built import START_NS, built, run, settings, shaken
from tests.edge.kernels.traffic.freeway import STATIONS, drive, score
from tests.edge.kernels.traffic.minutes import MINUTE_NS, minutes, told

ROADS = drive(3, roads=20)
FLOWS = ["%", "{vehicles}/h"] * 2
USUAL = [(10 + 0.5 * (-1) ** minute, 9) for minute in range(40)]


def contrast(*rows, **fields):
    return told(built(INCIDENT_CONTRAST, ["%", "%"], **fields), minutes(*rows))


def test_an_incident_is_found_and_its_end():
    rows = [*USUAL, *[(30, 6)] * 10, *USUAL[:10]]
    assert contrast(*rows) == [(42, 1.0), (52, 0.0)]


def test_it_learns_first():
    assert contrast(*[(10, 9)] * 10, *[(30, 6)] * 15) == []


def test_a_difference_that_is_usual_here_is_none():
    assert contrast(*[(30 + 0.5 * (-1) ** minute, 6) for minute in range(80)]) == []


def test_a_queue_from_downstream_is_held_back():
    # It reaches the station downstream first, and the one upstream four minutes later.
    rows = [*USUAL, *[(10, 40)] * 4, *[(45, 40)] * 5]
    assert contrast(*rows) == []


def test_a_low_occupancy_is_no_incident():
    rows = [*USUAL, *[(14, 5)] * 10]
    assert contrast(*rows) == []
    assert contrast(*rows, occupancy_min=0)[0][1] == 1.0


def test_a_lane_that_is_closed_for_long_becomes_usual():
    found = contrast(*USUAL, *[(30, 6)] * 2000)
    assert [value for _, value in found] == [1.0, 0.0]


def test_what_was_learned_survives_a_gap():
    kernel = built(INCIDENT_CONTRAST, ["%", "%"])
    told(kernel, minutes(*USUAL))
    later = minutes(*[(30, 6)] * 6)
    later = Batch(later.point, later.time_ns + 100 * MINUTE_NS, later.value, later.quality)
    assert told(kernel, later) == [(102, 1.0)]


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(INCIDENT_CONTRAST, ["%", "%"], decision=1, drift=0.1, occupancy_min=0),
        shaken(19, [30.0, 30.0], [0, *[20] * 60, 900]),
    )
    assert {0.0, 1.0} == set(made.value.tolist())


@pytest.mark.parametrize(
    "fields", [{"decision": 0}, {"drift": 4}, {"occupancy_min": -1}, {"hold": -1}, {"memory": 5}]
)
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        settings(INCIDENT_CONTRAST, **fields)


def test_a_gateway_runs_it(tmp_path):
    table = '[[kernel]]\nname = "k"\nkernel = "incident-contrast"\ninputs = ["d/a", "d/b"]\n'
    made = run(tmp_path, ["%", "%"], table, minutes(*USUAL, *[(30, 6)] * 5))
    assert made["g/d/a.incident"] == ([1.0], [Quality.GOOD])


def watched(roads, kind, units, **fields):
    """Return the figures of a kernel on these roads."""
    length = roads.flow.shape[2]
    times = START_NS + np.repeat(np.arange(length), len(units)) * MINUTE_NS

    def alarms(road, pair):
        columns = [roads.occupancy[road, pair], roads.occupancy[road, pair + 1]]
        if len(units) == 4:
            columns[1:1] = [roads.flow[road, pair]]
            columns.append(roads.flow[road, pair + 1])
        values = np.stack(columns, axis=1).ravel()
        batch = Batch.of(np.tile(np.arange(len(units)), length), times, values)
        return [minute for minute, value in told(built(kind, units, **fields), batch) if value]

    return score(roads, alarms)


def test_figures_beside_the_published_two():
    """On roads that nothing was chosen on; the figures are in docs/guides/kernels.md.

    The thresholds of the two are those that did best on the roads of seed 1. With seeds 2, 4, 5 and
    6 this is where the figures are from.
    """
    roads = drive(2)
    ours = watched(roads, INCIDENT_CONTRAST, ["%"] * 2)
    california = watched(
        roads, CALIFORNIA_8, ["%"] * 2,
        t1_occdf=4, t2_docctd=-0.4, t3_occrdf=0.7, t4_docctd=-0.5, t5_docc=30,
    )  # fmt: skip
    mcmaster = watched(
        roads, MCMASTER, FLOWS, occupancy_critical=16, lud_slope=160, flow_discharge=3000, persist=2
    )
    assert ours.found == california.found == mcmaster.found == 1.0
    assert ours.minutes < min(california.minutes, mcmaster.minutes)
    assert max(ours.false_per_day, california.false_per_day, mcmaster.false_per_day) == 0
    hasty = watched(
        roads, CALIFORNIA_8, ["%"] * 2,
        t1_occdf=4, t2_docctd=-0.4, t3_occrdf=0.5, t4_docctd=-0.5, t5_docc=30,
    )  # fmt: skip
    assert hasty.false_per_day > 0.3


# ---- the road itself


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
