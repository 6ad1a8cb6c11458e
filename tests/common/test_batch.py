"""Batch: four columns that fit, cannot be written, and are checked before they are stored."""

import numpy as np
import pytest

from citytwin import Batch
from citytwin.batch import SECOND_NS
from citytwin.errors import BatchError

NOW_NS = 1_767_225_600 * SECOND_NS


def test_columns_take_their_types_and_are_read_only():
    batch = Batch.of([1, 2], NOW_NS, [1.0, 2.0])
    assert [batch.point.dtype, batch.time_ns.dtype, batch.value.dtype, batch.quality.dtype] == [
        np.int32,
        np.int64,
        np.float64,
        np.uint8,
    ]
    for column in (batch.point, batch.time_ns, batch.value, batch.quality):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_columns_must_fit():
    with pytest.raises(BatchError, match="differ in length"):
        Batch(np.zeros(2, np.int32), np.zeros(1, np.int64), np.zeros(2), np.zeros(2, np.uint8))
    with pytest.raises(BatchError, match="dimensions"):
        Batch(np.zeros((1, 1), np.int32), np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.uint8))


def test_concat_select_renumber_and_equality():
    first = Batch.of([0, 1], NOW_NS, [1.0, np.nan], [0, 0x81])
    second = Batch.of(2, NOW_NS + 1, 3.0)
    whole = Batch.concat([first, Batch.empty(), second])
    assert whole == Batch.of(
        [0, 1, 2], [NOW_NS, NOW_NS, NOW_NS + 1], [1.0, np.nan, 3.0], [0, 0x81, 0]
    )
    assert whole.select(whole.point == 2) == second
    assert whole.renumbered(np.array([10, 11, 12], np.int32)).point.tolist() == [10, 11, 12]
    assert whole != second
    assert whole != "batch"
    assert Batch.concat([]) == Batch.empty()


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (Batch.of(5, NOW_NS, 1.0), "point number 5"),
        (Batch.of(-1, NOW_NS, 1.0), "point number -1"),
        (Batch.of(0, 0, 1.0), "before 2020"),
        (Batch.of(0, NOW_NS + 2 * 86_400 * SECOND_NS, 1.0), "ahead"),
        (Batch.of(0, NOW_NS, np.inf, 0x81), "infinite"),
        (Batch.of(0, NOW_NS, np.nan, 0), "bad quality"),
        (Batch.of(0, NOW_NS, 1.0, 0x7F), "quality 127"),
    ],
)
def test_check_refuses_what_no_receiver_may_store(batch, words):
    with pytest.raises(BatchError, match=words):
        batch.check(points=5, now_ns=NOW_NS)


def test_check_passes_what_may_be_stored():
    Batch.empty().check(points=0, now_ns=NOW_NS)
    Batch.of([0, 4], NOW_NS + 3600 * SECOND_NS, [1.0, np.nan], [0x41, 0x81]).check(
        points=5, now_ns=NOW_NS
    )
