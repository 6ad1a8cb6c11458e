"""What a field may hold, in words; what it holds, in words."""

import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from citytwin.config_words import allowed, below, fields, in_words
from citytwin.point import Kind, Label, Place, Span


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (str, "a text"),
        (Annotated[str, msgspec.Meta(max_length=9)], "a text of at most 9 characters"),
        (Annotated[str, msgspec.Meta(pattern="^[a-z]$")], "a text that matches ^[a-z]$"),
        (bool, "true or false"),
        (int, "a whole number"),
        (float | None, "a number"),
        (Annotated[int, msgspec.Meta(ge=1, le=9)], "a whole number from 1 to 9"),
        (Annotated[float, msgspec.Meta(gt=0)], "a number above 0"),
        (Annotated[float, msgspec.Meta(gt=0, le=60)], "a number above 0 and of at most 60"),
        (Annotated[int, msgspec.Meta(ge=0, lt=5)], "a whole number of at least 0 and below 5"),
        (Colour, 'one of "red", "blue"'),
        (Literal[1, 2] | None, "one of 1, 2"),
        (Span | None, "a list [low, high]"),
        (Place, "a list [lon, lat, elevation_m]"),
        (Label, "a table { … }"),
        (dict[str, int], "a table { name = a whole number, … }"),
        (list[int], "a list [ … ]"),
        (Annotated[tuple[int, ...], msgspec.Meta(max_length=2)], "a list of at most 2 values"),
        (tuple[int, str], "a list of 2 values"),
        (str | int, "a text or a whole number"),
        (Any, "something else"),
    ],
)
def test_what_is_allowed(kind, words):
    said = allowed(msgspec.inspect.type_info(kind))
    assert sorted(said.split(" or ")) == sorted(words.split(" or "))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0,1", 'the text "0,1"'),
        ("x" * 41, f'the text "{"x" * 40}…"'),
        (True, "true"),
        (3, "3"),
        (0.5, "0.5"),
        ([1], "a list of 1 value"),
        ([], "a list of 0 values"),
        ({}, "a table"),
        (datetime.date(2026, 1, 2), "the date or time 2026-01-02"),
    ],
)
def test_what_is_there(value, words):
    assert in_words(value) == words


class Inner(msgspec.Struct):
    kind: Kind
    spans: list[Span]


class Outer(msgspec.Struct):
    inner: Inner | None
    pair: tuple[int, str]
    table: dict[str, Inner]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("inner", "spans"), "a list [ … ]"),
        (("inner", "spans", 3, 0), "a number"),
        (("pair", 1), "a text"),
        (("pair", 2), "something else"),
        (("table", "any", "kind"), allowed(msgspec.inspect.type_info(Kind))),
        (("nothing", "here"), "something else"),
    ],
)
def test_what_stands_below(path, words):
    info = msgspec.inspect.type_info(Outer)
    for part in path:
        info = below(info, part)
    assert allowed(info) == words


def test_fields():
    info = msgspec.inspect.type_info(Outer)
    assert fields(info) == ["inner", "pair", "table"]
    assert fields(below(info, "inner")) == ["kind", "spans"]
    assert fields(below(info, "pair")) == []
