"""Bit coders: every column comes back, and bytes that are not exactly one are refused."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import MalformedError
from citytwin_protos import bits

WORDS = st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1))
CODED = st.lists(st.tuples(WORDS, st.integers(0, bits.SHIFT_MAX)), max_size=40)


def words(values):
    return np.array(values, np.uint64)


def test_runs_of_equal_values():
    starts, lengths = bits.runs_of(np.array([7, 7, 3, 7]))
    assert (starts.tolist(), lengths.tolist()) == ([0, 2, 3], [2, 1, 1])


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_zigzag_is_undone(values):
    column = np.array(values, np.int64)
    assert bits.unzigzag(bits.zigzag(column)).tolist() == values


def test_zigzag_is_small_around_zero():
    assert bits.zigzag(np.array([0, -1, 1, -2], np.int64)).tolist() == [0, 1, 2, 3]


@given(st.lists(WORDS))
def test_bit_lengths_are_exact(values):
    assert bits.bit_lengths(words(values)).tolist() == [value.bit_length() for value in values]


@given(st.lists(WORDS))
def test_bytewise_comes_back(values):
    data = bits.put_bytewise(words(values))
    assert bits.get_bytewise(data, len(values)).tolist() == values
    for wrong in (data + b"\0", data[:-1]):
        if wrong != data:
            with pytest.raises(MalformedError):
                bits.get_bytewise(wrong, len(values))


def test_bytewise_refuses_nine_bytes_in_a_value():
    with pytest.raises(MalformedError, match="eight"):
        bits.get_bytewise(b"\x09" + bytes(9), 1)


@given(CODED)
def test_rice_comes_back(coded):
    values, shifts = words([v for v, _ in coded]), np.array([k for _, k in coded], np.uint8)
    data = bits.put_rice(values, shifts)
    assert bits.get_rice(data, shifts).tolist() == values.tolist()
    for wrong in (data + b"\0", data[:-1], b"\xff\xff\xff" + data[3:]):
        if wrong != data:
            with pytest.raises(MalformedError):
                bits.get_rice(wrong, shifts)


@given(st.binary(max_size=60), st.lists(st.integers(0, bits.SHIFT_MAX), max_size=30))
def test_any_bytes_are_a_column_or_refused(data, shifts):
    column = np.array(shifts, np.uint8)
    with contextlib.suppress(MalformedError):
        assert len(bits.get_rice(data, column)) == len(shifts)


@pytest.mark.parametrize(
    ("unary", "count", "why"),
    [
        (b"\x80\x00", 1, "holds"),  # a byte too many
        (b"\xc0", 1, "holds"),
        (b"\x00", 1, "holds"),
        (b"\x00\x00\x00\x80", 2, "holds"),
        (b"\x00\x00\x00\xc0", 2, "longer"),
    ],
)
def test_rice_refuses_a_wrong_unary_part(unary, count, why):
    data = len(unary).to_bytes(3, "little") + unary
    with pytest.raises(MalformedError, match=why):
        bits.get_rice(data, np.zeros(count, np.uint8))


def test_a_hostile_length_is_refused_before_anything_is_unpacked():
    with pytest.raises(MalformedError, match="unary"):
        bits.get_rice(b"\xff\xff\x0f" + bytes(1 << 20), np.zeros(10, np.uint8))


def test_rice_is_as_short_as_the_values_allow():
    rng = np.random.default_rng(1)
    values = rng.geometric(1 / 50, 10_000).astype(np.uint64)
    shift = bits.shift_for(values)
    data = bits.put_rice(values, np.full(len(values), shift, np.uint8))
    # The entropy of this distribution is 7.08 bits; Rice is known to be within 0.1 of it.
    assert len(data) * 8 / len(values) < 7.2


def test_a_few_wild_values_do_not_spoil_the_shift():
    values = np.ones(1000, np.uint64)
    values[:3] = 2**60
    assert bits.shift_for(values) <= 1
    assert bits.shift_for(words([])) == 0
