"""Heat power and energy: worked numbers, and what becomes of gaps, small and reversed pairs."""

import msgspec
import numpy as np
import pytest

from citytwin.batch import SECOND_NS, Batch
from citytwin.errors import ConfigError
from citytwin.point import Kind, Point
from citytwin.quality import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.heat.power import HEAT_POWER, HeatSettings
from tests.edge.kernels.built import START_NS, of, on_a_gateway

POINTS = [
    Point(id="g/m/flow", unit="m3/h", feeds="urn:ngsi-ld:Meter:1"),
    Point(id="g/m/supply", unit="Cel"),
    Point(id="g/m/return", unit="Cel"),
]
FLOW, SUPPLY, RETURN, POWER, ENERGY, LOST = range(6)


def build(inputs=POINTS, **fields):
    settings = msgspec.convert({"flow_meter": "return", **fields}, HeatSettings)
    return HEAT_POWER.build(settings, inputs)


def polls(*rows, quality=Quality.GOOD):
    """Return the samples of polls: second, flow, supply, return, quality or else that of all."""
    return Batch.concat(
        Batch.of(
            [FLOW, SUPPLY, RETURN],
            START_NS + row[0] * SECOND_NS,
            np.where(row[4:] == (Quality.BAD_SILENT,), np.nan, row[1:4]),
            row[4] if len(row) > 4 else quality,
        )
        for row in rows
    )


@pytest.mark.parametrize(
    ("supply", "back", "kwh"),
    [(70, 30, 46.246), (90, 50, 45.987)],  # EN 1434-1 with IF97, 16 bar, flow meter in the return
)
def test_a_cubic_metre(supply, back, kwh):
    kernel = build(gap_s_max=3600)
    made = kernel.step(polls((0, 1, supply, back), (3600, 1, supply, back)))
    assert of(made, POWER)[0] == pytest.approx([kwh, kwh], abs=5e-4)
    assert of(made, ENERGY)[0] == pytest.approx([0, kwh], abs=5e-4)
    assert of(made, LOST)[0] == [0, 0]


def test_the_pipe_of_the_flow_meter_and_the_pressure_count():
    # IAPWS-IF97 at 16 bar: 978.46 kg/m³ at 70 °C, 996.33 kg/m³ at 30 °C.
    one = polls((0, 1, 70, 30))
    back = of(build().step(one), POWER)[0][0]
    supply = of(build(flow_meter="supply").step(one), POWER)[0][0]
    assert supply / back == pytest.approx(978.46 / 996.33, abs=1e-5)
    assert of(build(pressure_bar=6).step(one), POWER)[0][0] != back


def test_units_are_converted():
    points = [
        Point(id="g/m/flow", unit="L/h"), Point(id="g/m/s", unit="K"), Point(id="g/m/r", unit="K")
    ]  # fmt: skip
    made = build(points).step(polls((0, 1000, 343.15, 303.15)))
    assert of(made, POWER)[0] == pytest.approx([46.246], abs=5e-4)


@pytest.mark.parametrize(
    ("flow", "supply", "back", "quality"),
    [
        (1, 60, 57, Quality.GOOD),
        (1, 60, 57.1, Quality.UNCERTAIN_RANGE),
        (1, 60, 62.9, Quality.UNCERTAIN_RANGE),
        (1, 60, 63.1, Quality.BAD_OUT_OF_RANGE),
        (-0.1, 70, 30, Quality.BAD_OUT_OF_RANGE),
        (1, 70, -0.1, Quality.BAD_OUT_OF_RANGE),
        (1, 202, 60, Quality.BAD_OUT_OF_RANGE),  # water boils at 201.4 °C
        (1, 201, 60, Quality.GOOD),
        (0, 60, 80, Quality.GOOD),
        (0, 202, 60, Quality.BAD_OUT_OF_RANGE),
    ],
)
def test_what_is_doubtful_and_what_cannot_be(flow, supply, back, quality):
    values, qualities = of(build().step(polls((0, flow, supply, back))), POWER)
    assert qualities == [quality]
    assert bool(np.isnan(values[0])) == (quality == Quality.BAD_OUT_OF_RANGE)
    if flow == 0 and quality == Quality.GOOD:
        assert values == [0.0]


def test_a_flow_below_the_least_is_none():
    kernel = build(flow_min=0.05)
    made = kernel.step(polls((0, 0.05, 70, 30), (1, -0.05, 60, 70), (2, 0.06, 70, 30)))
    values, qualities = of(made, POWER)
    assert values[:2] == [0, 0]
    assert values[2] > 2
    assert qualities == [Quality.GOOD] * 3


def test_energy_is_the_area_below_the_power():
    made = build(gap_s_max=3600).step(polls((0, 1, 70, 30), (1800, 3, 70, 30), (3600, 1, 70, 30)))
    assert of(made, ENERGY)[0] == pytest.approx([0, 46.246, 92.492], abs=1e-3)


def test_a_short_gap_is_bridged_and_a_long_one_is_lost_time():
    bad = Quality.BAD_SILENT
    rows = [(0, 1, 70, 30), (100, 0, 0, 0, bad), (300, 1, 70, 30), (400, 0, 0, 0, bad),
            (800, 0, 0, 0, bad), (3900, 1, 70, 30), (4200, 1, 70, 30)]  # fmt: skip
    made = build().step(polls(*rows))
    step = 46.246 / 12
    energy, qualities = of(made, ENERGY)
    assert energy == pytest.approx([0, 0, step, step, step, step, 2 * step], abs=1e-3)
    stale = Quality.UNCERTAIN_STALE
    assert qualities == [0, stale, 0, stale, stale, stale, 0]
    assert of(made, LOST)[0] == pytest.approx([0, 0, 0, 0, 500 / 3600, 1, 1])


def test_doubt_of_the_power_is_doubt_of_the_energy_and_less_than_nothing_is_not_counted():
    made = build().step(polls((0, 1, 60, 61), (100, 1, 60, 61), (200, 1, 70, 30), (300, 1, 70, 30)))
    energy, qualities = of(made, ENERGY)
    assert energy[:2] == [0, 0]
    assert energy[2] > 0
    assert qualities == [Quality.UNCERTAIN_RANGE] * 3 + [Quality.GOOD]


def test_late_and_repeated_results_count_nothing_and_a_clock_that_was_set_begins_anew():
    rows = [(1000, 1, 70, 30), (1100, 1, 70, 30), (1100, 1, 70, 30), (1050, 9, 70, 30),
            (1200, 1, 70, 30), (100, 1, 70, 30), (200, 1, 70, 30)]  # fmt: skip
    energy, _ = of(build().step(polls(*rows)), ENERGY)
    step = 46.246 / 36
    assert energy == pytest.approx([0, step, 2 * step, 2 * step, 3 * step], abs=1e-3)


def test_the_total_survives_a_restart():
    first = build()
    first.step(polls((0, 1, 70, 30), (100, 1, 70, 30)))
    second = build()
    second.restore(first.snapshot())
    energy, _ = of(second.step(polls((200, 1, 70, 30))), ENERGY)
    assert energy == pytest.approx([46.246 / 18], abs=1e-3)


def test_it_keeps_every_promise():
    random = np.random.default_rng(3)
    count = 900
    point = random.integers(0, 3, count)
    value = np.choose(point, [random.uniform(-1, 9, count), random.uniform(50, 210, count),
                              random.uniform(-5, 80, count)])  # fmt: skip
    quality = random.choice(
        [*[Quality.GOOD] * 5, Quality.BAD_SILENT, Quality.UNCERTAIN_CLOCK], count
    )
    value = np.where(quality == Quality.BAD_SILENT, np.nan, value)
    steps = random.choice(
        [0, 1, 5, 20, 400, -30, -3600], count, p=[0.2, 0.3, 0.2, 0.2, 0.04, 0.05, 0.01]
    )
    time_ns = START_NS + 10**14 + np.cumsum(steps) * SECOND_NS
    made = check_kernel(build, Batch.of(point, time_ns, value, quality))
    assert {POWER, ENERGY, LOST} == set(made.point.tolist())
    for number in (ENERGY, LOST):
        assert not np.isnan(of(made, number)[0]).any()
    assert (np.diff(of(made, ENERGY)[0]) >= 0).all()
    assert set(of(made, POWER)[1]) >= {
        Quality.GOOD, Quality.BAD_SILENT, Quality.BAD_STALE, Quality.BAD_OUT_OF_RANGE,
        Quality.UNCERTAIN_CLOCK,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("flow_meter", "both", "'both'"),
        ("pressure_bar", 0.5, ">= 1"),
        ("pressure_bar", 221, "<= 200"),
        ("difference_k_min", -1, ">= 0"),
        ("difference_k_min", 21, "<= 20"),
        ("flow_min", -1, ">= 0"),
        ("gap_s_max", 0, "> 0"),
        ("gap_s_max", 90_000, "<= 86400"),
        ("colour", 1, "unknown field"),
    ],
)
def test_settings_that_make_no_sense_are_refused(field, value, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"flow_meter": "return", field: value}, HeatSettings)


def test_wrong_inputs_are_named():
    with pytest.raises(ConfigError, match="input 2 is the supply temperature, in Cel"):
        build([POINTS[0], Point(id="g/m/p", unit="bar"), POINTS[2]])


CONFIG = """\
[gateway]
name = "g"
[[device]]
name = "m"
adapter = "modbus"
host = "192.0.2.7"
point = [
  { name = "flow", unit = "L/h", table = "input", address = 0 },
  { name = "supply", unit = "Cel", table = "input", address = 1 },
  { name = "return", unit = "Cel", table = "input", address = 2 },
]
[[kernel]]
name = "heat"
kernel = "heat-power"
inputs = ["m/flow", "m/supply", "m/return"]
flow_meter = "return"
"""


def test_a_gateway_runs_it(tmp_path):
    derived, told = on_a_gateway(tmp_path, CONFIG, polls((0, 1000, 70, 30)))
    assert [point.id for point in derived] == [
        "g/m/flow.heat-power", "g/m/flow.heat-energy", "g/m/flow.heat-lost-time",
    ]  # fmt: skip
    assert derived[1].kind == Kind.COUNTER
    assert told[derived[0].id][0] == pytest.approx([46.246], abs=5e-4)
