"""Watch: when it judges, what it forgets, and how an alarm ends."""

import numpy as np
import pytest

from citytwin import Batch, Kind, Point, Quality
from citytwin.batch import SECOND_NS
from citytwin.errors import ConfigError
from citytwin.kernel import Holds
from citytwin_edge.kernels.slots import LATE_MAX
from citytwin_edge.kernels.traffic.watch import OCCUPANCIES, Watch, WatchSettings
from tests.edge.kernels.built import START_NS
from tests.edge.kernels.traffic.minutes import MINUTE_NS, minutes, told

POINTS = [Point(id="g/d/up", unit="%"), Point(id="g/d/down", unit="1")]


class Above(Watch):
    """Raises while upstream is above downstream, from the second turn of a stretch on."""

    def __init__(self):
        super().__init__("above", WatchSettings(), POINTS, OCCUPANCIES)
        self._keep({"turns": np.zeros(1, np.int64)})

    def _judge(self, values, raised):
        self._columns["turns"][0] += 1
        return raised if self._columns["turns"][0] < 2 else values[0] > values[1]


def test_transitions_only_and_in_its_units():
    kernel = Above()
    assert kernel.outputs[0].id == "g/d/up.incident"
    assert kernel.outputs[0].kind == Kind.ALARM
    rows = [(20, 0.1), (20, 0.1), (20, 0.1), (20, 0.3), (20, 0.3), (40, 0.3)]
    assert told(kernel, minutes(*rows)) == [(1, 1.0), (3, 0.0), (5, 1.0)]


def test_while_an_input_is_bad_an_alarm_stays():
    kernel = Above()
    told(kernel, minutes((20, 0.1), (20, 0.1)))
    gone = Batch.of([0, 1], START_NS + 2 * MINUTE_NS, [np.nan, 0.3], [Quality.BAD_SILENT, 0])
    assert told(kernel, gone) == []
    assert told(kernel, Batch.of([0, 1], START_NS + 3 * MINUTE_NS, [20, 0.3])) == [(3, 0.0)]


def test_after_a_gap_what_was_before_is_forgotten():
    kernel = Above()
    told(kernel, minutes((20, 0.3), (20, 0.3)))
    later = [Batch.of([0, 1], START_NS + m * MINUTE_NS, [20, 0.1]) for m in (10, 11)]
    assert told(kernel, Batch.concat(later)) == [(11, 1.0)]


def test_an_old_input_is_not_judged():
    kernel = Above()
    told(kernel, minutes((20, 0.1)))
    alone = Batch.of([1] * 3, START_NS + np.arange(1, 4) * MINUTE_NS, [0.1] * 3)
    # Two turns are within 150 s of the sample upstream, the third is not.
    assert told(kernel, alone) == [(1, 1.0)]
    assert kernel.step(Batch.of([1], START_NS + 4 * MINUTE_NS, [0.9])) == Batch.empty()


def test_a_clock_that_was_set_back_is_believed_at_last():
    kernel = Above()
    told(kernel, minutes(*[(20, 0.3)] * 5))
    back = [(index % 2, START_NS - MINUTE_NS * 500 + index * SECOND_NS) for index in range(400)]
    point, time_ns = zip(*back, strict=True)
    made = kernel.step(Batch.of(point, time_ns, np.where(np.array(point), 0.1, 20.0)))
    assert made.value.tolist() == [1.0]
    assert made.time_ns[0] > START_NS - MINUTE_NS * 500 + LATE_MAX * SECOND_NS


def test_an_alarm_ends_with_the_kernel():
    kernel = Above()
    assert isinstance(kernel, Holds)
    assert not len(kernel.held(np.arange(2, dtype=np.int32)))
    told(kernel, minutes((20, 0.1), (20, 0.1)))
    made = kernel.held(np.arange(2, dtype=np.int32))
    assert (made.point.tolist(), made.value.tolist()) == ([2], [0.0])
    assert made.time_ns.tolist() == [START_NS + MINUTE_NS]


def test_age_is_checked():
    with pytest.raises(ValueError, match="age_s_max"):
        WatchSettings(age_s_max=0)


def test_wrong_inputs_are_named():
    with pytest.raises(ConfigError, match="input 1 is the occupancy upstream"):
        Watch("w", WatchSettings(), [Point(id="g/d/a", unit="km/h"), POINTS[1]], OCCUPANCIES)
