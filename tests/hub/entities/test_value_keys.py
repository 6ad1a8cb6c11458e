"""Keys of values: what is compared lies where the needs of a query say."""

from __future__ import annotations

import pytest

from citytwin_hub.entities.model import Attribute, AttributeKind
from citytwin_hub.entities.q_parser import parse
from citytwin_hub.entities.value_keys import LONG, SPANS_MAX, VALUES_MAX, keys_of, needs
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()


def _keys(value, kind=AttributeKind.PROPERTY):
    return keys_of([Attribute(kind=kind, value=value)])


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (3, 1),
        (2.5, 1),
        ("Almaty", 1),
        (True, 1),
        ([1, "a", 1], 2),
        ({"@value": 7}, 1),
        ({}, 0),
        ("2026-11-26T10:00:00Z", 2),
        ("2026-11-26", 2),
        ("10:00:00Z", 2),
        ([[1]], 0),
        (None, 0),
    ],
)
def test_values_have_keys(value, count):
    assert len(_keys(value)) == count


def test_truth_is_no_number_and_a_language_no_text():
    assert _keys(True).isdisjoint(_keys(1))
    assert not _keys({"kk": "Алматы"}, AttributeKind.LANGUAGE)


def test_the_order_of_numbers_is_kept_beyond_64_bits():
    numbers = [-(10**400), -(2**64), -(2**63), -1.5, 0, 2**63 - 1, 2**63, 2**64, 10**400]
    keys = [next(iter(_keys(number))) for number in numbers]
    assert keys == sorted(keys)
    assert all(isinstance(key, float | int) for key in keys)
    whole = [key for key in keys if isinstance(key, int)]
    assert all(-(2**63) < key < 2**63 for key in whole)


def test_a_long_list_may_have_anything_in_it():
    assert _keys(list(range(VALUES_MAX + 1))) == {LONG}


def _needs(text):
    return needs(parse(text, NAMES).root)


@pytest.mark.parametrize(
    "text",
    [
        "level",
        "!level",
        "level!=3",
        'name~="a.*"',
        "a.b==1",
        "a[b]==1",
        "level.observedAt>2026-01-01",
        "level==1|name",
        "level==" + ",".join(map(str, range(SPANS_MAX))),
    ],
)
def test_of_some_queries_nothing_can_be_said(text):
    assert not _needs(text)


def test_every_term_of_a_conjunction_and_all_of_a_disjunction_are_needed():
    both = _needs("level>3;(name==a|open==true)")
    assert [{span.attribute for span in need} for need in both] == [
        {BASE + "level"},
        {BASE + "name", BASE + "open"},
    ]
