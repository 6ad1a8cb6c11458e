"""Simple members, read and refused."""

import pytest

from citytwin_hub.apis.ngsild import fields
from citytwin_hub.entities.errors import BadRequestData


def test_what_is_given_is_read_and_what_is_not_is_none():
    given = {
        "p": [{"key": "a", "value": "b"}], "o": "x", "w": 3, "f": False, "t": ["a", "b"],
    }  # fmt: skip
    assert fields.pairs(given, "p") == (("a", "b"),)
    assert fields.one_of(given, "o", ("x", "y")) == "x"
    assert fields.whole(given, "w", 1, 3) == 3
    assert fields.flag(given, "f") is False
    assert fields.texts(given, "t") == ["a", "b"]
    assert fields.pairs({}, "p") == ()
    assert fields.one_of({}, "o", ("x",)) is None
    assert fields.whole({}, "w", 1, 3) is None
    assert fields.flag({}, "f") is None
    assert fields.texts({}, "t") is None


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda given: fields.pairs(given, "m"), {"key": "a"}),
        (lambda given: fields.pairs(given, "m"), [{"key": "a"}]),
        (lambda given: fields.pairs(given, "m"), [{"key": "", "value": "b"}]),
        (lambda given: fields.pairs(given, "m"), [{"key": "a", "value": "b" * 9000}]),
        (lambda given: fields.pairs(given, "m"), [{"key": "a", "value": "b"}] * 51),
        (lambda given: fields.one_of(given, "m", ("x",)), "z"),
        (lambda given: fields.whole(given, "m", 1, 3), 4),
        (lambda given: fields.whole(given, "m", 1, 3), True),
        (lambda given: fields.whole(given, "m", 1, 3), 1.5),
        (lambda given: fields.flag(given, "m"), "yes"),
        (lambda given: fields.texts(given, "m"), []),
        (lambda given: fields.texts(given, "m"), [""]),
        (lambda given: fields.texts(given, "m"), "a"),
        (lambda given: fields.object_in(given["m"], "m"), []),
    ],
)
def test_what_is_wrong_is_named(read, value):
    with pytest.raises(BadRequestData, match=r"\bm\b"):
        read({"m": value})
