"""A formula: which samples it takes together, what doubt it passes on, which inputs it refuses."""

import numpy as np
import pytest

from citytwin import Batch, Label, Point, Quality
from citytwin.batch import SECOND_NS
from citytwin.errors import InputError
from citytwin.kernel import KernelType
from citytwin.testing import check_kernel
from citytwin_edge.kernels.formula import Ages, Builtin, Formula, Gives, Limited, Reads
from tests.edge.kernels.built import of
from tests.edge.kernels.water.running import shaken

START_NS = 1_767_225_600 * SECOND_NS
READS = (Reads("voltage", "V"), Reads("current", "A"))
GIVES = (Gives("power", "W", Label(en="Power")), Gives("resistance", "Ohm", Label(en="R")))
INPUTS = [Point(id="g/m/u", unit="kV", feeds="urn:ngsi-ld:Pump:1"), Point(id="g/m/i", unit="mA")]


def calculate(values):
    voltage, current = values
    return np.array([voltage * current, voltage / current])


def build(age_s_max=10.0, inputs=INPUTS):
    return Formula("ohm", inputs, READS, GIVES, calculate, age_s_max=age_s_max)


def at(*seconds):
    return [START_NS + second * SECOND_NS for second in seconds]


def test_it_keeps_every_promise():
    random = np.random.default_rng(1)
    count = 600
    quality = random.choice([Quality.GOOD, Quality.BAD_SILENT, Quality.UNCERTAIN_CLOCK], count)
    value = np.where(quality == Quality.BAD_SILENT, np.nan, random.integers(0, 3, count))
    time_ns = START_NS + np.cumsum(random.integers(0, 5, count)) * SECOND_NS
    made = check_kernel(build, Batch.of(random.integers(0, 2, count), time_ns, value, quality))
    assert set(made.quality.tolist()) == {
        Quality.GOOD, Quality.BAD_SILENT, Quality.UNCERTAIN_CLOCK, Quality.BAD_STALE,
        Quality.BAD_OUT_OF_RANGE,
    }  # fmt: skip


def test_units_are_brought_to_those_of_the_calculation():
    made = build().step(Batch.of([0, 1], START_NS, [0.23, 500.0]))
    assert made.point.tolist() == [2, 3]
    assert made.value.tolist() == pytest.approx([115.0, 460.0])
    assert build().outputs[0].id == "g/m/u.power"
    assert build().outputs[0].feeds == "urn:ngsi-ld:Pump:1"


def test_the_last_input_gives_the_turn():
    batch = Batch.of([0, 1, 0, 0, 1, 1], at(0, 0, 1, 2, 2, 3), [1, 1e3, 2, 3, 1e3, 2e3])
    power = build().step(batch)
    power = power.select(power.point == 2)
    assert power.time_ns.tolist() == at(0, 2, 3)
    assert power.value.tolist() == [1000.0, 3000.0, 6000.0]


@pytest.mark.parametrize(
    ("later_s", "qualities", "current", "becomes"),
    [
        (10, (Quality.GOOD, Quality.GOOD), 1, Quality.GOOD),
        (11, (Quality.GOOD, Quality.GOOD), 1, Quality.BAD_STALE),
        (0, (Quality.BAD_SILENT, Quality.GOOD), 1, Quality.BAD_SILENT),
        (0, (Quality.UNCERTAIN_RANGE, Quality.UNCERTAIN_CLOCK), 1, Quality.UNCERTAIN_CLOCK),
        (0, (Quality.GOOD, Quality.GOOD), 0, Quality.BAD_OUT_OF_RANGE),
    ],
)
def test_doubt_passes_on(later_s, qualities, current, becomes):
    made = build().step(Batch.of([0, 1], at(0, later_s), [1, current], qualities))
    resistance = made.select(made.point == 3)
    assert resistance.quality.tolist() == [becomes]
    assert bool(np.isnan(resistance.value[0])) == (becomes.severity == 2)


def test_before_the_first_sample_it_is_stale():
    made = build().step(Batch.of([1], START_NS, [1.0]))
    assert made.quality.tolist() == [Quality.BAD_STALE] * 2


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (INPUTS[:1], r"it reads 2, not 1: voltage \(V\), current \(A\); the current is missing"),
        ([*INPUTS, Point(id="g/m/x")], "not 3: .*; g/m/x is one too many"),
        (
            INPUTS[::-1],
            r"input 1 is the voltage, in V or a unit that can become it; g/m/i is in mA "
            r"\(g/m/u would fit: the order counts\)",
        ),
        (INPUTS[:1] * 2, "input 2 is the current, in A or a unit that can become it; .* is in kV$"),
        ([INPUTS[0], Point(id="g/m/x")], "g/m/x is without a unit: write its unit where"),
    ],
)
def test_wrong_inputs_are_named(inputs, words):
    with pytest.raises(InputError, match=words):
        build(inputs=inputs)


def test_a_builtin_is_a_kernel_type():
    def make(settings, inputs):
        return build(settings.age_s_max, inputs)

    kind: KernelType = Builtin(Ages, make, READS, GIVES, "Ohm's law")
    assert kind.build(Ages(), INPUTS).inputs == ("g/m/u", "g/m/i")


@pytest.mark.parametrize("age_s", [0, -1, 1e9, float("nan")])
def test_an_age_that_makes_no_sense_is_refused(age_s):
    with pytest.raises(ValueError, match="age_s_max must be above 0 and at most 86400"):
        Ages(age_s_max=age_s)


LIMITED_GIVES = (Gives("flow", "m3/s", Label(en="Flow")), Gives("velocity", "m/s", Label(en="V")))


def twice(values):
    level = values[0]
    return np.array([2 * level, np.where(level > 8, np.nan, 3 * level), level > 5])


def build_limited():
    return Limited(
        "twice", [Point(id="g/d/h", unit="cm")], [Reads("level", "m")], LIMITED_GIVES, twice,
        age_s_max=60,
    )  # fmt: skip


def test_doubt_is_of_all_outputs_and_what_is_worse_stays():
    batch = Batch.of(
        [0] * 4, np.arange(4), [500, 600, 900, np.nan],
        [Quality.UNCERTAIN_CLOCK, Quality.GOOD, Quality.GOOD, Quality.BAD_SILENT],
    )  # fmt: skip
    made = build_limited().step(batch)
    first, doubtful = int(Quality.UNCERTAIN_CLOCK), int(Quality.UNCERTAIN_RANGE)
    assert of(made, 1)[0][:3] == [10, 12, 18]
    assert of(made, 1)[1] == [first, doubtful, doubtful, Quality.BAD_SILENT]
    assert of(made, 2)[1] == [first, doubtful, Quality.BAD_OUT_OF_RANGE, Quality.BAD_SILENT]


def test_a_limited_one_keeps_every_promise():
    made = check_kernel(build_limited, shaken(1, [500], [500]))
    assert set(made.point.tolist()) == {1, 2}
    assert Quality.UNCERTAIN_RANGE in made.quality
