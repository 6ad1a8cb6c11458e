"""The live table: values, ages, rates and sparks, of the items that watch gives."""

from citytwin_edge.console.live import Live, rate, sparks

S = 10**9


def point(number, name, time_ns=0, value=None, quality="bad: stale"):
    about = {"number": number, "device": "d", "point": name, "unit": "m³/h"}
    return {**about, "time_ns": time_ns, "value": value, "quality": quality}


def test_rows_follow_the_samples():
    live = Live()
    live.take({"points": [point(3, "flow", 1 * S, 5.0, "good"), point(4, "mode")]})
    assert not live.is_complete
    samples = [[3, (2 + n) * S, float(n), "good"] for n in range(3)] + [[4, 3 * S, "auto", "good"]]
    live.take({"samples": [*samples, [99, 0, 0.0, "good"]], "dropped": 2})
    assert live.is_complete
    flow, mode = live.rows(6_500_000_000)
    assert flow == {
        "device": "d", "point": "flow", "value": 2.0, "unit": "m³/h", "quality": "good",
        "age": "2.5 s", "rate": "1.0/s", "last": "█▁▂▄",
    }  # fmt: skip
    assert (mode["value"], mode["last"], mode["rate"]) == ("auto", "·", "")
    assert live.dropped == 2


def test_what_has_not_come_says_so():
    live = Live()
    live.take({"points": [point(0, "flow")]})
    (row,) = live.rows(5 * S)
    assert (row["value"], row["quality"], row["age"], row["last"]) == (None, "none yet", "", "")


def test_points_after_a_change_begin_anew():
    live = Live()
    live.take({"points": [point(0, "flow", S, 1.0, "good")]})
    live.take({"points": [point(1, "other", S, 2.0, "good")]})
    assert {row["point"] for row in live.rows(S)} == {"other"}


def test_rates():
    assert rate([0, S]) == ""
    assert rate([0, S // 2, S]) == "2.0/s"
    assert rate([0, 60 * S, 120 * S]) == "1.0/min"
    assert rate([S, S, S]) == "", "what a broker kept comes all at once"


def test_sparks_show_gaps_and_flat_lines():
    assert sparks([1.0, 1.0]) == "▄▄"
    assert sparks([None, None]) == "··"
    assert sparks([]) == ""
    assert sparks([-1e300, 0.0, 1e300])[0] == "▁"
