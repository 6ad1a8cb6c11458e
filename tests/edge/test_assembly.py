"""Assemblies: what is taken over from the one before, and what is made anew."""

from typing import Any

import numpy as np
import pytest

from citytwin import Batch, SystemClock
from citytwin_edge.assembly import Assembly, Workshop
from citytwin_edge.clocktrust import ClockTrust
from citytwin_edge.config import load
from citytwin_edge.numbering import Numbering
from citytwin_edge.outbox import Outbox
from tests.edge.agent_scenes import DEVICES, SECOND, config_of
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]

DOOR = DEVICES.replace('unit = "m"\n', 'unit = "m"\nswinging_door = 0.5\n')
LINES = (
    '[[device]]\nname = "a"\nadapter = "modbus"\nhost = "10.0.0.1"\nunit = {a}\n'
    '[[device.point]]\nname = "x"\ntable = "holding"\naddress = 0\n'
    '[[device]]\nname = "b"\nadapter = "modbus"\nhost = "10.0.0.1"\nunit = 2\n'
    '[[device.point]]\nname = "x"\ntable = "holding"\naddress = 0\n'
    '[[device]]\nname = "c"\nadapter = "modbus"\nhost = "10.0.0.2"\nconnect_timeout_s = {c}\n'
    '[[device.point]]\nname = "x"\ntable = "holding"\naddress = 0\n'
)


@pytest.fixture
def shop(tmp_path):
    outbox = Outbox(tmp_path / "outbox.db", size_bytes_max=1 << 20)
    return Workshop(Numbering(outbox.connect()), ClockTrust(SystemClock()), lambda _batch: None)


def line_of(poller: Any) -> Any:
    return poller.spec.adapter._line


def site_of(poller: Any) -> Any:
    return poller.spec.adapter._site


def made(config, shop, before=None):
    return Assembly(config, shop, before)


def test_a_line_that_unchanged_devices_use_is_shared_with_those_built_anew(tmp_path, shop):
    def of(**values):
        path = tmp_path / "edge.toml"
        path.write_text(f'[gateway]\nname = "g"\n{LINES.format(**values)}')
        return load(path)

    first = made(of(a=1, c=3.0), shop)
    second = made(of(a=3, c=4.0), shop, first)
    lines = [
        {name: line_of(poller) for name, poller in one.pollers.items()} for one in (first, second)
    ]
    assert list(second.fresh) == ["a", "c"]
    assert second.pollers["b"] is first.pollers["b"]
    assert lines[0]["a"] is lines[1]["a"] is lines[1]["b"], "unit 2 goes on using it"
    assert lines[0]["c"] is not lines[1]["c"], "its own settings have changed"
    assert lines[1]["c"].endpoint.connect_timeout_s == 4.0
    sites = [site_of(poller) for poller in second.pollers.values()]
    assert all(site.taps is shop.taps for site in sites), "who looks at lines sees the new ones"


def test_what_a_kernel_holds_of_a_point_that_leaves_is_given(tmp_path, monkeypatch, shop):
    config, _ = config_of(tmp_path, monkeypatch, DOOR)
    first = made(config, shop)
    level, now = first.numbers["g/d1/level"], 1_767_225_600 * SECOND
    first.pipeline.take(Batch.of([level, level], [now, now + SECOND], [1.0, 1.1]))
    assert first.pipeline.tick().telemetry.value.tolist() == [1.0], "1.1 is held back"
    same = made(config_of(tmp_path, monkeypatch, DOOR + "\n")[0], shop, first)
    assert not len(same.succeed(first).telemetry)
    without = made(config_of(tmp_path, monkeypatch, DEVICES)[0], shop, same)
    held = without.succeed(same)
    assert held == (Batch.of([level], now + SECOND, [1.1]), Batch.empty())


def test_an_alarm_of_a_point_that_begins_anew_ends(tmp_path, monkeypatch, shop):
    """Its kernel forgets that it was raised, so nobody would ever return it."""
    narrow = DEVICES.replace("normal = [0, 10000]", "normal = [0, 1]")
    first = made(config_of(tmp_path, monkeypatch, narrow)[0], shop)
    now = 1_767_225_600 * SECOND
    first.pipeline.take(Batch.of([first.numbers["g/d1/level"]], now, [5.0]))
    alarm = first.numbers["g/d1/level.alarm"]
    assert first.pipeline.tick().alarms == Batch.of([alarm], now, [1.0])
    wider = made(config_of(tmp_path, monkeypatch, DEVICES)[0], shop, first)
    assert not len(wider.succeed(first).alarms), "it goes on, and returns with the next value"
    other = DEVICES.replace('name = "level"', 'name = "level"\nscale = 2')
    second = made(config_of(tmp_path, monkeypatch, other)[0], shop, first)
    assert second.succeed(first).alarms == Batch.of([alarm], now, [0.0])


@pytest.mark.parametrize(
    ("change", "remembers"),
    [
        (("flow_max = 1e9", "flow_max = 1e8"), False),
        (('unit = "m3"', 'unit = "L"'), False),
        (('name = "total"', 'name = "total"\nscale = 10'), False),
        (('name = "total"', 'name = "total"\nlabel = { en = "Total" }'), True),
        (("normal = [0, 10000]", "normal = [0, 9]"), True),
        (('name = "pump"', 'name = "fan"'), True),
    ],
)
def test_a_kernel_remembers_points_that_mean_the_same(
    tmp_path, monkeypatch, shop, change, remembers
):
    first = made(config_of(tmp_path, monkeypatch)[0], shop)
    now = 1_767_225_600 * SECOND
    first.pipeline.take(Batch.of([first.numbers["g/d2/total"]], now, [5.0]))
    first.pipeline.tick()
    second = made(config_of(tmp_path, monkeypatch, DEVICES.replace(*change))[0], shop, first)
    second.succeed(first)
    second.pipeline.take(Batch.of([second.numbers["g/d2/total"]], now + SECOND, [6.0]))
    flow = second.numbers["g/d2/total.flow"]
    assert (flow in second.pipeline.tick().telemetry.point) == remembers


def test_samples_of_points_that_are_no_more_pass(tmp_path, monkeypatch, shop):
    first = made(config_of(tmp_path, monkeypatch)[0], shop)
    only = DEVICES[: DEVICES.index('[[device]]\nname = "d2"')]
    second = made(config_of(tmp_path, monkeypatch, only)[0], shop, first)
    number = first.numbers["g/d2/total"]
    second.pipeline.take(Batch.of([number], 1, [np.pi]))
    assert second.pipeline.tick().telemetry == Batch.of([number], 1, [np.pi])


@pytest.mark.parametrize(
    ("old", "new", "then"),
    [
        ('name = "x"\n', 'name = "x"\nlabel = { en = "X", ru = "X", kk = "X" }\n', 3.0 + 3.0),
        ('name = "x"\n', 'name = "x"\nscale = 2\n', 3.0),
        ("factor = 1.0", "factor = 3.0", 3 * 3.0),
        ('name = "sum"', 'name = "other"', 3.0),
    ],
)
def test_a_vendors_kernel_remembers_while_what_it_stands_on_is_the_same(
    tmp_path, vendor, shop, old, new, then
):
    text = '[gateway]\nname = "g"\n' + LINES.format(a=1, c=3.0)
    text += '[[kernel]]\nname = "sum"\nkernel = "total"\ninputs = ["a/x"]\nfactor = 1.0\n'

    def of(text):
        path = tmp_path / "edge.toml"
        path.write_text(text)
        return load(path)

    def total(assembly):
        point, now = assembly.numbers["g/a/x"], 1_767_225_600 * SECOND
        assembly.pipeline.take(Batch.of([point], now, [3.0]))
        telemetry = assembly.pipeline.tick().telemetry
        derived = telemetry.point == assembly.numbers["g/a/x.total"]
        return telemetry.value[derived].tolist()

    first = made(of(text), shop)
    assert total(first) == [3.0]
    second = made(of(text.replace(old, new, 1)), shop, first)
    second.succeed(first)
    assert total(second) == [then]


@pytest.mark.parametrize("broken", ["", "snapshot"])
def test_a_vendors_kernel_of_what_is_derived_may_be_changed(tmp_path, vendor, shop, broken):
    text = '[gateway]\nname = "g"\n' + LINES.format(a=1, c=3.0)
    text += '[[kernel]]\nname = "sum"\nkernel = "total"\ninputs = ["a/x"]\n'
    text += '[[kernel]]\nname = "twice"\nkernel = "total"\ninputs = ["a/x.total"]\n'
    text += f'broken = "{broken}"\nfactor = '
    path = tmp_path / "edge.toml"
    path.write_text(f"{text}1.0\n")
    first = made(load(path), shop)
    path.write_text(f"{text}2.0\n")
    second = made(load(path), shop, first)
    assert not len(second.succeed(first).telemetry)
    second.pipeline.take(Batch.of([second.numbers["g/a/x"]], 1_767_225_600 * SECOND, [3.0]))
    telemetry = second.pipeline.tick().telemetry
    twice = telemetry.point == second.numbers["g/a/x.total.total"]
    assert telemetry.value[twice].tolist() == [6.0]
