"""Messages: a whole sentence in each language, whatever is known."""

import pytest

from citytwin import Label, Point
from citytwin_hub.messages import _KERNELS, _WORDS, LANGUAGES, Behind, alarm_text

NAMED = Point(
    id="g/ps-3/level",
    unit="m",
    label=Label("Деңгей", "Уровень", "Level"),
    device_label=Label("3-сорғы", "Насосная 3", "Pumps 3"),
)


def test_in_each_language_with_its_decimal_sign():
    text = alarm_text("limit", "g", "g/ps-3/level.alarm", NAMED, 4.5)
    assert text == {
        "kk": "3-сорғы: Деңгей нормадан тыс (4,5 м)",
        "ru": "Насосная 3: Уровень вне нормы (4,5 м)",
        "en": "Pumps 3: Level outside normal (4.5 m)",
    }


def test_what_is_not_labelled_has_its_name():
    bare = Point(id="g/ps-3/level")
    assert alarm_text("limit", "g", "", bare, 4.0)["kk"] == "ps-3: level нормадан тыс (4)"
    russian = Point(id="g/ps-3/level", label=Label("", "Уровень", ""))
    assert "Уровень" in alarm_text("limit", "g", "", russian, None)["en"]
    assert (
        alarm_text("device", "g", "g/ps-3", None, None)["en"] == "g/ps-3: no data from the device"
    )


@pytest.mark.parametrize("kind", sorted(_WORDS))
def test_every_kind_speaks_every_language_and_leaves_nothing_open(kind):
    text = alarm_text(kind, "medeu-1", "medeu-1/ps-3", NAMED, 1.0)
    assert tuple(text) == LANGUAGES == tuple(_WORDS[kind])
    assert len(set(text.values())) == 3
    assert all("{" not in sentence and sentence.strip() for sentence in text.values())
    assert text["en"].isascii()
    assert not text["kk"].isascii()


@pytest.mark.parametrize("kernel", range(1, len(_KERNELS)))
def test_an_anomaly_says_what_was_expected_and_why(kernel):
    text = alarm_text("anomaly", "g", "", NAMED, 4.5, Behind(kernel=float(kernel), expected=2.25))
    assert text["en"].startswith("Pumps 3: Level out of the ordinary (4.5 m), expected 2.25 m, ")
    assert "ожидалось 2,25 м, " in text["ru"]
    assert text["kk"].endswith(_KERNELS[kernel]["kk"])
    assert set(_KERNELS[kernel]) == set(LANGUAGES)


def test_an_anomaly_of_a_kernel_that_is_not_known_says_what_it_can():
    text = alarm_text("anomaly", "g", "", NAMED, None, Behind(kernel=99.0, expected=None))
    assert text["en"] == "Pumps 3: Level out of the ordinary"


WHEN = {
    "en": "began 25 min before the alarm, the like at this time 1, 3 and 8 days ago",
    "ru": "началось за 25 мин до тревоги, похожее в это же время 1, 3 и 8 дн. назад",
    "kk": "белгіден 25 мин бұрын басталған, осы уақытта ұқсасы 1, 3 және 8 күн бұрын болған",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_anomaly_says_since_when_and_when_the_like_was(language):
    text = alarm_text(
        "anomaly", "g", "", NAMED, 4.5, Behind(since_s=1500.0, similar_days=(1, 3, 8))
    )
    assert text[language].endswith(f", {WHEN[language]}")


@pytest.mark.parametrize(
    ("since_s", "similar_days", "said"),
    [
        (59.0, (), "out of the ordinary"),
        (7200.0, (1,), "began 2 h before the alarm, the like at this time 1 day ago"),
        (200_000.0, (2,), "began 2 d before the alarm, the like at this time 2 days ago"),
        (None, (2, 4), "out of the ordinary, the like at this time 2 and 4 days ago"),
    ],
)
def test_what_is_not_known_is_not_said(since_s, similar_days, said):
    text = alarm_text(
        "anomaly", "g", "", NAMED, None, Behind(since_s=since_s, similar_days=similar_days)
    )
    assert text["en"].endswith(said)


@pytest.mark.parametrize(
    ("severity", "said"),
    [
        ("low", {"en": "a little out", "ru": "немного не как", "kk": "әдеттегіден сәл өзгеше"}),
        ("medium", {"en": "Level out", "ru": "Уровень не как", "kk": "әдеттегіден өзгеше"}),
        ("high", {"en": "far out", "ru": "совсем не как", "kk": "әдеттегіден мүлде өзгеше"}),
    ],
)
def test_an_anomaly_says_how_severe_it_is(severity, said):
    text = alarm_text("anomaly", "g", "", NAMED, 4.5, Behind(severity=severity))
    assert [language for language in said if said[language] not in text[language]] == []


def test_a_plant_says_since_when():
    text = alarm_text("plant", "g", "", NAMED, None, Behind(since_s=1500.0))
    assert text["en"] == "Pumps 3: the plant behaves unusually, began 25 min before the alarm"
