"""What a disturbed frame may become: nothing, what was so, and what chance lets a checksum pass."""

import math

import pytest

from citytwin.adapter import Exchange, Probed
from citytwin.errors import DeviceMalformed
from citytwin.testing import BrokenPromise, Recorded
from citytwin.testing.disturbance import Judge, Truth, check_recorded


def test_without_a_checksum_a_value_must_be_possible():
    judge = Judge(Truth({0: (0, 10)}), 0)
    for _ in range(1000):
        judge.take(0, 5.0, "")
    for value in (10.5, -1.0, math.nan, math.inf):
        with pytest.raises(BrokenPromise, match="which it cannot be, in a frame"):
            judge.take(0, value, "in a frame")
    with pytest.raises(BrokenPromise, match="which it cannot be"):
        Judge(Truth(), 0).take(1, math.inf, "")


@pytest.mark.parametrize(("bits", "frames", "allowed"), [(32, 10_000, 1), (16, 10_000, 1),
                                                         (8, 10_000, 157), (8, 0, 1)])  # fmt: skip
def test_with_one_a_value_must_have_been_so_but_for_chance(bits, frames, allowed):
    truth = Truth()
    truth.learn(0, 5.0)
    judge = Judge(truth, bits)
    judge.frames = frames
    for _ in range(1000):
        judge.take(0, 5.0, "")
    for _ in range(allowed):
        judge.take(0, 6.0, "")
    with pytest.raises(BrokenPromise, match=f"at most {allowed} pass by chance"):
        judge.take(0, 6.0, "")


def framed(value):
    """One byte and its checksum, which also sees that two bytes were swapped."""
    return bytes([value, 7 * value + 3 & 0xFF])


def one_byte(exchanges):
    """Decode one byte beside its checksum."""
    found = []
    for point, (_, response) in enumerate(exchanges):
        if not response or response != framed(response[0]):
            raise DeviceMalformed("not its checksum")
        found.append(Probed(point, response, float(response[0]), 0, 0))
    return found


FRAMES = [Exchange(b"?", framed(5)), Exchange(b"?", framed(6))]


def test_recorded_frames():
    assert check_recorded(Recorded(one_byte, FRAMES, 8), {}, 3000, 1) == 3000
    assert check_recorded(Recorded(one_byte, FRAMES), {0: (0, 255)}, 3000, 1) == 3000
    with pytest.raises(BrokenPromise, match=r"became \d+, which it cannot be, from [0-9a-f]{2} "):
        check_recorded(Recorded(one_byte, FRAMES), {0: (5, 5)}, 3000, 1)


def test_frames_that_say_nothing_prove_nothing():
    with pytest.raises(BrokenPromise, match="say nothing of any point"):
        check_recorded(Recorded(lambda _: [], FRAMES), {}, 100, 1)


def test_a_decoder_raises_device_errors_only():
    def careless(exchanges):
        return [Probed(0, b"", float(one.response[1]), 0, 0) for one in exchanges]

    with pytest.raises(BrokenPromise, match=r"decode\(\) raised IndexError"):
        check_recorded(Recorded(careless, FRAMES), {}, 1000, 1)
