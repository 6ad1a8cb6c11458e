"""IEC 62056-21 dialogues: what is sent when, at which speed, as generators without I/O.

A dialogue yields steps; whoever runs it sends each step's bytes, changes the speed, and sends back
what the meter said next. The same dialogue runs on a port and on recorded frames.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Final, NamedTuple, TypeVar

from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused
from citytwin_edge.wire.iec62056 import (
    Bcc,
    DataSet,
    Identification,
    Mode,
    Said,
    acknowledge,
    command,
    data_sets,
    request,
)

_REQUEST: Final = re.compile(r"(?:(R[1-6]) )?([\w.:*&-]{1,32}\([ -~]{0,110}\))", re.ASCII)
_ERROR: Final = re.compile(r"ERR(?:OR)?[ -]?\w{0,8}", re.IGNORECASE)
_EPILOGUE_MAX: Final = 8
"""So many things that are no answer (echoes) may come before one."""


class Plan(NamedTuple):
    """How a meter is spoken to.

    Attributes:
        address: its device address; empty: whoever is there.
        mode: auto, a, b or c.
        bcc: how blocks are checked.
        baud: the speed to begin with.
        baud_max: the highest speed that is agreed to.
        can_switch: the speed can be changed: it is a port of this machine, no serial server.
        password: for commands; empty where the meter asks for none.
        quick: commands are sent without a session, each with the request (Energomera).
    """

    address: str = ""
    mode: Mode = "auto"
    bcc: Bcc = "xor"
    baud: int = 300
    baud_max: int = 19_200
    can_switch: bool = True
    password: str = ""
    quick: bool = False


class Step(NamedTuple):
    """One thing that is done.

    Attributes:
        send: what is sent; perhaps nothing.
        baud: at which speed it goes on behind that; 0: as before.
        awaits: something is to be said then.
        is_secret: a password is sent, and may come back from an optical head.
    """

    send: bytes
    baud: int = 0
    awaits: bool = True
    is_secret: bool = False


Result = TypeVar("Result")
Dialogue = Generator[Step, Said, Result]


class Readout(NamedTuple):
    """Who answered, and the data sets of the readout."""

    identification: Identification
    sets: list[DataSet]


class Answers(NamedTuple):
    """Who answered (None in quick reading), and to each command its data sets, or why not."""

    identification: Identification | None
    sets: dict[str, list[DataSet] | DeviceError]


def split_request(text: str) -> tuple[str, str]:
    """Return command and data of a request such as ``VOLTA()`` or ``R5 0.9.2()``.

    Raises:
        ValueError: it is none, or would do more than read.
    """
    found = _REQUEST.fullmatch(text)
    if found is None:
        raise ValueError(
            f"request {text!r} must be NAME(), or R1 to R6, a blank and NAME(); only reading is "
            "allowed"
        )
    return found[1] or "R1", found[2]


def identify(plan: Plan) -> Dialogue[Identification]:
    """Ask who is there, and say no more.

    Raises:
        DeviceMalformed: what was said is no identification.
    """
    said = yield Step(request(plan.address))
    if said.kind != "identification":
        raise DeviceMalformed(f"no identification was answered, but {_shown(said)}")
    return Identification.parse(said.data)


def readout(plan: Plan) -> Dialogue[Readout]:
    """Ask for everything that the meter has in its readout (IEC 62056-21, 6.4.1 to 6.4.3).

    Raises:
        DeviceError: it was not answered as it should be.
    """
    who = yield from identify(plan)
    if who.mode(plan.mode) == "c":
        speed, baud = _agreed(plan, who)
        said = yield from _answered(Step(acknowledge(speed), baud))
    else:
        baud = who.baud(plan.mode)
        if baud and baud != plan.baud and not plan.can_switch:
            raise DeviceMalformed(
                f"{who} goes on at {baud} Bd by itself (mode B), which a serial server cannot "
                "follow; the meter needs a serial port of this machine"
            )
        said = yield from _answered(Step(b"", baud))
    if said.kind != "block":
        raise DeviceMalformed(f"{who} sent no readout, but {_shown(said)}")
    return Readout(who, data_sets(said.data, closed=True))


def commands(plan: Plan, requests: Sequence[str]) -> Dialogue[Answers]:
    """Read named values one after another (programming mode, 6.4.3.3; nothing is programmed).

    Raises:
        DeviceError: there was no session; a value that could not be read is in the answers.
    """
    if plan.quick:
        found = {}
        for one in requests:
            name, data = split_request(one)
            step = Step(request(plan.address)[:-2] + command(name, data, plan.bcc))
            found[one] = _sets(one, (yield from _answered(step)))
        return Answers(None, found)
    who = yield from _session(plan)
    found = {}
    for one in requests:
        said = yield from _answered(Step(command(*split_request(one), plan.bcc)))
        found[one] = _sets(one, said)
        if said == Said("header", b"B0"):
            return Answers(who, found | {it: found[one] for it in requests if it not in found})
    yield Step(command("B0", "", plan.bcc), awaits=False)
    return Answers(who, found)


def _session(plan: Plan) -> Dialogue[Identification]:
    """Begin a session of commands."""
    who = yield from identify(plan)
    speed, baud = _agreed(plan, who)
    said = yield from _answered(Step(acknowledge(speed, "1"), baud))
    if said.kind != "header" or not said.data.startswith(b"P0"):
        raise DeviceRefused(f"{who} begins no session of commands, but said {_shown(said)}")
    if plan.password:
        step = Step(command("P1", f"({plan.password})", plan.bcc), is_secret=True)
        said = yield from _answered(step, acks=True)
        if said.kind != "acknowledged":
            raise DeviceRefused(f"{who} did not take the password, but said {_shown(said)}")
    return who


def _agreed(plan: Plan, who: Identification) -> tuple[str, int]:
    """Return the speed that we answer with, as character and in baud.

    A meter goes on at the speed that it proposed when it hears that one, and else as it began.
    """
    baud = who.baud("c")
    if baud <= plan.baud_max and (plan.can_switch or baud == plan.baud):
        return who.speed, baud
    return "0", plan.baud


def _answered(step: Step, *, acks: bool = False) -> Dialogue[Said]:
    """Send, and return what is said, but for what was said by ourselves: heads may send it back."""
    said = yield step
    for _ in range(_EPILOGUE_MAX):
        ours = said.kind == "header" and said.data[:1] in (b"R", b"P") and said.data[:2] != b"P0"
        if not ours and (acks or said.kind != "acknowledged"):
            break
        said = yield Step(b"", is_secret=step.is_secret)
    return said


def _sets(asked: str, said: Said) -> list[DataSet] | DeviceError:
    """Return what a command brought, or why it brought nothing."""
    if said.kind in {"refused", "header"}:
        return DeviceRefused(f"the meter refused {asked}: {_shown(said)}")
    if said.kind != "block":
        return DeviceMalformed(f"to {asked} came {_shown(said)}")
    name = split_request(asked)[1].partition("(")[0]
    data = said.data if not said.data.startswith(b"(") else name.encode("ascii") + said.data
    try:
        found = data_sets(data)
    except DeviceMalformed as error:
        return error
    said_no = found[0].groups[0] if len(found) == 1 else ""
    if _ERROR.fullmatch(said_no):
        return DeviceRefused(f"the meter answered {said_no} to {asked}")
    return found


def _shown(said: Said) -> str:
    return said.data.decode("latin-1") if said.kind == "broken" else f"{said.kind} {said.data!r}"
