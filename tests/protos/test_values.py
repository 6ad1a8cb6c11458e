"""The value column: what is put into one memory comes out of the other, and both stay alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import MalformedError
from citytwin_protos.decimals import UNSET
from citytwin_protos.memory import Groups, PointMemory
from citytwin_protos.values import get_values, put_values

VALUE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-1000, 1000).map(lambda n: n / 10),
    st.integers(-1000, 1000).map(lambda n: n * 0.1),
).map(lambda v: v + 0.0)
BLOCKS = st.lists(
    st.lists(st.tuples(st.integers(0, 4), VALUE), min_size=1, max_size=30), min_size=1, max_size=6
)


def groups_of(*points):
    return Groups(np.array(points, np.int32))


@given(BLOCKS, st.booleans())
def test_values_come_back_block_after_block(blocks, reconsider):
    writer, reader = PointMemory(), PointMemory()
    for block in blocks:
        groups = groups_of(*(point for point, _ in block))
        value = np.array([v for _, v in block])
        begun, codes = put_values(writer, value, groups, reconsider=reconsider)
        back = get_values(reader, groups, begun, codes)
        assert back.view(np.uint64).tolist() == value.view(np.uint64).tolist()
        for name in ("form", "last"):
            assert getattr(writer, name).tolist() == getattr(reader, name).tolist()


def put(memory, *values, reconsider=False):
    return put_values(
        memory, np.array(values), groups_of(*range(len(values))), reconsider=reconsider
    )


def test_a_point_begins_once():
    memory = PointMemory()
    assert put(memory, 0.1, 0.2)[0] is not None
    assert put(memory, 0.3, 0.5)[0] is None


def test_a_point_that_needs_a_finer_form_begins_anew():
    memory = PointMemory()
    put(memory, 1.0, 2.0)
    begun, _ = put(memory, 1.0, 2.5)
    assert begun is not None
    assert begun[0] is not None
    assert memory.form.tolist() == [0, 1]


def test_a_form_that_one_odd_value_asked_for_is_given_up_again():
    memory = PointMemory()
    put(memory, 1.234567)
    assert memory.form.tolist() == [6]
    put(memory, 1.5)
    assert memory.form.tolist() == [6]
    put(memory, 1.5, reconsider=True)
    assert memory.form.tolist() == [1]


@pytest.mark.parametrize(
    ("begun", "codes"),
    [
        (None, b""),  # a new point has no form
        ((None, b"", b"", b""), b""),
        ((None, bytes([UNSET]), b"", b"\x00"), b""),
        ((None, b"\x00", b"\x00", b"\x00"), b""),  # a shift without a second sample
        ((None, b"\x00", b"", b""), b""),
        ((None, b"\x00", b"", b"\x00"), b"\x01"),
        ((None, b"\x00", b"", b"\x08" + b"\xff" * 8), b""),  # no decimal is so large
    ],
)
def test_parts_that_do_not_fit_are_refused(begun, codes):
    with pytest.raises(MalformedError):
        get_values(PointMemory(), groups_of(3), begun, codes)
