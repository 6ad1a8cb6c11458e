"""Standing: what a kernel has learnt goes on for every point that still means the same."""

import numpy as np
import pytest

from citytwin import Batch
from citytwin.testing import VirtualClock
from citytwin_edge.assembly import Assembly, Workshop
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.kernels.anomaly import chain
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import Outbox
from tests.edge.agent_scenes import DEVICES, SECOND, config_of

NOW = 1_767_225_600 * SECOND
WATCH = """
[[kernel]]
name = "watch"
kernel = "anomaly"
inputs = ["d1/level", "d2/total.flow"]
"""
TEXT = DEVICES + WATCH
FLOW = "g/d2/total.flow"
LEVEL = "g/d1/level"


@pytest.fixture
def shop(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", size_bytes_max=1 << 24)
    yield Workshop(Numbering(outbox.connect()), ClockTrust(VirtualClock()), lambda _batch: None)
    outbox.close()


def steps(assembly, name="kernel:watch"):
    """Return how many steps are known of each input of the kernel, by id."""
    (stage,) = (one for one in assembly.pipeline._stages if one.name == name)
    known = stage.kernel._path.state[:, chain.STEPS]
    return dict(zip(stage.kernel.inputs, known.tolist(), strict=True))


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("inputs", "budget = 4.0\ninputs", {LEVEL, FLOW}),
        ("inputs", "trace = true\nholidays = 'none'\ninputs", {LEVEL, FLOW}),
        ("inputs", "exchange = 'd1/pump'\ninputs", {LEVEL, FLOW}),
        ('"d2/total.flow"]', '"d2/total.flow", "d1/pump"]', {LEVEL, FLOW}),
        ('["d1/level", "d2/total.flow"]', '["d2/total.flow"]', {FLOW}),
        ("inputs", "every_s = 5\ninputs", set()),
        ("inputs", 'learn_from = "2026-11-26"\ninputs', set()),
        ('name = "level"\n', 'name = "level"\nscale = 2\n', {FLOW}),
        ('name = "level"\n', 'name = "level"\nlabel = { en = "Level" }\n', {LEVEL, FLOW}),
        ('unit = "m"\n', 'unit = "cm"\n', {FLOW}),
        ('flow_unit = "m3/h"', 'flow_unit = "L/h"', {LEVEL}),
        ("factor = 3600", "factor = 36000", {LEVEL}),
        ('unit = "m3"\n', 'unit = "m3"\nscale = 10\n', {LEVEL}),
    ],
)
def test_a_change_costs_only_the_points_that_it_is_about(
    tmp_path, monkeypatch, shop, old, new, kept
):
    first = Assembly(config_of(tmp_path, monkeypatch, TEXT)[0], shop)
    ids = ["g/d1/level", "g/d2/total"]
    for minute in range(20):
        values = [1.0, 2.0 * minute]
        first.pipeline.take(
            Batch.of([first.numbers[one] for one in ids], NOW + minute * 60 * SECOND, values)
        )
        first.pipeline.tick()
    before = steps(first)
    assert min(before.values()) > 15
    changed = TEXT.replace(old, new, 1)
    if '"d1/level"' in changed and "exchange" in new:
        changed = changed.replace('"d2/total.flow"]', '"d2/total.flow", "d1/pump"]')
    second = Assembly(config_of(tmp_path, monkeypatch, changed)[0], shop, first)
    second.succeed(first)
    after = steps(second)
    assert {name for name in after if after[name] == before.get(name)} - {"g/d1/pump"} == kept
    assert all(np.isin(after[name], (0.0, before.get(name, 0.0))) for name in after)


@pytest.mark.parametrize(
    ("old", "new", "goes_on"),
    [
        ('unit = "m"\n', 'unit = "cm"\n', False),
        ('unit = "m"\n', 'unit = "m"\noffset = 1\n', False),
        ("normal = [0, 10000]", "normal = [0, 5]", True),
        ("anomaly = {}", "anomaly = { budget = 4.0 }", True),
    ],
)
def test_a_watched_point_of_another_unit_is_learnt_anew(
    tmp_path, monkeypatch, shop, old, new, goes_on
):
    text = DEVICES.replace("normal = [0, 10000]", "normal = [0, 10000]\nanomaly = {}")
    first = Assembly(config_of(tmp_path, monkeypatch, text)[0], shop)
    for minute in range(20):
        level = Batch.of([first.numbers[LEVEL]], NOW + minute * 60 * SECOND, [1.0])
        first.pipeline.take(level)
        first.pipeline.tick()
    before = steps(first, "anomaly")[LEVEL]
    assert before > 15
    second = Assembly(config_of(tmp_path, monkeypatch, text.replace(old, new, 1))[0], shop, first)
    second.succeed(first)
    assert steps(second, "anomaly")[LEVEL] == (before if goes_on else 0.0)


def test_another_flow_of_the_same_name_is_learnt_anew(tmp_path, monkeypatch, shop):
    """The watched flow is that of a weir whose width is corrected."""
    weir = """
[[kernel]]
name = "weir"
kernel = "manning"
inputs = ["d1/level"]
section = "circular"
width_m = 0.8
slope = 0.004
roughness_n = 0.013
"""
    text = DEVICES + weir + WATCH.replace("d2/total.flow", "d1/level.flow")
    first = Assembly(config_of(tmp_path, monkeypatch, text)[0], shop)
    for minute in range(20):
        level = Batch.of([first.numbers[LEVEL]], NOW + minute * 60 * SECOND, [0.3])
        first.pipeline.take(level)
        first.pipeline.tick()
    known = steps(first)
    assert known["g/d1/level.flow"] > 15
    same = Assembly(config_of(tmp_path, monkeypatch, text + "\n")[0], shop, first)
    same.succeed(first)
    assert steps(same) == known
    wider = text.replace("width_m = 0.8", "width_m = 0.9")
    second = Assembly(config_of(tmp_path, monkeypatch, wider)[0], shop, same)
    second.succeed(same)
    assert steps(second) == {LEVEL: known[LEVEL], "g/d1/level.flow": 0.0}
