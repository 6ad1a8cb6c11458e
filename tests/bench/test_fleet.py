"""What the benchmark of many devices counts: slots, not gaps: its window adds nothing."""

import asyncio

from tests.bench.bench_fleet import ALONE, HEAD, Asked, change


def told(*devices, first=100, slots=4, own=0):
    asked = Asked(len(devices))
    asked.times = [list(times) for times in devices]
    return dict(zip(HEAD[1:], asked.told(first, slots, own), strict=False))


def test_every_slot_once():
    found = told([99.01, 100.01, 101.02, 102.01, 103.3, 104.0], [100.4, 101.4, 102.4, 103.4])
    assert (found["slots missed"], found["twice"], found["asked per s"]) == ("0", "0", "2.00")
    assert (found["period ms p50"], found["period ms p99"]) == ("1000.0", "1276.0")


def test_a_slot_that_was_missed_and_a_request_that_came_twice_are_told_apart():
    found = told([100.01, 100.5, 102.01, 103.01], [100.1, 101.1, 102.1, 103.1], own=1)
    assert (found["slots missed"], found["twice"], found["agent's own"]) == ("1", "1", "1")
    assert found["asked per s"] == "2.00", "the rate alone would hide both"


def test_a_late_request_at_the_edge_of_a_window_is_not_one_too_many():
    # Late by 0.6 s in the first slot: by gaps of a window from 100.5 on, five requests in four
    # seconds, of which one "missed -1 slots".
    found = told([99.01, 100.6, 101.01, 102.01, 103.01, 104.01])
    assert (found["slots missed"], found["twice"], found["asked per s"]) == ("0", "0", "1.00")


def test_half_a_second_is_a_slot_where_devices_are_asked_twice():
    asked = Asked(1, 2)
    asked.times = [[100.01, 100.51, 101.01, 101.3]]
    assert asked.counted(200, 4).tolist() == [[1, 1, 2, 0]]
    assert asked.told(200, 4, 0)[0] == "2.00"


def test_only_the_first_block_of_a_reading_is_a_request():
    async def asked():
        one = Asked(1)
        act = one.note(0)
        for address in (0, 125, 250):
            await act(3, 0, address, 125, [], None)
        return len(one.times[0])

    assert asyncio.run(asked()) == 1


def test_what_bad_neighbours_change():
    alone = [ALONE[0].name, "200.00", "0", "0", "0", "1000.0", "1010.0", "9", "20.0", *["1"] * 6]
    beside = ["with", "199.00", "200", "0", "0", "1000.0", "1111.0", "9", "21.0", *["1"] * 6]
    row = dict(zip(HEAD, change(alone, beside), strict=True))
    assert (row["asked per s"], row["period ms p99"]) == ("-0.50 %", "+10.00 %")
    assert (row["reply ms p99"], row["slots missed"]) == ("+5.00 %", "—")
