"""Column coders: exact for any integers, and sizes that match their declared counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import MalformedError
from citytwin_protos import columns

INTEGERS = st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)))


@given(INTEGERS)
def test_integers_come_back(values):
    column = np.array(values, np.int64)
    assert columns.get_integers(columns.put_integers(column), len(column)).tolist() == values


@given(st.lists(st.integers(-(2**40), 2**40)), st.integers(-(2**62), 2**62))
def test_runs_come_back(values, start):
    column = np.repeat(np.array(values, np.int64), 3)
    runs = columns.put_runs(column, start)
    assert columns.get_runs(runs, len(column), start).tolist() == column.tolist()


def test_a_few_large_values_do_not_widen_the_rest():
    column = np.ones(1000, np.int64)
    column[5] = 10**12
    assert len(columns.put_integers(column)) < 1020


@pytest.mark.parametrize(
    ("data", "count"),
    [(b"", 1), (b"\x01", 1), (b"\x09" + bytes(9), 1), (b"\x10\xff", 1), (b"x", 0)],
)
def test_bytes_that_do_not_hold_the_count(data, count):
    with pytest.raises(MalformedError):
        columns.get_integers(data, count)


@pytest.mark.parametrize(
    "runs", [None, [1], [5, b"", b""], [1, b"\x01\x00", b"\x01\x09"], [-1, b"", b""]]
)
def test_runs_that_do_not_make_up_the_count(runs):
    with pytest.raises(MalformedError):
        columns.get_runs(runs, 2, 0)


def test_words_have_eight_bytes():
    words = np.array([1, 2**63], np.uint64)
    assert columns.get_words(columns.put_words(words), 2).tolist() == [1, 2**63]
    with pytest.raises(MalformedError):
        columns.get_words(b"1234567", 1)
