"""Values of the query language: which is which, and what compares with what."""

from __future__ import annotations

from typing import Any

import pytest

from citytwin_hub.entities.moments import parse_ns
from citytwin_hub.entities.q_values import (
    Instant,
    Number,
    OneOf,
    Range,
    Temporal,
    Term,
    Text,
    Truth,
    literal,
)

NOON = Instant(parse_ns("2026-01-01T12:00:00Z"))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("4", Number),
        ("-4.5e3", Number),
        ("true", Truth),
        ("2026-01-01T12:00:00Z", Temporal),
        ("2026-01-01", Temporal),
        ("12:00:00", Temporal),
        ("urn:ngsi-ld:Tank:1", Term),
        ("nan", Term),
        ("1e9999", Term),
        ("٤", Term),
    ],
)
def test_a_word_is_what_it_looks_like(word: str, kind: type) -> None:
    assert isinstance(literal(word), kind)


def test_a_number_is_no_boolean_and_no_moment() -> None:
    assert Number(1).equals(1.0)
    assert not Number(1).equals(True)
    assert not Number(1).equals(Instant(1))
    assert Number(1).compare(Instant(1)) is None


@pytest.mark.parametrize(
    ("text", "value", "order"),
    [
        ("2026-01-01T17:00:00+05:00", NOON, 0),
        ("2026-01-01", NOON, 1),
        ("12:00:00Z", NOON, None),
        ("2026-01-01T12:00:00Z", "2026-01-01T12:00:00.0Z", 0),
        ("2026-01-01T12:00:00Z", "noon", None),
        ("2026-01-01T12:00:00Z", 5, None),
        ("12:00:00Z", "11:59:59Z", -1),
    ],
)
def test_times_are_compared_as_times(text: str, value: Any, order: int | None) -> None:
    temporal = literal(text)
    assert isinstance(temporal, Temporal)
    assert temporal.compare(value) == order


def test_a_text_beside_a_moment_is_one() -> None:
    assert Text("2026-01-01T12:00:00Z").equals(NOON)
    assert Text("noon").compare(NOON) is None
    assert Text("b").compare("a") == -1


def test_ranges_and_lists() -> None:
    assert Range(Number(1), Number(2)).equals(2)
    assert not Range(Number(1), Number(2)).equals("1")
    assert OneOf((Number(1), Text("a"))).equals("a")
    assert not OneOf((Number(1), Text("a"))).equals("b")
