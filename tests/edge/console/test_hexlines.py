"""Lines of hex: pieces of an answer become one line, messages of a broker never do."""

from citytwin_edge.console.hexlines import TOGETHER_NS, Joining, clock_of, text_of

MS = 10**6


def frame(at_ms, data, direction="rx", device="d", line="/dev/ttyUSB0", note=""):
    return {
        "time_ns": at_ms * MS, "line": line, "device": device, "direction": direction,
        "data": data, "note": note,
    }  # fmt: skip


def shown(joining, *frames):
    return [(one["direction"], one["data"]) for f in frames for one in joining.take(f)]


def test_an_answer_in_pieces_is_one_line():
    joining = Joining()
    sent = frame(0, "01 03", "tx")
    assert shown(joining, sent, frame(20, "01"), frame(36, "03 02"), frame(52, "00 7b")) == [
        ("tx", "01 03")
    ]
    assert joining.due(52 * MS + TOGETHER_NS) == []
    (whole,) = joining.due(53 * MS + TOGETHER_NS)
    assert (whole["data"], whole["time_ns"]) == ("01 03 02 00 7b", 20 * MS)
    assert joining.due(10**12) == []


def test_what_is_sent_ends_what_came_before():
    joining = Joining()
    assert shown(joining, frame(0, "aa"), frame(1, "01", "tx"), frame(2, "bb")) == [
        ("rx", "aa"), ("tx", "01"),
    ]  # fmt: skip


def test_what_comes_later_or_from_another_is_another():
    joining = Joining()
    assert shown(joining, frame(0, "aa"), frame(60, "bb")) == [("rx", "aa")]
    assert shown(joining, frame(61, "cc", device="other")) == [("rx", "bb")]
    assert shown(joining, frame(62, "dd", line="/dev/ttyUSB1")) == []
    assert [one["data"] for one in joining.due(10**12)] == ["cc", "dd"]


def test_messages_with_a_topic_stay_apart():
    joining = Joining()
    assert shown(joining, frame(0, "31", note="a"), frame(1, "32", note="a")) == [
        ("rx", "31"), ("rx", "32"),
    ]  # fmt: skip


def test_bytes_without_end_are_shown_in_time():
    joining = Joining()
    lines = shown(joining, *(frame(n, "aa " * 100 + "aa") for n in range(100)))
    assert lines
    assert all(len(data) < 3 * 5000 for _, data in lines)


def test_texts_and_times():
    assert text_of(frame(0, "31 32 0d 0a")) == r"12\r\n"
    assert text_of(frame(0, "d0 b0")) == "а"
    assert text_of(frame(0, "01 03 00")) == ""
    assert text_of(frame(0, "ff fe")) == ""
    assert text_of(frame(0, "")) == ""
    assert clock_of(1_767_268_800_123_456_789) == "12:00:00.123"
