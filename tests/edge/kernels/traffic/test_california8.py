"""California #8: every branch of its tree, and how it does on a freeway."""

import msgspec
import pytest

from citytwin import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.california8 import CALIFORNIA_8, California8
from tests.edge.kernels.built import built, run, settings, shaken
from tests.edge.kernels.traffic.minutes import minutes, told

LIMITS = {"t1_occdf": 8, "t2_docctd": -0.4, "t3_occrdf": 0.5, "t4_docctd": 0.15, "t5_docc": 30}
FREE = [(10, 10)] * 3
INCIDENT = [(25, 6), (28, 5)]


def states(*rows):
    """Return the state after each minute."""
    kernel, found = built(CALIFORNIA_8, ["%", "%"], **LIMITS), []
    assert isinstance(kernel, California8)
    batch = minutes(*rows)
    for row in range(0, len(batch), 2):
        kernel.step(batch.select(slice(row, row + 2)))
        found.append(int(kernel._columns["state"][0]))
    return found


def test_an_incident_is_tentative_then_confirmed_then_over():
    kernel = built(CALIFORNIA_8, ["%", "%"], **LIMITS)
    batch = minutes(*FREE, *INCIDENT, (30, 5), (10, 9), (10, 9))
    assert told(kernel, batch) == [(4, 1.0), (6, 0.0)]
    assert states(*FREE, *INCIDENT, (30, 5), (10, 9)) == [0, 0, 0, 6, 7, 7, 0]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((13, 6), "the difference is below T1"),
        ((15.9, 8), "the relative difference is below T3"),
        ((25, 9), "downstream fell by less than T4"),
    ],
)
def test_what_is_not_even_tentative(row, why):
    assert states(*FREE, row)[-1] == 0, why


def test_a_tentative_incident_that_does_not_persist():
    assert states(*FREE, (25, 6), (10, 9))[-2:] == [6, 0]


def test_a_compression_wave_holds_back_for_five_minutes():
    # Downstream congests suddenly; what looks like an incident while it passes is none.
    rows = [*FREE, (12, 35), (30, 40), (40, 25), (45, 15), (45, 10), (45, 5), (45, 5), (45, 4)]
    assert states(*rows) == [0, 0, 0, 1, 1, 2, 3, 4, 5, 0, 6]


def test_a_tentative_incident_may_be_a_wave_and_a_confirmed_one_ends_with_it():
    assert states(*FREE, (25, 6), (40, 35))[-2:] == [6, 1]
    assert states(*FREE, *INCIDENT, (40, 35))[-2:] == [7, 0]


def test_steady_congestion_is_free_of_incidents():
    assert states(*[(40, 38)] * 5)[-1] == 0


def test_an_empty_road_divides_by_nothing():
    assert states(*[(0, 0)] * 4) == [0] * 4


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(CALIFORNIA_8, ["%", "%"], **(LIMITS | {"t5_docc": 90})),
        shaken(17, [60.0, 30.0], [0, *[30] * 60, 900]),
    )
    assert {0.0, 1.0} == set(made.value.tolist())


@pytest.mark.parametrize("name", LIMITS)
def test_every_threshold_must_be_written(name):
    with pytest.raises(msgspec.ValidationError, match=name):
        settings(CALIFORNIA_8, **{key: value for key, value in LIMITS.items() if key != name})


@pytest.mark.parametrize("wrong", [{"t1_occdf": -1}, {"t3_occrdf": 2}, {"t5_docc": 101}, {"t6": 1}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        settings(CALIFORNIA_8, **LIMITS | wrong)


def test_a_gateway_runs_it(tmp_path):
    fields = "".join(f"{name} = {value}\n" for name, value in LIMITS.items())
    table = f'[[kernel]]\nname = "k"\nkernel = "california-8"\ninputs = ["d/a", "d/b"]\n{fields}'
    made = run(tmp_path, ["%", "%"], table, minutes(*FREE, *INCIDENT))
    assert made["g/d/a.incident"] == ([1.0], [Quality.GOOD])
