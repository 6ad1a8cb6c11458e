"""Columns: points, times, qualities and odd values come back; parts that do not fit are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import MalformedError
from citytwin_protos import columns as c
from tests.protos.samples import NOW_NS, POINTS, QUALITIES, TIMES, VALUES

EMPTY = (0, b"")


def numbers(*values):
    return c.put_numbers(np.array(values, np.uint64))


@given(st.lists(POINTS, min_size=1))
def test_points_come_back(points):
    column = np.array(points, np.int32)
    assert c.get_points(c.put_points(column), len(points)).tolist() == points


def test_consecutive_points_cost_a_bit_each():
    _, data = c.put_points(np.arange(1000, dtype=np.int32))
    assert len(data) < 130


@given(st.lists(st.lists(TIMES, min_size=1), min_size=1, max_size=4))
def test_times_come_back_block_after_block(blocks):
    writer, reader = c.Times(), c.Times()
    for block in blocks:
        column = np.array(block, np.int64)
        assert reader.get(writer.put(column), len(block)).tolist() == block


def test_devices_in_step_cost_what_their_jitter_costs():
    writer, rng = c.Times(), np.random.default_rng(1)

    def put(second: int) -> c.TimePart:
        scan_ms = second * 1000 + 10 * np.arange(10) + rng.integers(0, 4, 10)
        return writer.put(np.repeat(NOW_NS + scan_ms * 1_000_000, 100))

    put(0)
    put(1)
    unit, (_, data), runs = put(2)
    assert (unit, runs) == (2, None)
    assert len(data) < 20


@given(st.lists(QUALITIES, min_size=1))
def test_qualities_come_back(codes):
    column = np.array(codes, np.uint8)
    assert c.get_quality(c.put_quality(column), len(codes)).tolist() == codes


def test_one_quality_for_all_is_one_number():
    assert c.put_quality(np.full(9, 0x41, np.uint8)) == 0x41


@given(st.lists(st.tuples(VALUES, QUALITIES), min_size=1))
def test_odd_values_come_back(samples):
    value = np.array([v for v, _ in samples])
    quality = np.array([q for _, q in samples], np.uint8)
    found = c.find_odd(value)
    if found is None:
        assert np.isfinite(value).all()
        return
    odd, kinds = c.get_odd(c.put_odd(*found, quality), len(value), quality)
    assert odd.tolist() == found[0].tolist()
    back = c.ODD[kinds]
    assert np.array_equal(back, value[odd], equal_nan=True)
    assert np.signbit(back[back == 0]).all()


def test_bad_samples_without_value_cost_nothing():
    quality = np.array([0, 0x81, 0], np.uint8)
    assert c.put_odd(np.array([False, True, False]), np.zeros(1, np.uint8), quality) is True


@pytest.mark.parametrize(
    "read",
    [
        lambda: c.get_numbers((64, b""), 0),
        lambda: c.get_numbers((-1, b""), 0),
        lambda: c.get_points(numbers(2**33), 1),
        lambda: c.Times().get((4, numbers(0), (1, numbers(0))), 1),
        lambda: c.Times().get((0, numbers(0), None), 1),
        lambda: c.Times().get((0, numbers(0, 0), (2, numbers(0, 1))), 2),
        lambda: c.Times().get((0, EMPTY, (0, EMPTY)), 1),
        lambda: c.get_quality(256, 1),
        lambda: c.get_quality(-1, 1),
        lambda: c.get_quality((2, numbers(0, 0), b"a"), 2),
        lambda: c.get_quality((2**40, numbers(0, 0), b"ab"), 2),
        lambda: c.get_lengths((1, numbers(2**64 - 1)), 5),
        lambda: c.get_odd(False, 1, np.zeros(1, np.uint8)),
        lambda: c.get_odd((1, numbers(0), b"\x04"), 1, np.zeros(1, np.uint8)),
        lambda: c.get_odd((1, numbers(0), b""), 1, np.zeros(1, np.uint8)),
        lambda: c.get_odd((1, numbers(1), b"\x00"), 1, np.zeros(1, np.uint8)),
        lambda: c.get_places((2, numbers(0, 0)), 5),
        lambda: c.get_places((2, numbers(3, 2)), 5),
        lambda: c.get_places((0, EMPTY), 5),
    ],
)
def test_parts_that_do_not_fit_are_refused(read):
    with pytest.raises(MalformedError):
        read()
