"""Sentences in three languages: all there, all found again, nothing that is not ours is changed."""

import re

import pytest

from citytwin_edge.console import sentences
from citytwin_edge.console.sentences import SENTENCES, age, size, translated

S = 10**9
FIELDS = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("reason", SENTENCES, ids=lambda one: one.en[:30])
def test_every_sentence_is_there_in_three_languages_about_the_same(reason):
    for text in (reason.kk, reason.ru):
        assert sorted(FIELDS.findall(text)) == sorted(FIELDS.findall(reason.en)), text
    if not reason.en.startswith("citytwin-edge {version}"):
        assert re.search("[а-яәғқңөұүһі]", reason.ru, re.IGNORECASE)
        assert reason.kk != reason.ru


@pytest.mark.parametrize("language", ["kk", "ru"])
@pytest.mark.parametrize("reason", SENTENCES, ids=lambda one: one.en[:30])
def test_every_sentence_is_found_again(reason, language):
    about = {name: f"«{name}»" for name in FIELDS.findall(reason.en)}
    wanted = (reason.kk if language == "kk" else reason.ru).format(**about)
    assert translated(reason.said(**about), language) == wanted


def test_parts_are_translated_too_and_numbers_are_written_as_the_language_does():
    words = sentences.OUTBOX.said(entries=3, size="1.5 MiB", limit="512 MiB", age="5 min")
    assert translated(words, "ru") == "записей 3, 1,5 МиБ из 512 МиБ, старейшая 5 мин назад"
    assert translated(words, "kk") == "3 жазба, 512 МиБ ішінен 1,5 МиБ, ең ескісі 5 мин бұрынғы"
    assert translated(words, "en") == words
    error = "127.0.0.1:9 is not reachable: Connection refused"
    silent = sentences.DEVICE_SILENT.said(device="d", age="36 s", error=error)
    assert translated(silent, "ru") == f"d не отвечает 36 с: {error}"


def test_what_a_device_says_stays_as_it_is():
    for words in ("unit 3 gave no answer in time", "", "36 s of something", "10.0.0.7"):
        assert translated(words, "kk") == words


def test_ages_and_sizes():
    spans = (0, 12, 99, 100, 5399, 5400, 172_799, 172_800, 9 * 86_400)
    shown = [age(0, seconds * S) for seconds in spans]
    assert shown == ["0 s", "12 s", "99 s", "2 min", "90 min", "2 h", "48 h", "2 d", "9 d"]
    assert age(5 * S, 0) == "0 s", "a clock that was set back"
    counts = (0, 1023, 1536, 100 * 1024**2, 252 * 1024**3, 5 * 1024**5)
    assert [size(count) for count in counts] == [
        "0 B", "1023 B", "1.5 KiB", "100 MiB", "252 GiB", "5120 TiB",
    ]  # fmt: skip
