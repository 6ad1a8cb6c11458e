"""A whole plant: when the alarm comes and goes, whom it names, gaps, late samples, wrong inputs."""

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Kind, Point, Quality
from citytwin.errors import ConfigError
from citytwin.plant_fit import fit
from citytwin.testing import check_kernel
from citytwin_edge.config import load
from citytwin_edge.kernels import build as build_all
from citytwin_edge.kernels.anomaly.multivariate import (
    MULTIVARIATE,
    TOLD_MAX,
    Multivariate,
    Settings,
)
from tests.bench.bench_batadal import score
from tests.common.plants import HOUR_NS, NAMES, PRESSURE, SPARE, START_NS, STATUS, plant

TEXT = fit(NAMES, START_NS, 3600, plant(60)).model.text()
INPUTS = [Point(id=f"g/{name}", unit="bar" if name.endswith("pressure") else "1") for name in NAMES]
COUNT = len(NAMES)
ALARM, SCORE, SINCE, FIRST = COUNT, COUNT + 1, COUNT + 2, COUNT + 3


def build(**fields):
    return MULTIVARIATE.build(Settings(model=TEXT, **fields), INPUTS)


def batch(values, start=0):
    hours = np.repeat(np.arange(start, start + len(values)), COUNT)
    points = np.tile(np.arange(COUNT), len(values))
    return Batch.of(points, START_NS + hours * HOUR_NS, values.ravel())


def changes(made):
    made = made.select(made.point == ALARM)
    hours = (made.time_ns - START_NS) // HOUR_NS
    return list(zip(hours.tolist(), made.value.tolist(), strict=True))


def wrong(first=200, last=210):
    values = plant(20, seed=3)
    values[first:last, PRESSURE] -= 3.0
    return values


def test_it_keeps_every_promise():
    random = np.random.default_rng(2)
    samples = batch(np.repeat(wrong(), 3, axis=0))
    time_ns = START_NS + np.repeat(np.arange(3 * 480), COUNT) * HOUR_NS // 3
    late = random.random(len(samples)) < 0.02
    time_ns = time_ns - late * random.choice([0, 60, 3600, 86_400], len(late)) * 10**9
    quality = np.where(random.random(len(samples)) < 0.1, Quality.BAD_SILENT, Quality.GOOD)
    quality[random.random(len(samples)) < 0.02] = Quality.UNCERTAIN_RANGE
    value = np.where(quality == Quality.BAD_SILENT, np.nan, samples.value)
    value[quality == Quality.UNCERTAIN_RANGE] = 1e12
    rough = Batch.of(samples.point, time_ns, value, quality)
    keep = np.ones(len(rough), bool)
    keep[2000:2300] = False
    made = check_kernel(build, rough.select(keep), cuts=8)
    assert (201, 1.0) in changes(made)


def test_the_points_it_adds():
    alarm, score, since, *channels = build().outputs
    assert (alarm.id, alarm.kind) == ("g/tank/level.plant", Kind.ALARM)
    assert (score.id, since.id) == ("g/tank/level.plant-score", "g/tank/level.plant-since")
    assert channels[PRESSURE].id == "g/main/pressure.plant-share"
    expected = channels[COUNT + PRESSURE]
    assert (expected.id, expected.unit) == ("g/main/pressure.plant-expected", "bar")
    assert len(channels) == 2 * COUNT


def test_a_clean_plant_raises_nothing():
    made = build().step(batch(plant(60, seed=4)))
    assert changes(made) == []
    assert set(made.point.tolist()) == {SCORE, SINCE}
    assert len(made) == 2 * (60 * 24 - 2)  # the first step has none before it, the last is not over


def test_the_alarm_names_the_point_that_deviates_and_returns():
    made = build().step(batch(wrong()))
    (raised, one), (returned, zero) = changes(made)
    assert (one, zero) == (1.0, 0.0)
    assert 201 <= raised <= 202
    assert 210 + 12 <= returned <= 210 + 12 + 6
    shares = made.select((made.point >= FIRST) & (made.point < FIRST + COUNT))
    told = shares.select(shares.time_ns == START_NS + raised * HOUR_NS)
    assert len(told) == TOLD_MAX
    assert told.point[0] == FIRST + PRESSURE
    assert told.value[0] > 0.9
    at_once = made.select(made.time_ns == START_NS + raised * HOUR_NS)
    assert at_once.point[-3:].tolist() == [SCORE, SINCE, ALARM]
    assert at_once.value[-2] == 3600 * (raised - 200)
    hours = (shares.time_ns - START_NS) // HOUR_NS
    assert set(hours.tolist()) == set(range(raised, returned))
    ought = made.select(made.point == FIRST + COUNT + PRESSURE)
    right = plant(20, seed=3)[ought.time_ns[0] // HOUR_NS - START_NS // HOUR_NS - 1, PRESSURE]
    assert ought.value[0] == pytest.approx(right, abs=1.0)


def test_a_higher_threshold_is_less_sensitive_and_a_shorter_hold_ends_sooner():
    assert changes(build(threshold=100).step(batch(wrong()))) == []
    (_, _), (returned, _) = changes(build(hold_steps=0).step(batch(wrong())))
    assert returned <= 216


def test_a_point_that_never_moved_and_moves_is_told():
    values = plant(20, seed=3)
    values[300:, SPARE] = 1.0
    ((raised, _),) = changes(build().step(batch(values)))
    assert raised == 301


def test_a_silent_point_is_filled_and_most_of_them_silent_is_a_gap():
    samples = batch(plant(30, seed=3))
    hour = (samples.time_ns - START_NS) // HOUR_NS
    silent = (samples.point == STATUS) & (hour > 100) & (hour < 200)
    gap = (hour > 300) & (hour < 310) & (samples.point > 2)
    made = build().step(samples.select(~silent & ~gap))
    assert changes(made) == []
    assert len(made) == 2 * (30 * 24 - 2 - 9 - 1)


def test_a_sample_of_the_step_before_counts_where_it_arrives():
    samples = batch(plant(30, seed=3))
    order = np.argsort(
        samples.time_ns + np.where(samples.point == PRESSURE, HOUR_NS + 1, 0), kind="stable"
    )
    made = build().step(samples.select(order))
    # The first step lacks the pressure; every other has that of the hour before.
    assert len(made.select(made.point == SCORE)) == 30 * 24 - 3


def test_a_clock_that_was_set_back_is_followed():
    values = plant(30, seed=3)
    samples = Batch.concat([batch(values[:400]), batch(values[400 - 24 * 7 :], 400 - 24 * 7)])
    made = build().step(samples)
    assert made.time_ns[-1] == START_NS + 719 * HOUR_NS
    assert changes(made) == []


def test_when_it_ends_a_raised_alarm_ends():
    kernel = Multivariate(Settings(model=TEXT), INPUTS)
    kernel.step(batch(wrong()[:205]))
    end = kernel.held(np.array([0], np.int32))
    assert (end.point.tolist(), end.value.tolist()) == ([ALARM], [0.0])
    assert not len(Multivariate(Settings(model=TEXT), INPUTS).held(np.array([0], np.int32)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": "x"}, "a model begins with 'plant1:'"),
        ({"threshold": 0.1}, r"Expected `float` >= 0.5 .*threshold"),
        ({"hold_steps": -1}, r"Expected `int` >= 0 .*hold_steps"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"model": TEXT, **fields}, Settings)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (INPUTS[:-1], "the model is of 6 points, and 5 are its inputs"),
        (INPUTS[::-1], "input 1 is g/spare/status, but the model was fitted with tank/level"),
    ],
)
def test_other_inputs_than_the_models_are_refused(inputs, words):
    with pytest.raises(ConfigError, match=words):
        MULTIVARIATE.build(Settings(model=TEXT), inputs)


def test_it_stands_in_a_gateways_file(tmp_path):
    devices = "".join(
        f'[[device]]\nname = "{device}"\nadapter = "modbus"\nhost = "{device}"\n'
        + "".join(
            f'[[device.point]]\nname = "{name.partition("/")[2]}"\ntable = "holding"\n'
            f"address = {number}\n"
            for number, name in enumerate(NAMES)
            if name.partition("/")[0] == device
        )
        for device in dict.fromkeys(name.partition("/")[0] for name in NAMES)
    )
    path = tmp_path / "edge.toml"
    listed = ", ".join(f'"{name}"' for name in NAMES)
    path.write_text(
        f'[gateway]\nname = "g"\n{devices}[[kernel]]\nname = "plant"\nkernel = "multivariate"\n'
        f'inputs = [{listed}]\nmodel = "{TEXT}"\n'
    )
    config = load(path)
    kernels = build_all([(one.point, one.rules) for one in config.points], config.kernels)
    assert [value for _, value in changes(kernels["kernel:plant"].step(batch(wrong())))] == [1, 0]


def test_the_benchmark_scores_as_batadal_does():
    attack = np.zeros(100, bool)
    attack[10:20] = attack[50:90] = True
    alarm = np.zeros(100, bool)
    alarm[12:22] = alarm[30:32] = True
    found = score(attack, alarm)
    assert found.time == pytest.approx(1 - (0.2 + 1.0) / 2)
    assert found.true_positive == pytest.approx(8 / 50)
    assert found.true_negative == pytest.approx(46 / 50)
    assert found.s == pytest.approx((0.4 + (8 / 50 + 46 / 50) / 2) / 2)
    assert (found.detected, found.attacks, found.false) == (1, 2, 1)
