"""The anomaly kernel: its promises, its outputs, and a whole gateway's file that asks for it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Kind, Point, Quality, Span
from citytwin.errors import ConfigError, MalformedError
from citytwin.testing import check_kernel
from citytwin_edge.config import load
from citytwin_edge.gateway import GatewayPoint
from citytwin_edge.kernels import PointRules, build
from citytwin_edge.kernels.anomaly import paths
from citytwin_edge.kernels.anomaly.compiled import CompiledPath
from citytwin_edge.kernels.anomaly.kernel import ANOMALY, GIVEN, MATURITY, Anomaly, path_of
from citytwin_edge.kernels.anomaly.settings import AnomalySettings
from citytwin_edge.pipeline import Pipeline
from citytwin_edge.standing import STATE_OF
from tests.edge.kernels.anomaly.days import BEGIN, STEP_S, days
from tests.edge.kernels.anomaly.roughness import rough

FLOW = Point(id="g/d/flow", unit="m3/h")
LEVEL = Point(id="g/d/level", unit="m")
FILE = """
[gateway]
name = "g"

[anomaly]
budget = 3.0
time_zone = "UTC"
holidays = "none"

[[device]]
name = "d"
adapter = "modbus"
host = "127.0.0.1"

[[device.point]]
name = "flow"
unit = "m3/h"
table = "holding"
address = 0
type = "int16"
anomaly = { learn_from = "2026-01-01" }

[[device.point]]
name = "plain"
table = "holding"
address = 1
type = "int16"

[[kernel]]
name = "after"
kernel = "anomaly"
inputs = ["d/plain"]
budget = 2.0
"""


def broken_days() -> Batch:
    values = days(14)
    values[2600:2640] += 12
    times = (BEGIN + np.arange(len(values), dtype=np.int64) * STEP_S) * 10**9
    return Batch.of(np.zeros(len(values)), times, values)


@pytest.mark.parametrize("make_path", [CompiledPath, paths.NumpyPath])
def test_it_keeps_every_promise(make_path):
    settings = [AnomalySettings(budget=50.0, trace=True), AnomalySettings(every_s=5.0)]
    points = [FLOW, Point(id="g/d/level", unit="m")]
    made = check_kernel(
        lambda: Anomaly(points, settings, make_path), rough(3, 700, 2, 120.0), cuts=6
    )
    assert len(made) > 100


def test_an_alarm_comes_with_its_reasons_before_it():
    kernel = Anomaly([FLOW], [AnomalySettings(budget=2.0, time_zone="UTC", holidays="none")])
    made = kernel.step(broken_days())
    names = [point.id.removeprefix("g/d/flow.anomaly") for point in kernel.outputs]
    assert tuple(names) == GIVEN
    told = {name: made.select(made.point == 1 + n) for n, name in enumerate(names)}
    alarms = told[""]
    first = alarms.time_ns[0]
    assert alarms.value[:2].tolist() == [1.0, 0.0]
    assert 2600 <= (first // 10**9 - BEGIN) // STEP_S < 2620
    for name in GIVEN[2:]:
        assert told[name].time_ns[0] == first, "each is told with the alarm"
    assert abs(told["-expected"].value[0] - days(14)[2600]) < 6
    assert told["-score"].value[0] > 1
    assert 0 <= told["-since"].value[0] < 3600
    assert told["-threshold"].value[0] <= told["-score"].value[0]
    assert told["-maturity"].value.tolist() == [0.0, 1.0, 2.0]
    units = {name: kernel.outputs[n].unit for n, name in enumerate(names)}
    assert (units["-expected"], units["-similar-3"], units["-threshold"]) == ("m3/h", "d", "1")
    assert kernel.outputs[0].kind == Kind.ALARM


def test_it_tells_the_days_that_had_the_like():
    values = days(20)
    for day in (9, 12, 15, 18):
        values[day * 288 + 100 : day * 288 + 106] += 25
    times = (BEGIN + np.arange(len(values), dtype=np.int64) * STEP_S) * 10**9
    kernel = Anomaly([FLOW], [AnomalySettings(budget=50.0, time_zone="UTC", holidays="none")])
    made = kernel.step(Batch.of(np.zeros(len(values)), times, values))
    numbers = [1 + GIVEN.index(name) for name in ("-similar", "-similar-2", "-similar-3")]
    told = [made.select(made.point == number) for number in numbers]
    days_of = (told[0].time_ns // 10**9 - BEGIN) // 86_400
    by_day = {int(day): [float(one.value[row]) for one in told] for row, day in enumerate(days_of)}
    assert by_day[9] == [0, 0, 0]
    assert by_day[12] == [3, 0, 0]
    assert by_day[18] == [3, 6, 9]


def test_an_alarm_that_is_raised_ends_with_the_kernel():
    kernel = Anomaly([FLOW], [AnomalySettings(budget=2.0, time_zone="UTC", holidays="none")])
    kernel.step(broken_days().select(slice(0, 2625)))
    last = kernel.held(np.array([0], np.int32))
    assert (last.point.tolist(), last.value.tolist()) == ([1], [0.0])


def test_a_state_that_would_lead_astray_is_refused():
    kernel = Anomaly([FLOW], [AnomalySettings()])
    state = kernel.snapshot()
    name, version, columns = msgspec.msgpack.decode(state)
    numbers = np.full(len(columns["numbers"][1]) // 8, 1e12)
    columns["numbers"] = (columns["numbers"][0], numbers.tobytes())
    with pytest.raises(MalformedError, match="holds what cannot be"):
        kernel.restore(msgspec.msgpack.encode((name, version, columns)))


@pytest.mark.parametrize(
    ("rules", "wrong", "mark"),
    [
        ({"valid": Span(0.0, 100.0)}, lambda v: np.full(len(v), 400.0), Quality.UNCERTAIN_RANGE),
        ({"rate": 0.2}, lambda v: v + 90 * (np.arange(len(v)) % 2), Quality.UNCERTAIN_RATE),
        ({"flat": 600.0}, lambda v: np.full(len(v), v[0]), Quality.UNCERTAIN_FLATLINE),
    ],
)
def test_what_rules_do_not_believe_teaches_nothing(rules, wrong, mark):
    """A day of it, and the state is that of a point of which these samples never came."""
    point = Point(id="g/d/flow", valid=rules.get("valid"))
    anomaly = AnomalySettings(budget=2.0, time_zone="UTC", holidays="none")
    asked = PointRules(
        anomaly=anomaly, rate_per_s_max=rules.get("rate"), flatline_s_max=rules.get("flat")
    )
    kernels = build([(point, asked)])
    values = days(8)
    values[1440:1728] = wrong(values[1440:1728])
    times = (BEGIN + np.arange(len(values), dtype=np.int64) * STEP_S) * 10**9
    marked = kernels["rules"].step(Batch.of(np.zeros(len(values)), times, values))
    doubted = marked.quality == mark
    assert 100 < doubted.sum() < 300
    kernels["anomaly"].step(marked)
    never = Anomaly([point], [anomaly])
    never.step(marked.select(~doubted))
    assert kernels["anomaly"].snapshot() == never.snapshot()
    believed = Anomaly([point], [anomaly])
    believed.step(Batch.of(np.zeros(len(values)), times, values))
    assert believed.snapshot() != never.snapshot()


def test_an_alarm_has_no_ordinary_course():
    with pytest.raises(ConfigError, match="g/d/a is an alarm"):
        ANOMALY.build(AnomalySettings(), [Point(id="g/d/a", kind=Kind.ALARM)])


def test_numpy_stands_in_where_numba_is_not(monkeypatch):
    every_s, wanted, near = np.array([60.0]), np.array([1.0]), np.array([False])
    assert isinstance(path_of(1, every_s, wanted, near), CompiledPath)
    monkeypatch.setitem(__import__("sys").modules, "citytwin_edge.kernels.anomaly.compiled", None)
    assert isinstance(path_of(1, every_s, wanted, near), paths.NumpyPath)


def pipeline_of(path):
    config = load(path)
    kernels = build([(one.point, one.rules) for one in config.points], config.kernels)
    points = [one.point for one in config.points]
    points += [point for kernel in kernels.values() for point in kernel.outputs]
    return config, points, Pipeline(kernels, points, np.arange(len(points), dtype=np.int32))


def test_a_gateways_file_asks_for_it(tmp_path):
    path = tmp_path / "edge.toml"
    path.write_text(FILE)
    config, points, pipeline = pipeline_of(path)
    flow, plain = (one.rules.anomaly for one in config.points)
    assert flow is not None
    assert (flow.budget, flow.learn_from, flow.time_zone) == (3.0, "2026-01-01", "UTC")
    assert plain is None
    alarms = []
    batch = broken_days()
    for start in range(0, len(batch), 50):
        pipeline.take(batch.select(slice(start, start + 50)))
        alarms.append(pipeline.tick().alarms)
    raised = Batch.concat(alarms)
    assert {points[number].id for number in raised.point.tolist()} == {"g/d/flow.anomaly"}
    assert any(2600 <= (t // 10**9 - BEGIN) // STEP_S < 2620 for t in raised.time_ns.tolist())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('learn_from = "2026-01-01"', "budget = 0", "anomaly"),
        ('time_zone = "UTC"', 'time_zone = "UTD"', 'time_zone "UTD" is not known here'),
        ("budget = 3.0", "bugdet = 3.0", "bugdet"),
        ('learn_from = "2026-01-01"', 'exchange = "d/none"', '"d/none" is no point of this'),
        ('unit = "m3/h"', 'unit = "m3"\nkind = "counter"', "anomaly"),
        ('name = "plain"', 'name = "flow.anomaly"', "is the name of what is derived"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, old, new, said):
    path = tmp_path / "edge.toml"
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(ConfigError, match=said):
        load(path)


def watching(names, **settings):
    anomaly = AnomalySettings(budget=2.0, time_zone="UTC", holidays="none", **settings)
    pairs = [(Point(id=f"g/d/{name}"), PointRules(anomaly=anomaly)) for name in names]
    kernels = build(pairs)
    points = [point for point, _ in pairs]
    points += [point for kernel in kernels.values() for point in kernel.outputs]
    return kernels["anomaly"], Pipeline(kernels, points, np.arange(len(points), dtype=np.int32))


def test_a_change_of_points_carries_what_the_others_have_learnt():
    _, before = watching(["a", "b"])
    batch = broken_days().select(slice(0, 2625))
    for number in (0, 1):
        before.take(Batch.of(np.full(len(batch), number), batch.time_ns, batch.value + number))
    assert len(before.tick().alarms)
    kernel, after = watching(["b", "c"])
    last = after.succeed(before, lambda _kernel, point: point == "g/d/b")
    assert last.alarms.value.tolist() == [0.0], "the alarm of a ends, that of b stays"
    alone, other = watching(["b", "c"])
    other.take(Batch.of(np.zeros(len(batch)), batch.time_ns, batch.value + 1))
    other.tick()
    assert kernel.snapshot() == alone.snapshot()


SERIAL = Point(id="g/d/serial")
BY_SERIAL = AnomalySettings(budget=50.0, every_s=5.0, exchange="d/serial", trace=True)


@pytest.mark.parametrize("make_path", [CompiledPath, paths.NumpyPath])
def test_it_keeps_every_promise_with_meters_that_are_exchanged(make_path):
    samples = rough(2, 700, 2, 120.0)
    serial = np.where(np.arange(len(samples)) < 500, 1.0, 2.0)
    value = np.where(samples.point == 1, serial, samples.value)
    samples = Batch(samples.point, samples.time_ns, value, samples.quality)
    made = check_kernel(lambda: Anomaly([FLOW], [BY_SERIAL], make_path, [SERIAL]), samples, cuts=6)
    maturity = made.select(made.point == 2 + MATURITY)
    assert maturity.value.tolist().count(0) >= 2, "it began twice"


def learnt(**more):
    """Return a kernel that has learnt for days, and is in the midst of an alarm."""
    settings = AnomalySettings(budget=2.0, time_zone="UTC", holidays="none", **more)
    kernel = Anomaly([FLOW, LEVEL], [settings] * 2, meters=[SERIAL])
    batch = broken_days().select(slice(0, 2625))
    kernel.step(batch)
    kernel.step(Batch.of(np.ones(len(batch)), batch.time_ns, batch.value))
    return kernel, int(batch.time_ns[-1])


@pytest.mark.parametrize("by", ["command", "serial number"])
def test_one_point_is_learnt_anew_and_the_other_goes_on(by):
    kernel, now_ns = learnt(exchange="" if by == "command" else "d/serial")
    other = kernel.snapshot()
    maturity = kernel.outputs[MATURITY]
    assert (maturity.id, maturity.writable) == ("g/d/flow.anomaly-maturity", Span(0, 0))
    if by == "command":
        said = kernel.obey(3 + MATURITY, 0.0, now_ns)
        ended, begun = [3], [3 + MATURITY]
    else:
        said = kernel.step(Batch.of([2, 2], [now_ns, now_ns + 1], [1.0, 2.0]))
        ended, begun = [3, 3 + len(GIVEN)], [3 + MATURITY, 3 + len(GIVEN) + MATURITY]
    assert said.point.tolist() == begun + ended
    assert not said.value.any()
    assert not len(kernel.held(np.array([0], np.int32))), "the alarm has ended"
    fresh = Anomaly([FLOW, LEVEL], [kernel._settings[0]] * 2, meters=[SERIAL])
    assert (kernel._path.state[0] == fresh._path.state[0]).all()
    assert not kernel._path.counts[0].any()
    fresh.restore(other)
    goes_on = bool((kernel._path.state[1] == fresh._path.state[1]).all())
    assert goes_on == (by == "command")


def test_a_kernel_of_its_own_names_its_meter_among_its_inputs():
    kernel = ANOMALY.build(BY_SERIAL, [FLOW, SERIAL])
    assert kernel.inputs == ("g/d/flow", "g/d/serial")
    assert {point.id.split(".")[0] for point in kernel.outputs} == {"g/d/flow"}
    with pytest.raises(ConfigError, match='"d/serial" is none of the inputs'):
        ANOMALY.build(BY_SERIAL, [FLOW])
    with pytest.raises(ConfigError, match="no input to watch"):
        ANOMALY.build(BY_SERIAL, [SERIAL])


def test_a_meter_that_is_a_text_is_looked_at():
    text = Point(id="g/d/serial", kind=Kind.TEXT)
    kernel = build([(FLOW, PointRules(anomaly=BY_SERIAL)), (text, PointRules())])["anomaly"]
    assert kernel.inputs == ("g/d/flow", "g/d/serial")


def test_learning_anew_and_another_budget_are_told_apart():
    def with_rules(**settings):
        rules = PointRules(anomaly=AnomalySettings(**settings))
        return GatewayPoint(FLOW, 1.0, 0.0, rules, None)

    stands = STATE_OF["anomaly"]
    assert stands(with_rules(budget=1.0)) == stands(with_rules(budget=4.0, trace=True))
    assert stands(with_rules()) != stands(with_rules(learn_from="2026-11-26"))
    assert stands(with_rules()) != stands(with_rules(every_s=5.0))
