"""Quality codes: severity, reasons, the worse of two."""

import numpy as np
import pytest

from citytwin.quality import KNOWN, Quality, Severity, severity, worse


@pytest.mark.parametrize(
    ("quality", "expected", "reason"),
    [
        (Quality.GOOD, Severity.GOOD, "good"),
        (Quality.UNCERTAIN_CLOCK, Severity.UNCERTAIN, "clock"),
        (Quality.BAD_OUT_OF_RANGE, Severity.BAD, "out_of_range"),
    ],
)
def test_code_says_severity_and_reason(quality, expected, reason):
    assert (quality.severity, quality.reason) == (expected, reason)


def test_known_holds_the_codes_and_nothing_else():
    assert np.flatnonzero(KNOWN).tolist() == sorted(int(code) for code in Quality)


def test_worse_keeps_the_first_on_a_tie():
    first = np.array([0x00, 0x41, 0x81, 0x43], np.uint8)
    second = np.array([0x41, 0x81, 0x41, 0x44], np.uint8)
    assert worse(first, second).tolist() == [0x41, 0x81, 0x81, 0x43]
    assert severity(first).tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        (Quality.GOOD, "good"),
        (Quality.UNCERTAIN_RANGE, "uncertain: range"),
        (Quality.BAD_NOT_A_NUMBER, "bad: not a number"),
    ],
)
def test_words_for_people(quality, words):
    assert quality.words == words
