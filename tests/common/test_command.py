"""Command, read-back and outcome refuse what can never be carried out."""

import math

import msgspec
import pytest

from citytwin import Command, Outcome, OutcomeState, Readback
from citytwin.command import LIFETIME_NS_MAX
from citytwin.errors import CommandError, IdentityError

ID = "0123456789abcdef" * 2
READBACK = Readback("g/d/p", 1.0, 0.1, 10**9)
GOOD = {
    "id": ID,
    "point": "g/d/p",
    "value": 1.0,
    "issued_by": "aigul",
    "issued_ns": 10,
    "expires_ns": 20,
    "readback": READBACK,
}


def test_command_survives_messagepack():
    command = Command(**GOOD)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=Command) == command


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": ID[:-1] + "G"}, CommandError),
        ({"id": ID + "0"}, CommandError),
        ({"point": "p"}, IdentityError),
        ({"value": math.nan}, CommandError),
        ({"expires_ns": 10}, CommandError),
        ({"expires_ns": 11 + LIFETIME_NS_MAX}, CommandError),
        ({"issued_by": ""}, CommandError),
    ],
)
def test_command_refuses(change, error):
    with pytest.raises(error):
        Command(**(GOOD | change))


@pytest.mark.parametrize(
    "fields", [("g/d/p", math.inf, 0.1, 1), ("g/d/p", 1.0, -0.1, 1), ("g/d/p", 1.0, 0.1, 0)]
)
def test_readback_refuses(fields):
    with pytest.raises(ValueError, match="read-back"):
        Readback(*fields)


def test_outcome_has_limits():
    assert Outcome(command=ID, state=OutcomeState.REFUSED, at_ns=1, reason="x").reason == "x"
    with pytest.raises(CommandError):
        Outcome(command="no", state=OutcomeState.FAILED, at_ns=1)
    with pytest.raises(CommandError):
        Outcome(command=ID, state=OutcomeState.FAILED, at_ns=1, reason="x" * 401)
