"""Decimals: whatever way a value is written in, each of its bits comes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import MalformedError
from citytwin_protos import decimals as d

FINITE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 6)).map(lambda t: t[0] / 10 ** t[1]),
    st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 6)).map(
        lambda t: t[0] * float(f"1e-{t[1]}")
    ),
).map(lambda v: v + 0.0)


def form_of(*values):
    column = np.array(values, np.float64)
    return int(d.choose_form(column, np.zeros(1, np.intp), np.zeros(1, np.int64))[0])


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_the_chosen_form_gives_every_bit_back(values):
    column = np.array(values)
    starts = np.arange(0, len(values), 3)
    chosen = d.choose_form(column, starts, np.zeros(len(starts), np.int64))
    form = np.repeat(chosen, 3)[: len(values)]
    whole, exact = d.to_whole(column, form)
    assert exact.all()
    assert d.from_whole(whole, form).view(np.uint64).tolist() == column.view(np.uint64).tolist()


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ((1.0, 20.0, -3.0), 0),
        ((0.1, 2.0), 1),
        ((3 * 0.1,), 7),  # 0.30000000000000004
        ((3 * 0.1, 7 * 0.1, 0.5), 7),
        ((21.37, 21.5), 2),
        ((0.000001,), 6),
        ((float(np.float32(0.1)),), d.SINGLE),
        ((np.pi,), d.DOUBLE),
        ((1e300,), d.DOUBLE),
        ((float(2**53),), d.SINGLE),  # a whole number must stay below
    ],
)
def test_the_simplest_form_is_chosen(values, form):
    assert form_of(*values) == form


def test_a_form_may_have_to_be_as_fine_as_the_one_before():
    column, starts = np.array([35 * 0.01]), np.zeros(1, np.intp)
    assert d.choose_form(column, starts, np.array([2])).tolist() == [8]


def test_many_values_get_the_forms_that_few_get():
    few = np.array([1.0, 0.5, 3 * 0.1, np.pi, float(np.float32(0.1))])
    many = np.repeat(few, 2000)
    none = np.zeros(5, np.int64)
    assert (
        d.choose_form(many, np.arange(0, 10_000, 2000), none).tolist()
        == d.choose_form(few, np.arange(5), none).tolist()
        == [0, 1, 7, d.DOUBLE, d.SINGLE]
    )


def test_an_unset_form_gives_nothing_back():
    _, exact = d.to_whole(np.array([1.0]), np.array([d.UNSET], np.uint8))
    assert not exact.any()


@pytest.mark.parametrize(
    ("whole", "form"),
    [
        (2**53, 0),
        (-(2**53), 3),
        (-(2**63), 0),
        (2**31, d.SINGLE),
        (-(2**31) - 1, d.SINGLE),
        (0x7F800000, d.SINGLE),  # infinity
        (0x7FA00000, d.SINGLE),  # a signalling NaN
        (0x7FF0000000000000, d.DOUBLE),
        (2**63 - 1, d.DOUBLE),
    ],
)
def test_numbers_that_stand_for_no_value_are_refused(whole, form):
    with pytest.raises(MalformedError):
        d.from_whole(np.array([whole], np.int64), np.array([form], np.uint8))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_bit_patterns_keep_the_order_of_their_values(values):
    low, high = sorted(value + 0.0 for value in values)
    whole, _ = d.to_whole(np.array([low, high]), np.full(2, d.DOUBLE, np.uint8))
    assert (whole[0] <= whole[1]) == (low <= high)
