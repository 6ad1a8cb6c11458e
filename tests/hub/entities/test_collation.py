"""Collation: letters before accents before capitals, and the Kazakh alphabet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_hub.entities.collation import Collation
from citytwin_hub.entities.errors import BadRequestData


@pytest.mark.parametrize(
    ("tag", "texts"),
    [
        ("und", ["A", "á", "b"]),
        ("de-u-co-phonebk", ["Ähre", "Zebra"]),
        ("ru", ["ель", "ёлка", "жук"]),
        ("kk", ["Ақтау", "Алматы", "Әлем", "Иле", "Көл", "Қала", "Ыбырай", "Інжу"]),
        ("kk-KZ", ["ы", "і", "ь"]),
        ("und", ["а", "ә", "б", "и", "і", "к", "қ", "ы"]),
        ("und", ["a", "A", "b"]),
    ],
)
def test_texts_are_in_the_order_of_a_dictionary(tag: str, texts: list[str]) -> None:
    turned = texts[::-1]
    assert sorted(turned, key=Collation(tag).key) == texts


@given(st.lists(st.text(max_size=5)))
def test_different_texts_have_different_keys(texts: list[str]) -> None:
    key = Collation("und").key
    assert len({key(text) for text in texts}) == len(set(texts))


@pytest.mark.parametrize("tag", ["", "!!nope", "not a bcp47 tag!!", "a", "de-" * 40])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(BadRequestData, match="collation"):
        Collation(tag)
