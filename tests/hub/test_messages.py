"""Messages: a whole sentence in each language, whatever is known."""

import pytest

from citytwin import Label, Point
from citytwin_hub.messages import _KERNELS, _WORDS, LANGUAGES, alarm_text

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
    text = alarm_text("anomaly", "g", "", NAMED, 4.5, kernel=float(kernel), expected=2.25)
    assert text["en"].startswith("Pumps 3: Level out of the ordinary (4.5 m), expected 2.25 m, ")
    assert "ожидалось 2,25 м, " in text["ru"]
    assert text["kk"].endswith(_KERNELS[kernel]["kk"])
    assert set(_KERNELS[kernel]) == set(LANGUAGES)


def test_an_anomaly_of_a_kernel_that_is_not_known_says_what_it_can():
    text = alarm_text("anomaly", "g", "", NAMED, None, kernel=99.0, expected=None)
    assert text["en"] == "Pumps 3: Level out of the ordinary"
