"""What instruments share: what has been heard of points, and why the rest has not."""

import msgspec

from citytwin import Quality, SystemClock
from citytwin.adapter import Site
from citytwin.errors import DeviceMalformed, DeviceSilent
from citytwin_edge.adapters.serial_instrument import Listener, quality_of
from citytwin_edge.adapters.serial_messages import RAW_BYTES_MAX, Messages
from citytwin_edge.adapters.serial_settings import SerialDevice
from tests.edge.serial_instruments import bindings_of

SILENCE = DeviceSilent("gave no answer in time")


def listener(points, awaited, **device):
    settings = msgspec.convert({"serial": "/dev/ttyS9", **device}, SerialDevice)
    messages = Messages(settings, bindings_of(points), Site(SystemClock(), len))
    return Listener(messages, settings.cutter(), awaited)


def test_it_is_done_when_every_awaited_point_was_told_of():
    one = listener([{"match": "A", "column": 2}, {"match": "B"}, {"match": "C"}], [0, 1])
    assert not one.take(b"A,1\r\nC\r\n", 5)
    assert one.take(b"B\r\n", 6)
    assert sorted(one.found) == [0, 1], "nobody awaits the third"
    assert (one.found[0].value, one.found[0].time_ns) == (1.0, 5)


def test_why_something_is_still_awaited():
    one = listener([{"match": "A"}], [0])
    assert one.why(SILENCE) is SILENCE
    one.take(b"B,1\r\n", 0)
    assert "none of it is the message that is awaited" in str(one.why(SILENCE))
    one.take(b"x" * 300, 0)
    assert "no line ends within 256 bytes" in str(one.why(SILENCE))
    assert len(one.raw) == RAW_BYTES_MAX


def test_quality_of_what_was_not_read():
    assert quality_of(SILENCE) == Quality.BAD_SILENT
    assert quality_of(DeviceMalformed("?")) == Quality.BAD_MALFORMED
