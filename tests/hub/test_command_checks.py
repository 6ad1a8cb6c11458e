"""What may be wished of a point."""

import pytest

from citytwin import Point, Span
from citytwin_hub.command_checks import (
    AHEAD_NS_MAX,
    CommandRefused,
    Wish,
    command_of,
    known_point,
    refused,
)
from citytwin_hub.registry import Registry
from tests.hub.doors import permit

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
AIGUL = permit("aigul", "operator")
ID = "a" * 32


@pytest.fixture
def registry(tmp_path):
    opened = Registry(tmp_path / "registry.db")
    opened.rows([Point(id="g/d/valve", writable=Span(0, 10), step=0.5), Point(id="g/d/level")])
    yield opened
    opened.close()


def command(registry, value=5.0, point="g/d/valve", **more):
    _, known = known_point(registry, point)
    return command_of(Wish(AIGUL, point, value, **more), known, ID, NOW)


def test_a_command_for_later_is_issued_then(registry):
    later = command(registry, at_ns=NOW + 60 * SECOND, expires_s=10)
    assert (later.issued_ns, later.expires_ns) == (NOW + 60 * SECOND, NOW + 70 * SECOND)
    assert command(registry, at_ns=NOW - 5).issued_ns == NOW, "what is past is now"
    with pytest.raises(CommandRefused, match="at most 30 days ahead"):
        command(registry, at_ns=NOW + AHEAD_NS_MAX + 1)


@pytest.mark.parametrize(
    ("may", "point", "value", "words"),
    [
        (True, "g/d/valve", 5.5, None),
        (None, "g/d/valve", 5.5, "may look but not act"),
        (False, "g/d/valve", 5.5, "may not command g/d/valve"),
        (True, "g/d/level", 5.5, "cannot be written"),
        (True, "g/d/valve", 10.5, "outside 0 … 10"),
        (True, "g/d/valve", 5.1, "plus a multiple of 0.5"),
    ],
)
def test_why_a_command_may_not_be_carried_out(registry, may, point, value, words):
    refusal = refused(registry, may, command(registry, value, point))
    assert (refusal is None) == (words is None)
    assert words is None or words in str(refusal)
