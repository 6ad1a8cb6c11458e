"""Intervals: a line of power is cut where an interval ends, and offsets are those of clocks."""

import msgspec
import pytest

from citytwin_edge.kernels.electricity.intervals import HOUR_NS, IntervalSettings, Stretch


def test_the_parts_of_a_line_are_the_whole():
    line = Stretch(0, HOUR_NS, 10, 30)
    assert line.energy(0, HOUR_NS) == 20
    assert line.energy(0, HOUR_NS // 2) == pytest.approx(7.5)
    assert line.energy(HOUR_NS // 2, HOUR_NS) == pytest.approx(12.5)


@pytest.mark.parametrize(
    "fields",
    [{"minutes": 10}, {"utc_offset_h": 15}, {"utc_offset_h": 5.1}, {"gap_s_max": 0}, {"colour": 1}],
)
def test_settings_that_make_no_sense_are_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, IntervalSettings)


def test_quarters_of_an_hour_are_clocks():
    assert IntervalSettings(utc_offset_h=5.75).utc_offset_h == 5.75
