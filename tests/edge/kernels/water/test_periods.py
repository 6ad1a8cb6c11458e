"""Periods: local days and nights, what is seen of them, late samples, clocks that were set."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from citytwin import Batch, Label, Point, Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.formula import Gives, Reads
from citytwin_edge.kernels.water.periods import (
    LATE_MAX,
    LocalDays,
    Periods,
    Result,
    Shape,
    Zone,
    mean,
    minutes,
    seen,
)
from tests.edge.kernels.built import of
from tests.edge.kernels.water.running import days

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
READS = (Reads("flow", "m3/h"), Reads("pressure", "m[H2O]"))
GIVES = (Gives("first", "m3/h", Label()), Gives("second", "m[H2O]", Label()))
POINTS = [Point(id="g/d/q", unit="m3/h"), Point(id="g/d/p", unit="bar")]
NIGHT = Shape(1440, 120, 120, 15)


def utc(*when):
    return round(datetime(*when, tzinfo=UTC).timestamp()) * 10**9


class Means(Periods):
    def _over(self, means):
        _, quality = seen(means, 50)
        for number, value in enumerate(mean(means)):
            yield Result(number, float(value), int(quality[number]))


def build(shape=NIGHT, zone="Asia/Almaty", *, standard=False):
    return Means("means", POINTS, READS, GIVES, Zone(zone, standard=standard), shape)


def steady(start, end, value=5.0, point=0, every=5 * MINUTE):
    times = np.arange(start, end, every)
    return Batch.of(np.full(len(times), point), times, np.full(len(times), value))


def test_the_zone_of_almaty_is_five_hours():
    # Since 1 March 2024; tables that are older say six.
    times = np.array([utc(2024, 1, 1), utc(2026, 1, 1), utc(2026, 7, 1)])
    assert ((Zone("Asia/Almaty").local(times) - times) / HOUR).tolist() == [6, 5, 5]


def test_summer_time_and_back():
    zone = Zone("Europe/Berlin")
    times = np.array([utc(2026, 3, 29, 0, 59), utc(2026, 3, 29, 1), utc(2026, 10, 25, 1)])
    assert ((zone.local(times) - times) / HOUR).tolist() == [1, 2, 1]
    for moment in (utc(2026, 1, 5, 7), utc(2026, 7, 5, 7), utc(2026, 3, 29, 12)):
        assert zone.utc(int(zone.local(np.array([moment]))[0])) == moment
    standard = Zone("Europe/Berlin", standard=True)
    assert ((standard.local(times) - times) / HOUR).tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["Asia/Alma", "", "../etc/passwd", "/etc/localtime"])
def test_a_zone_that_is_none(name):
    with pytest.raises(ValueError, match="is not known here; write an IANA name"):
        Zone(name)


def test_the_window_is_local_time_and_the_result_comes_with_the_first_sample_behind_it():
    start = utc(2026, 1, 1, 20)  # 01:00 in Almaty
    kernel = build()
    made = kernel.step(
        Batch.concat(
            [
                steady(start, start + HOUR, 99),
                steady(start + HOUR, start + 3 * HOUR, 7),
                Batch.of([1], start + HOUR + MINUTE, [3.0]),
            ]
        )
    )
    assert not len(made)
    made = kernel.step(Batch.of([1], start + 3 * HOUR + 1, [np.nan], Quality.BAD_SILENT))
    assert made.time_ns.tolist() == [start + 3 * HOUR] * 2
    assert of(made, 2) == ([7], [Quality.GOOD])
    assert of(made, 3)[1] == [Quality.BAD_STALE]
    assert not len(kernel.step(steady(start + 3 * HOUR + 2, start + 25 * HOUR)))
    again = kernel.step(steady(start + 25 * HOUR, start + 27 * HOUR + 1, 9))
    assert of(again, 2) == ([9], [Quality.GOOD])


def test_units_are_converted_and_what_is_not_good_is_passed_over():
    start = utc(2026, 1, 1, 21)
    bars = steady(start, start + 2 * HOUR, 0.980665 * 4, point=1)
    wrong = Batch.of([1, 1], start, [1e9, 1e9], Quality.UNCERTAIN_RANGE)
    made = build().step(Batch.concat([wrong, bars, steady(start + 2 * HOUR, start + 3 * HOUR)]))
    assert of(made, 3)[0] == pytest.approx([40])


@pytest.mark.parametrize(
    ("part", "quality"),
    [(1, Quality.GOOD), (0.75, Quality.UNCERTAIN_STALE), (0.5, Quality.UNCERTAIN_STALE),
     (0.375, Quality.BAD_STALE)],
)  # fmt: skip
def test_what_was_seen(part, quality):
    start = utc(2026, 1, 1, 21)
    end = start + round(part * 2 * HOUR)
    made = build().step(Batch.concat([steady(start, end), Batch.of([0], start + 2 * HOUR, [5.0])]))
    value, found = of(made, 2)
    assert found == [quality]
    assert np.isnan(value[0]) == (quality == Quality.BAD_STALE)


def test_late_samples_say_nothing_but_a_clock_that_was_set_back_begins_anew():
    start = utc(2026, 1, 2, 21)
    day = 24 * HOUR
    kernel = build()
    kernel.step(steady(start, start + HOUR, 5))
    assert not len(kernel.step(steady(start - day, start - day + HOUR, 99)))
    made = kernel.step(steady(start + HOUR, start + 2 * HOUR + 1, 5))
    assert of(made, 2) == ([5], [Quality.GOOD])
    back = start - day
    made = kernel.step(steady(back, back + 3 * HOUR, 8, every=MINUTE // 2))
    assert LATE_MAX < 240
    assert of(made, 2)[0] == [8]


def test_a_night_that_was_over_when_it_began_is_not_told_and_one_without_samples_is():
    start = utc(2026, 1, 1, 5)
    kernel = build()
    assert not len(kernel.step(steady(start, start + HOUR)))
    made = kernel.step(Batch.of([0], start + 24 * HOUR, [1.0]))
    assert of(made, 2)[1] == [Quality.BAD_STALE]
    assert made.time_ns[0] == utc(2026, 1, 1, 23)


def test_it_keeps_every_promise():
    for shape in (NIGHT, Shape(60, 0, 60, 15)):
        made = check_kernel(lambda shape=shape: build(shape), days(8, [5, 4]))
        assert set(made.quality.tolist()) >= {Quality.BAD_STALE, Quality.GOOD}


def test_a_time_of_day():
    assert minutes("02:30", "begin") == 150
    for text in ("2:30", "24:00", "02:60", "0230", "", "aa:bb", "02:3o"):
        with pytest.raises(ValueError, match="begin must be a time of day"):
            minutes(text, "begin")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("zone", "Mars", "zone"), ("step_min", 0, ">= 1"), ("step_min", 61, "<= 60"),
     ("part_percent_min", 0, "> 0"), ("part_percent_min", 101, "<= 100"),
     ("colour", 1, "unknown field")],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(field, value, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert({"zone": "Asia/Almaty", field: value}, LocalDays)
