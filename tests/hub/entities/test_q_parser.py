"""The parser of queries: where a wrong one is wrong, and its limits."""

from __future__ import annotations

import re

import pytest

from citytwin_hub.entities import q_parser
from citytwin_hub.entities.errors import BadRequestData, TooComplexQuery
from citytwin_hub.entities.q_parser import parse
from tests.hub.naming import Vocabulary

NAMES = Vocabulary()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "q: its end at character 1 where the name of an attribute was expected"),
        ("))bad((", "q: ')' at character 1"),
        ("level>", "q: its end at character 7 where a value"),
        ("level>4..5", "q: '.' at character 8"),
        ("level>true", "q: 't' at character 7 where a number"),
        ("level==", "q: its end at character 8 where a value"),
        ("level==4 name", "q: 'n' at character 10"),
        ("(level", "q: its end at character 7 where ')'"),
        ("level)", "q: ')' at character 6"),
        ("level;", "q: its end at character 7"),
        ("level.", "q: its end at character 7"),
        ("level[", "q: its end at character 7"),
        ("level[a", "q: its end at character 8 where ']'"),
        ("level{a", "q: its end at character 8 where '}'"),
        ("level{}", "q: '}' at character 7"),
        ("level==4..a", "q: '4' at character 8 where a range"),
        ("level==1..2,3", "q: '3' at character 13 where no list"),
        ('name=="a', "q: '\"' at character 7"),
        ('name~=""a', "q: 'a' at character 9"),
        ("name~=", "q: its end at character 7 where a regular expression"),
        ('name~="("', "q is not a regular expression: missing )"),
        (r'name~="(a)\1"', "q is not a regular expression: invalid escape"),
        ("4==level", "q: '4' at character 1"),
    ],
)
def test_a_wrong_query_is_refused_where_it_is_wrong(text: str, where: str) -> None:
    with pytest.raises(BadRequestData, match=re.escape(where)):
        parse(text, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (q_parser.SIZE_CHARS_MAX + 1),
        "|".join(["a"] * (q_parser.TERMS_MAX + 1)),
        "(" * 50 + "a" + ")" * 50,
        "a==" + ",".join(["1"] * (q_parser.VALUES_MAX + 1)),
        ".".join("abcdefghijklmn"),
        "a[" + ".".join("abcdefghijklmn") + "]",
        "{".join("abcdefghijklmn") + "}" * 13,
    ],
)
def test_a_query_has_limits(text: str) -> None:
    with pytest.raises(TooComplexQuery, match="ask for less"):
        parse(text, NAMES)


def test_a_pattern_that_would_backtrack_for_ever_does_not() -> None:
    query = parse('name~="^(a+)+$"', NAMES)
    assert query.attributes() == {"https://example.org/name"}


def test_another_parameter_is_called_by_its_name() -> None:
    with pytest.raises(BadRequestData, match="csf: "):
        parse("((", NAMES, what="csf")
