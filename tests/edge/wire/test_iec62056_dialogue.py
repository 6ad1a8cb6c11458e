"""IEC 62056-21 dialogues: what is sent when, at which speed; every answer that may come."""

import pytest

from citytwin.errors import DeviceMalformed, DeviceRefused
from citytwin_edge.wire.iec62056 import Said
from citytwin_edge.wire.iec62056_dialogue import (
    Plan,
    Step,
    commands,
    identify,
    readout,
    split_request,
)

WHO = Said("identification", b"/ISk5MT174-0002")
BLOCK = Said("block", b"1.8.0(1*kWh)\r\n!\r\n")


def held(dialogue, *answers):
    """Hold a dialogue; return its steps, and its result or error."""
    steps, left = [next(dialogue)], list(answers)
    try:
        while True:
            steps.append(dialogue.send(left.pop(0)) if steps[-1].awaits else next(dialogue))
    except StopIteration as end:
        return steps, end.value


def test_identify():
    steps, who = held(identify(Plan(address="12")), WHO)
    assert steps == [Step(b"/?12!\r\n")]
    assert who.text == "MT174-0002"
    with pytest.raises(DeviceMalformed, match="no identification"):
        held(identify(Plan()), BLOCK)


@pytest.mark.parametrize(
    ("plan", "step"),
    [
        (Plan(), Step(b"\x06050\r\n", 9600)),
        (Plan(baud_max=4800), Step(b"\x06000\r\n", 300)),
        (Plan(can_switch=False), Step(b"\x06000\r\n", 300)),
        (Plan(can_switch=False, baud=9600), Step(b"\x06050\r\n", 9600)),
    ],
)
def test_speeds_of_mode_c(plan, step):
    steps, told = held(readout(plan), WHO, BLOCK)
    assert steps[1] == step
    assert told.sets[0].name == "1.8.0"


def test_speeds_of_modes_a_and_b():
    steps, _ = held(readout(Plan()), Said("identification", b"/ABCEx"), BLOCK)
    assert steps[1] == Step(b"", 9600)
    steps, _ = held(readout(Plan()), Said("identification", b"/ABC x"), BLOCK)
    assert steps[1] == Step(b"", 0)
    with pytest.raises(DeviceMalformed, match="serial server cannot follow"):
        held(readout(Plan(can_switch=False)), Said("identification", b"/ABCEx"))


def test_echoes_are_passed_over_but_not_for_ever():
    _, told = held(readout(Plan()), WHO, Said("acknowledged", b""), BLOCK)
    assert told.sets
    with pytest.raises(DeviceMalformed, match="no readout"):
        held(readout(Plan()), WHO, *[Said("acknowledged", b"")] * 20)
    with pytest.raises(DeviceMalformed, match="check character"):
        held(readout(Plan()), WHO, Said("broken", b"the block check character is wrong"))


def test_commands_and_all_that_they_may_be_answered():
    asked = ["A()", "B()", "C()", "R5 0.9.2()", "D()"]
    plan = Plan(password="1")
    steps, told = held(
        commands(plan, asked), WHO, Said("header", b"P0\x02(1)"), Said("header", b"P1\x02(1)"),
        Said("acknowledged", b""), Said("block", b"A(1)\r\nA(2)"), Said("block", b"(ERR12)"),
        Said("refused", b""), Said("block", b"(130103)"), Said("broken", b"noise"),
    )  # fmt: skip
    assert steps[-1] == Step(b"\x01B0\x03q", awaits=False)
    assert told.sets["A()"][0].groups == ("1", "2")
    assert isinstance(told.sets["B()"], DeviceRefused)
    assert isinstance(told.sets["C()"], DeviceRefused)
    assert told.sets["R5 0.9.2()"][0] == ("0.9.2", ("130103",))
    assert isinstance(told.sets["D()"], DeviceMalformed)


def test_a_session_that_the_meter_ends():
    end = Said("header", b"B0")
    _, told = held(commands(Plan(), ["A()", "B()"]), WHO, Said("header", b"P0\x02(1)"), end)
    assert all(isinstance(one, DeviceRefused) for one in told.sets.values())
    with pytest.raises(DeviceRefused, match="did not take the password"):
        held(commands(Plan(password="2"), ["A()"]), WHO, Said("header", b"P0\x02(1)"), end)
    with pytest.raises(DeviceRefused, match="begins no session"):
        held(commands(Plan(), ["A()"]), WHO, BLOCK)


def test_only_reading_is_allowed():
    assert split_request("R5 0.9.2()") == ("R5", "0.9.2()")
    assert split_request("GRPNM(VOLTA()CURRE())") == ("R1", "GRPNM(VOLTA()CURRE())")
    for text in ("W1 CTIME()", "E2 X()", "P1 (1)", "CTIME", "A()\x03", ""):
        with pytest.raises(ValueError, match="only reading"):
            split_request(text)
