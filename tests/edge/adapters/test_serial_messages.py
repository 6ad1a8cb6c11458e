"""What messages say of points: which they concern, values, texts, times, and what is wrong."""

import math

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from citytwin import Quality, SystemClock
from citytwin.adapter import Site
from citytwin.errors import StoreFull
from citytwin.quality import KNOWN
from citytwin_edge.adapters.serial_messages import Messages, Reading, batch_of
from citytwin_edge.adapters.serial_settings import SerialDevice
from tests.edge.serial_instruments import bindings_of

NOW = 1_767_268_800 * 10**9
AT = 1_767_268_700


def messages(points, *, intern=len, **device):
    settings = msgspec.convert({"serial": "/dev/ttyS9", **device}, SerialDevice)
    return Messages(settings, bindings_of(points), Site(SystemClock(), intern))


def said(points, message, **device):
    some = messages(points, **device)
    readings = some.read(message, some.concern(message), NOW)
    return [(one.point, None if math.isnan(one.value) else one.value, one.quality)
            for one in readings]  # fmt: skip


def test_a_message_concerns_the_points_whose_mark_it_has():
    some = messages([{}, {"match": "B"}, {"match": "", "match_at": 0}, {"match_at": 1}], match="A")
    assert some.concern(b"AA") == [0, 2, 3]
    assert some.concern(b"BA") == [1, 2, 3]
    assert some.concern(b"") == [2]
    assert not some.all_marked
    assert messages([{}], match="A").all_marked


def test_marks_have_addresses():
    some = messages([{}], match="{address:02d}", address=7)
    assert (some.concern(b"07+1"), some.concern(b"17+1")) == ([0], [])


def test_marks_have_bytes_that_do_not_matter():
    some = messages([{"match": r"\?\?RMC"}, {"match": r"\x01\?{address:uint8}\\?"}], address=7)
    assert some.concern(b"GNRMC,") == some.concern(b"\n\xffRMC") == [0]
    assert some.concern(b"GRMC,1") == some.concern(b"GN") == []
    assert some.concern(b"\x01\xff\x07\\?") == [1], "an escaped backslash is one"
    assert messages([{"match": r"\?"}]).concern(b"") == []


def test_text_that_is_not_in_the_encoding_is_malformed():
    assert said([{}], b"\xff", encoding="utf-8") == [(0, None, Quality.BAD_MALFORMED)]
    assert said(
        [{"pattern": r"^([\d,]+);бар$"}],
        "12,5;бар".encode("cp1251"),
        encoding="cp1251",
        decimal=",",
    ) == [(0, 12.5, Quality.GOOD)]


def test_sentinels_and_words():
    point = {"unit": "m", "sentinel": ["OFL", -999, 9999.9], "words": {"DRY": 0}}
    for text, value, quality in (
        (b"OFL", None, Quality.BAD_NOT_A_NUMBER), (b"-999.0", None, Quality.BAD_NOT_A_NUMBER),
        (b"9999.9 m", None, Quality.BAD_NOT_A_NUMBER), (b" DRY ", 0.0, Quality.GOOD),
        (b"dry", 0.0, Quality.GOOD), (b"7 m", 7.0, Quality.GOOD),
        (b"on", None, Quality.BAD_MALFORMED), (b"7 ft", None, Quality.BAD_MALFORMED),
        (b"", None, Quality.BAD_NOT_A_NUMBER), (b"9999.8", 9999.8, Quality.GOOD),
        (b"WET", None, Quality.BAD_MALFORMED),
    ):  # fmt: skip
        assert said([point], text) == [(0, value, quality)], text


def test_texts_become_numbers_until_the_dictionary_is_full():
    def full(text):
        raise StoreFull("full")

    point = {"name": "t", "kind": "text", "column": 2}
    assert said([point], b"a,hello") == [(0, 5.0, Quality.GOOD)]
    some = messages([point], intern=full)
    assert some.read(b"a,hello", [0], NOW)[0].quality == Quality.BAD_OUT_OF_RANGE


def test_the_text_in_a_frame():
    frame = {"frame": {"start": r"\x02", "end": r"\x03"},
             "checksum": {"kind": "xor8", "first": 1, "after_end": True}}  # fmt: skip
    assert said([{"column": 2}, {"at": 1}], b"\x02a,12.5\x03\x77", **frame) == [
        (0, 12.5, Quality.GOOD),
        (1, float(ord("a")), Quality.GOOD),
    ]


def test_a_frame_that_is_too_short_spoils_only_what_it_lacks():
    frame = {"frame": {"start": r"\x02", "end": r"\x03"}}
    points = [{"at": 1}, {"at": 2, "type": "uint32"}]
    assert said(points, b"\x02\x07\x03", **frame) == [
        (0, 7.0, Quality.GOOD),
        (1, None, Quality.BAD_MALFORMED),
    ]


@pytest.mark.parametrize(
    ("time", "device", "message", "seconds"),
    [
        ({"column": 1}, {}, b"1767268700,5", -100),
        ({"column": 1}, {}, b",5", 0),
        ({"column": 1, "match": "T"}, {}, b"5", 0),
        ({"chars": [1, 6], "format": "%H%M%S", "utc_offset_h": 0}, {}, b"115959,5", -1),
        ({"at": 0, "type": "uint32"}, {"frame": {"length": 6}},
         AT.to_bytes(4, "big") + b"\0\5", -100),
        ({"at": 0, "type": "uint32", "order": "DCBA"}, {"frame": {"length": 6}},
         AT.to_bytes(4, "little") + b"\0\5", -100),
        ({"at": 0, "type": "string", "length": 3, "format": "%H%M%S", "utc_offset_h": 0},
         {"frame": {"length": 6}}, b"\x11\x59\x59\0\0\5", -1),
    ],
)  # fmt: skip
def test_times(time, device, message, seconds):
    point = {"at": 5} if device else {"pattern": r"\d+$"}
    some = messages([point], time=time, **device)
    (reading,) = some.read(message, [0], NOW)
    assert (reading.value, reading.quality) == (5.0, Quality.GOOD)
    assert reading.time_ns == NOW + seconds * 10**9


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ({"column": 1, "format": "%H:%M:%S", "utc_offset_h": 0}, b"noon,5"),
        ({"column": 9}, b"1,5"),
    ],
)
def test_a_time_that_is_none_spoils_the_message(time, message):
    some = messages([{"column": 2}], time=time)
    (reading,) = some.read(message, [0], NOW)
    assert (reading.quality, reading.time_ns) == (Quality.BAD_MALFORMED, NOW)
    assert reading.raw == message


FRAMED = {"frame": {"start": r"\x02", "end": r"\x03"}, "encoding": "utf-8"}
MANY = [
    {}, {"column": 3}, {"chars": [2, 9]}, {"pattern": r"(\d+)=([-+.\d]+)?", "group": 2},
    {"sentinel": ["x", 1]}, {"name": "t", "kind": "text", "column": 1},
]  # fmt: skip
IN_FRAMES = [
    {"at": 2, "type": type_} for type_ in ("uint8", "int64", "float32", "float64", "bcd32", "bool")
]  # fmt: skip
TIMES = [
    {"column": 1}, {"column": 2, "format": "%H:%M:%S", "utc_offset_h": 0},
    {"at": 1, "type": "float64"},
    {"at": 1, "type": "string", "length": 6, "format": "%y%m%d%H%M%S", "utc_offset_h": 0},
]  # fmt: skip


@given(st.binary(max_size=60), st.booleans(), st.sampled_from([None, *TIMES]))
@example(b"\x02" + b"\xff" * 20 + b"\x03", True, TIMES[2])
@example(b"9" * 60, False, TIMES[0])
@example(b"1e99,0", False, TIMES[0])
def test_any_bytes_become_readings(data, framed, time):
    if not framed and time is not None and "at" in time:
        time = None
    device = FRAMED if framed else {}
    some = messages(MANY + (IN_FRAMES if framed else []), time=time, **device)
    readings = some.read(data, some.concern(data), NOW)
    assert [one.point for one in readings] == some.concern(data)
    for one in readings:
        assert KNOWN[one.quality]
        assert math.isfinite(one.value) == (one.quality == Quality.GOOD)
        assert -(2**63) <= one.time_ns < 2**63
    batch_of(readings)


STATUS = {"column": 2, "only_when": [{"column": 3, "equals": ["A", ""]}]}


@pytest.mark.parametrize(
    ("line", "value", "quality"),
    [
        (b"x,1.5,A", 1.5, Quality.GOOD),
        (b"x,1.5,", 1.5, Quality.GOOD),
        (b"x,1.5", 1.5, Quality.GOOD),
        (b"x,1.5,V", None, Quality.BAD_NOT_A_NUMBER),
        (b"x,junk,V", None, Quality.BAD_NOT_A_NUMBER),
        (b"x,junk,A", None, Quality.BAD_MALFORMED),
    ],
)
def test_a_value_counts_only_when(line, value, quality):
    assert said([STATUS], line) == [(0, value, quality)]


def test_a_value_counts_only_when_bytes_say_so():
    condition = [
        {"at": 0, "equals": [0xAA]},
        {"at": 1, "type": "uint16", "not_equals": [0]},
        {"at": 3, "type": "string", "length": 2, "equals": ["ok"]},
    ]
    point = {"at": 1, "type": "uint16", "only_when": condition}
    for message, value in (
        (b"\xaa\x00\x2aok", 42.0), (b"\xab\x00\x2aok", None), (b"\xaa\x00\x00ok", None),
        (b"\xaa\x00\x2ano", None),
    ):  # fmt: skip
        ((_, seen, quality),) = said([point], message, frame={"length": 5})
        assert (seen, quality == Quality.GOOD) == (value, value is not None)
    some = messages([point], frame={"length": 5})
    (why,) = some.read(b"\xaa\x00\x00ok", [0], NOW)
    assert why.note == "no value: there is 0, not something else"


CLOCK = {"column": 2, "only_when": [{"column": 3, "equals": ["A"]}]}


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ({"type": "int8"}, -2), ({"type": "uint16", "order": "DCBA"}, 0x01FE),
        ({"type": "int32", "order": "CDAB"}, 0x0203FE01), ({"type": "bool"}, 0xFE),
    ],
)  # fmt: skip
def test_whole_numbers_of_a_condition(place, number):
    point = {"at": 0, "only_when": [{"at": 1, **place, "equals": [number]}]}
    told = said([point], b"\x07\xfe\x01\x02\x03", frame={"length": 5})
    assert told == [(0, 7.0, Quality.GOOD)]
    told = said([point], b"\x07\x00\x01\x02\x03", frame={"length": 5})
    assert told == [(0, None, Quality.BAD_NOT_A_NUMBER)]
    shorter = messages([point], frame={"start": "A", "end": "B"})
    assert shorter.read(b"\x07", [0], NOW)[0].note.startswith("no value: there is ''")


def test_a_time_is_believed_only_when_and_a_clock_is_compared():
    some = messages([{"column": 1}, {"clock": True}], time=CLOCK)
    right, wrong = f"7,{AT},A".encode(), f"7,{AT},V".encode()
    value, clock = some.read(right, [0, 1], NOW)
    assert (value.value, value.time_ns) == (7.0, AT * 10**9)
    assert (clock.value, clock.time_ns, clock.quality) == (AT - NOW / 1e9, NOW, Quality.GOOD)
    (value,) = some.read(wrong, [0, 1], NOW)
    assert (value.point, value.value, value.time_ns) == (0, 7.0, NOW)
    with pytest.raises(ValueError, match="p0: clock needs time"):
        messages([{"clock": True}])


def test_batches():
    assert len(batch_of([])) == 0
    batch = batch_of([Reading(3, NOW, 1.5, 0, b"raw"), Reading(1, NOW, math.nan, 0x82, b"")])
    assert batch.point.tolist() == [3, 1]
    assert batch.quality.tolist() == [0, 0x82]
