"""Patterns: what matches, what is refused, and that none holds the hub."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.patterns import SIZE_CHARS_MAX, compile_pattern


def test_a_pattern_is_found_anywhere() -> None:
    assert compile_pattern("coll4233", "idPattern").found_in("urn:ngsi-ld:Vehicle:coll4233A")
    assert not compile_pattern("^coll", "idPattern").found_in("urn:coll")


@pytest.mark.parametrize("text", ["a**", "(", r"(?=a)", r"(a)\1", "a{1,5000}"])
def test_what_is_no_expression_of_linear_time_is_refused(text: str) -> None:
    with pytest.raises(BadRequestData, match="idPattern is not a regular expression"):
        compile_pattern(text, "idPattern")


def test_a_pattern_has_a_limit() -> None:
    with pytest.raises(BadRequestData, match="idPattern is longer"):
        compile_pattern("a" * (SIZE_CHARS_MAX + 1), "idPattern")


def test_a_pattern_that_backtracks_elsewhere_is_done_at_once() -> None:
    assert not compile_pattern("^(a+)+$", "q").found_in("a" * 100_000 + "b")


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("^urn:ngsi-ld:Tank:.*", "urn:ngsi-ld:Tank:"),
        (r"^a\.b.*", "a.b"),
        ("^abc?", "ab"),
        (r"^ab\.*", "ab"),
        ("^a|b", ""),
        ("abc", ""),
        ("^(abc)", ""),
        ("^a?", ""),
    ],
)
def test_a_prefix_is_what_every_match_begins_with(text: str, prefix: str) -> None:
    assert compile_pattern(text, "q").prefix == prefix


@given(st.text("ab.^*?+\\:", max_size=8), st.text("ab:.", max_size=6))
def test_it_finds_what_python_finds(text: str, where: str) -> None:
    try:
        python = re.compile(text)
        pattern = compile_pattern(text, "q")
    except (re.error, BadRequestData):
        return
    assert pattern.found_in(where) is (python.search(where) is not None)
