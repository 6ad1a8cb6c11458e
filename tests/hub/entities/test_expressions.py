"""Expressions: what holds, what must hold, where a wrong one is wrong."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_hub.entities import expressions
from citytwin_hub.entities.errors import BadRequestData, EntityError, TooComplexQuery
from citytwin_hub.entities.expressions import Expression


def read(text: str) -> Expression[str]:
    return Expression.parse(text, str, "type")


@pytest.mark.parametrize(
    ("text", "true", "expected"),
    [
        ("a", "a", True),
        ("a,b", "b", True),
        ("a|b", "b", True),
        ("a;b", "a", False),
        ("a;b", "ab", True),
        ("a;b,c", "c", True),
        ("a;(b,c)", "c", False),
        ("(a;b),c", "ab", True),
        ("((a))", "a", True),
    ],
)
def test_and_binds_more_than_or(text: str, true: str, expected: bool) -> None:
    assert read(text).holds(true.__contains__) is expected


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "type: its end at character 1 where a word"),
        ("a,", "type: its end at character 3"),
        ("a,,b", "type: ',' at character 3"),
        ("(a", "type: its end at character 3 where ')'"),
        ("a)", "type: ')' at character 2 where"),
        ("a;;b", "type: ';' at character 3"),
    ],
)
def test_a_wrong_expression_is_refused_where_it_is_wrong(text: str, where: str) -> None:
    with pytest.raises(BadRequestData, match=re.escape(where)):
        read(text)


@pytest.mark.parametrize(
    "text", ["(" * 50 + "a" + ")" * 50, ",".join(["a"] * (expressions.WORDS_MAX + 1))]
)
def test_an_expression_has_limits(text: str) -> None:
    with pytest.raises(TooComplexQuery, match="type has more than"):
        read(text)


def test_it_knows_whether_one_word_is_enough() -> None:
    assert read("a,(b|c)").is_any
    assert not read("a,(b;c)").is_any


@given(st.text("abc,;|()", max_size=14), st.sets(st.sampled_from("abc")))
def test_what_holds_has_something_needed(text: str, true: set[str]) -> None:
    try:
        expression = read(text)
    except EntityError:
        return
    if expression.holds(true.__contains__):
        assert true & set(expression.needed())
    if expression.is_any:
        assert expression.holds(true.__contains__) is bool(true & set(expression.needed()))
