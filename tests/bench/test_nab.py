"""NAB's scorer, against sums worked by hand from the paper's formula.

Twenty rows, one window of rows 10 to 14, and the first three rows (15 %) do not count. An alarm in
the window's third row lies at -3/5 of it: (2 / (1 + exp(-3)) - 1) / (2 / (1 + exp(-5)) - 1) =
0.905148 / 0.986614 = 0.917429. One row behind the window lies at 1/4: 2 / (1 + exp(1.25)) - 1 =
-0.554600. Before the first window, and three widths behind one, an alarm costs 1.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.bench import nab

BEGIN = "2014-01-01 00:{:02d}:00"


@pytest.fixture
def file(tmp_path):
    rows = "".join(f"{BEGIN.format(row)},{row}.5\n" for row in range(20))
    (tmp_path / "one.csv").write_text("timestamp,value\n" + rows)
    windows = {"one.csv": [[BEGIN.format(10), BEGIN.format(14)]]}
    (tmp_path / "windows.json").write_text(json.dumps(windows))
    (found,) = nab.load(tmp_path)
    return found


def came_to(file, *rows):
    tally = nab.tally(file, np.array(rows, np.intp))
    return tally, [nab.score([tally], profile) for profile in nab.PROFILES]


def test_a_file_is_what_is_written(file):
    assert (file.windows, file.skipped) == ([(10, 14)], 3)
    assert file.months == pytest.approx(19 * 60 / 86_400 / 30.4)
    assert file.judged_months == pytest.approx(16 * 60 / 86_400 / 30.4)


def test_weights_are_those_of_the_paper(file):
    assert file.weight[[0, 9, 10, 12]].tolist() == pytest.approx([-1, -1, 1, 0.917429], abs=1e-6)
    assert file.weight[15] == pytest.approx(-0.5546, abs=1e-6)
    assert file.weight[14] == pytest.approx(0.462117 / 0.986614, abs=1e-6), "at -1/5"


def test_a_window_found_late_and_two_false_alarms(file):
    tally, scores = came_to(file, 5, 12, 13, 15)
    assert (tally.windows, tally.found, tally.alarms, tally.false) == (1, 1, 4, 2)
    assert tally.gain == pytest.approx(0.917429, abs=1e-6), "of the earliest"
    assert tally.cost == pytest.approx(1.5546, abs=1e-6)
    # standard (0.917429 - 0.11 * 1.5546 + 1) / 2, low FP with 0.22, low FN (… + 2) / 3
    assert scores == pytest.approx([87.3211, 78.7708, 91.5474], abs=1e-3)


def test_silence_is_nothing_and_the_first_row_of_the_window_everything(file):
    assert came_to(file)[1] == [0.0, 0.0, 0.0]
    assert came_to(file, 10)[1] == pytest.approx([100.0, 100.0, 100.0])


def test_a_miss_with_a_false_alarm_is_less_than_silence(file):
    tally, scores = came_to(file, 8)
    assert (tally.found, tally.false, tally.gain) == (0, 1, 0)
    assert scores == pytest.approx([-5.5, -11.0, -11 / 3])


def test_what_comes_in_the_probation_does_not_count(file):
    tally, scores = came_to(file, 0, 2)
    assert (tally.alarms, tally.false, tally.cost) == (2, 0, 0)
    assert scores == [0.0, 0.0, 0.0]
    assert came_to(file, 3)[0].false == 1


def test_three_widths_behind_a_window_is_far():
    weight, window = nab._weights(30, [(2, 4)])
    assert weight[[10, 11, 29]].tolist() == pytest.approx([-0.9999994, -1.0, -1.0], abs=1e-6)
    assert window.tolist() == [-1] * 2 + [0] * 3 + [-1] * 25


def test_profiles_are_those_of_the_paper():
    assert nab.PROFILES == {"standard": (0.11, 1), "low FP": (0.22, 1), "low FN": (0.11, 2)}
