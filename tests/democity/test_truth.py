"""The truth: water obeys, whatever devices do to it. All against the running EPANET."""

import contextlib

import numpy as np
import pytest

from democity.truth import CATCH_UP_S_MAX, DAY_S, SECOND_NS, WaterTruth

NOON_NS = 1_790_000_000 * SECOND_NS
VALVE = "189"


@pytest.fixture
def truth():
    model = WaterTruth(NOON_NS)
    yield model
    model.close()


def pressures(truth):
    return np.array([truth.pressure_m(node) for node in truth.network.junctions])


@pytest.mark.parametrize("hour", range(0, 24, 4))
def test_heads_and_pressures_fall_from_the_mountains_to_the_plain(hour):
    with contextlib.closing(WaterTruth(hour * 3600 * SECOND_NS)) as truth:
        north = np.array([truth.network.nodes[node][1] for node in truth.network.junctions])
        heads = np.array([truth.head_m(node) for node in truth.network.junctions])
        pressure = pressures(truth)
    south_third = north <= np.quantile(north, 1 / 3)
    north_third = north >= np.quantile(north, 2 / 3)
    assert pressure.min() > 10, "water comes out of every tap"
    assert heads[south_third].mean() > heads[north_third].mean() + 2
    assert pressure[south_third].mean() > pressure[north_third].mean() + 2
    assert np.corrcoef(north, heads)[0, 1] < -0.3


def test_a_closed_valve_stops_the_flow_and_lowers_the_pressure_behind_it(truth):
    _, first, last, _ = truth.network.links[VALVE]
    flow, behind, before = truth.flow_m3h(VALVE), truth.pressure_m(last), truth.pressure_m(first)
    assert flow > 100
    truth.set_open(VALVE, False)
    assert not truth.is_open(VALVE)
    assert truth.flow_m3h(VALVE) == pytest.approx(0, abs=0.01)
    assert truth.pressure_m(last) < behind - 5
    assert truth.pressure_m(first) > before - 1
    truth.set_open(VALVE, True)
    assert truth.flow_m3h(VALVE) == pytest.approx(flow, rel=0.01)
    assert truth.pressure_m(last) == pytest.approx(behind, abs=0.1)


def test_a_burst_takes_water_and_pressure_most_of_all_near_it(truth):
    before, taken = pressures(truth), truth.demand_m3h("111")
    truth.burst("111", 200.0)
    fall = before - pressures(truth)
    leak = truth.demand_m3h("111") - taken
    assert leak == pytest.approx(200.0 * truth.pressure_m("111") ** 0.5, rel=0.01)
    at = np.array([truth.network.nodes[node] for node in truth.network.junctions])
    far = np.hypot(*(at - np.array(truth.network.nodes["111"])).T)
    near_fall, far_fall = fall[far < np.quantile(far, 0.1)], fall[far > np.quantile(far, 0.7)]
    assert fall.min() > -1, "a burst lifts nobody's pressure"
    assert near_fall.mean() > 3 * abs(far_fall.mean())
    truth.burst("111", 0.0)
    assert np.abs(before - pressures(truth)).max() < 0.5


def test_what_flows_into_a_node_flows_out_of_it(truth):
    truth.burst("111", 200.0)
    truth.advance(NOON_NS + 1800 * SECOND_NS)
    balance = {node: -truth.demand_m3h(node) for node in truth.network.junctions}
    for link, (_, first, last, _) in truth.network.links.items():
        for node, sign in ((first, -1), (last, 1)):
            if node in balance:
                balance[node] += sign * truth.flow_m3h(link)
    assert max(map(abs, balance.values())) < 1.0


def test_a_pump_follows_its_speed_and_its_switch(truth):
    pump = truth.network.pumps[0]
    truth.set_open(pump, True)
    truth.set_speed(pump, 1.0)
    full = truth.flow_m3h(pump)
    truth.set_speed(pump, 0.8)
    assert truth.speed(pump) == pytest.approx(0.8)
    assert 0 < truth.flow_m3h(pump) < full
    truth.set_speed(pump, 5.0)
    assert truth.speed(pump) == pytest.approx(1.2), "no motor turns so fast"
    truth.set_open(pump, False)
    assert truth.flow_m3h(pump) == pytest.approx(0, abs=0.01)
    assert truth.speed(pump) == 0.0
    truth.set_speed(pump, 0.7)
    assert not truth.is_open(pump), "a speed starts no pump"
    truth.set_open(pump, True)
    assert truth.speed(pump) == pytest.approx(0.7), "it starts at the speed that was set last"


def test_tanks_fill_with_what_flows_into_them(truth):
    tank = truth.network.tanks[0]
    before, inflow = truth.level_m(tank), truth.demand_m3h(tank)
    assert abs(inflow) > 1
    for minute in range(1, 31):
        truth.advance(NOON_NS + minute * 60 * SECOND_NS)
    assert truth.time_ns == NOON_NS + 1800 * SECOND_NS
    assert (truth.level_m(tank) - before) * inflow > 0


def test_time_goes_on_by_seconds_and_a_long_pause_is_skipped(truth):
    truth.advance(NOON_NS + SECOND_NS // 2)
    assert truth.time_ns == NOON_NS
    truth.advance(NOON_NS + 3 * SECOND_NS)
    assert truth.time_ns == NOON_NS + 3 * SECOND_NS
    truth.advance(NOON_NS - 10 * SECOND_NS)
    assert truth.time_ns == NOON_NS + 3 * SECOND_NS, "a clock set back stops it, no more"
    later = NOON_NS + 30 * DAY_S * SECOND_NS
    levels = [truth.level_m(tank) for tank in truth.network.tanks]
    truth.advance(later)
    assert truth.time_ns == later
    moved = [
        abs(truth.level_m(tank) - was)
        for tank, was in zip(truth.network.tanks, levels, strict=True)
    ]
    assert max(moved) < CATCH_UP_S_MAX / 600, "an hour of water has moved, not a month's"


def test_the_network_is_whole(truth):
    network = truth.network
    assert set(network.nodes) == {*network.junctions, *network.tanks, *network.reservoirs}
    assert set(network.links) == {*network.pipes, *network.pumps}
    for _, first, last, vertices in network.links.values():
        assert vertices[0] == network.nodes[first]
        assert vertices[-1] == network.nodes[last]
    assert set(network.elevations) == set(network.junctions)
    assert min(network.lengths.values()) > 0
    assert min(network.diameters.values()) > 0


def test_a_closed_model_says_so_and_does_not_end_the_process():
    truth = WaterTruth(NOON_NS)
    truth.close()
    with pytest.raises(AttributeError, match="_engine"):
        truth.pressure_m(truth.network.junctions[0])
