"""The newest sample of each point, and who watches."""

import numpy as np

from citytwin import Batch, Quality
from citytwin_edge.console.latest import Latest


def test_what_came_last_is_kept_by_number():
    latest = Latest(4)
    assert latest.good(2) is None
    latest.take(Batch.of([0, 2], 5, [1.5, 2.5]))
    latest.take(Batch.of([2], 6, [3.5]))
    assert latest.good(2) == 3.5
    assert latest.time_ns.tolist() == [5, 0, 6, 0]
    assert latest.tally(np.array([0, 1, 2], np.int32)) == (2, 0, 1)


def test_a_bad_value_is_no_value_and_an_uncertain_one_is():
    latest = Latest(2)
    latest.take(Batch.of([0, 1], 1, [7.0, 8.0], [Quality.UNCERTAIN_RANGE, Quality.GOOD]))
    latest.take(Batch.of([1], 2, [np.nan], Quality.BAD_SILENT))
    assert (latest.good(0), latest.good(1)) == (7.0, None)
    assert latest.tally(np.array([0, 1], np.int32)) == (0, 1, 1)
    # A number that a broken device stands by is still not to be relied on.
    latest.take(Batch.of([1], 3, [9.0], Quality.BAD_OUT_OF_RANGE))
    assert latest.good(1) is None


def test_of_what_kernels_made_only_derived_points_are_new():
    latest, seen = Latest(3), []
    latest.watchers.append(lambda batch: seen.append(batch.point.tolist()))
    latest.take(Batch.of([0, 1], 1, [1.0, 2.0]))
    latest.take_derived(Batch.of([0, 2], 2, [9.0, 5.0]))
    assert latest.value.tolist() == [1.0, 2.0, 5.0]
    latest.take_derived(Batch.of([1], 3, [9.0]))
    assert seen == [[0, 1], [2]]


def test_room_for_more_points_keeps_what_there_is():
    latest = Latest(1)
    latest.take(Batch.of([0], 1, [1.0]))
    latest.make_room(3)
    latest.make_room(2)
    latest.take(Batch.of([2], 2, [3.0]))
    latest.take_derived(Batch.of([0, 1], 3, [9.0, 2.0]))
    assert latest.value.tolist() == [1.0, 2.0, 3.0]
