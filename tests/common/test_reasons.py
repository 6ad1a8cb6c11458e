"""Reasons: what was said in English is found again and said in Kazakh and Russian."""

import re

import pytest

from citytwin import reasons
from citytwin.reasons import REASONS, Reason, in_language

FIELDS = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.en)
def test_every_reason_is_found_again_in_each_language(reason):
    names = FIELDS.findall(reason.en)
    assert set(FIELDS.findall(reason.kk)) == set(FIELDS.findall(reason.ru)) == set(names)
    about = {name: f"«{name}»" for name in names}
    said = reason.said(**about)
    assert in_language(said, "en") == said
    assert in_language(said, "kk") == reason.kk.format(**about) != said
    assert in_language(said, "ru") == reason.ru.format(**about) != said


def test_all_are_there():
    assert len(REASONS) == len({reason.en for reason in REASONS}) > 20
    assert reasons.READ_BACK in REASONS


def test_numbers_have_the_sign_of_the_language():
    said = reasons.OUTSIDE.said(value="-1.5", low="0", high="1e+06")
    assert in_language(said, "kk") == "-1,5 мәні 0 … 1e+06 шегінен тыс"
    named = reasons.NOT_WRITABLE.said(point="g/d/p1.5")
    assert in_language(named, "ru") == "g/d/p1.5 изменить нельзя"


def test_a_reason_within_a_reason_and_the_words_of_a_device():
    silent = reasons.NO_ANSWER_WITHIN.said(seconds="2.5")
    said = reasons.NOT_CONFIRMED.said(words=silent)
    assert in_language(said, "ru") == "прибор не подтвердил: нет ответа за 2,5 с"
    strange = reasons.DEVICE_REFUSED.said(words="exception 4\n{value}")
    assert in_language(strange, "kk") == "құрылғы қабылдамады: exception 4\n{value}"


@pytest.mark.parametrize("words", ["", "сорғы өшік", "because I say so", "read back "])
def test_what_is_nobodys_sentence_stays_as_it_is(words):
    assert [in_language(words, language) for language in ("kk", "ru", "en")] == [words] * 3


def test_a_reason_wants_all_that_it_is_about():
    with pytest.raises(KeyError, match="low"):
        Reason("{value} below {low}", "{value} {low}", "{value} {low}").said(value=1)
