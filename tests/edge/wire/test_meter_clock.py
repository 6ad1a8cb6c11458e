"""Meter clock: dates and times of readouts as real meters write them."""

import pytest

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.iec62056 import DataSet, data_sets
from citytwin_edge.wire.meter_clock import moment_of_lines
from citytwin_edge.wire.obis import name_of
from tests.edge.wire.meter_recordings import MT174


def sets(**lines):
    named = {"time": "0.9.1", "date": "0.9.2"}
    return {name_of(named[one]): DataSet(named[one], (text,)) for one, text in lines.items()}


@pytest.mark.parametrize(
    ("date", "time", "offset_h", "seconds"),
    [
        ("17-11-06", "16:40:56", 1.0, 1509982856),
        ("171106", "164056", 1.0, 1509982856),
        ("1170706", "1174056", 1.0, 1499355656),
        ("2171106", "2154056", 1.0, 1509982856),
    ],
)
def test_moments(date, time, offset_h, seconds):
    assert moment_of_lines(sets(date=date, time=time), offset_h) == seconds * 10**9


def test_of_a_real_readout():
    named = {name_of(one.name): one for one in data_sets(MT174, closed=True)}
    assert moment_of_lines(named, 0.0) == 1643281004 * 10**9


@pytest.mark.parametrize(
    "lines",
    [
        {"date": "17-11-06"},
        {"date": "17-13-06", "time": "164056"},
        {"date": "9171106", "time": "164056"},
        {"date": "17-11-06 10", "time": "164056"},
    ],
)
def test_what_is_no_moment(lines):
    with pytest.raises(DeviceMalformed):
        moment_of_lines(sets(**lines), 1.0)
