"""McMaster: the areas, the cause that downstream tells, and persistence."""

import msgspec
import pytest

from citytwin import Quality
from citytwin.testing import check_kernel
from citytwin_edge.kernels.traffic.mcmaster import MCMASTER, McMaster
from tests.edge.kernels.built import built, run, settings, shaken
from tests.edge.kernels.traffic.minutes import minutes, told

UNITS = ["%", "{vehicles}/h"] * 2
AREAS = {"occupancy_critical": 20, "lud_slope": 160, "flow_discharge": 3000}
FREE, QUEUE, DISCHARGE, SLOW = (10, 2400), (40, 1800), (24, 3600), (15, 1200)


@pytest.mark.parametrize(("station", "area"), [(FREE, 1), (SLOW, 2), (QUEUE, 3), (DISCHARGE, 4)])
def test_areas(station, area):
    kernel = built(MCMASTER, UNITS, **AREAS)
    assert isinstance(kernel, McMaster)
    assert kernel.area(*station) == area


@pytest.mark.parametrize(
    ("downstream", "becomes"),
    [(FREE, [(3, 1.0)]), (SLOW, [(3, 1.0)]), (QUEUE, []), (DISCHARGE, [])],
)
def test_downstream_tells_the_cause(downstream, becomes):
    rows = [FREE + FREE] + [QUEUE + downstream] * 5
    assert told(built(MCMASTER, UNITS, **AREAS), minutes(*rows)) == becomes


def test_congestion_must_persist_and_be_gone():
    rows = [FREE, QUEUE, QUEUE, FREE, QUEUE, QUEUE, QUEUE, FREE, FREE, QUEUE, FREE, FREE, FREE]
    batch = minutes(*[row + FREE for row in rows])
    assert told(built(MCMASTER, UNITS, **AREAS), batch) == [(6, 1.0), (12, 0.0)]
    two = built(MCMASTER, UNITS, **AREAS, persist=2)
    assert told(two, batch)[0] == (2, 1.0)


def test_it_keeps_every_promise():
    made = check_kernel(
        lambda: built(MCMASTER, UNITS, **AREAS, persist=1),
        shaken(18, [60.0, 4000.0, 30.0, 4000.0], [0, *[15] * 60, 900]),
    )
    assert {0.0, 1.0} == set(made.value.tolist())


@pytest.mark.parametrize(
    "wrong",
    [{"persist": 0}, {"occupancy_critical": 0}, {"lud_slope": 0}, {"flow_discharge": -1}, {"a": 1}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        settings(MCMASTER, **AREAS | wrong)


@pytest.mark.parametrize("name", AREAS)
def test_every_area_must_be_written(name):
    with pytest.raises(msgspec.ValidationError, match=name):
        settings(MCMASTER, **{key: value for key, value in AREAS.items() if key != name})


def test_a_gateway_runs_it(tmp_path):
    fields = "".join(f"{name} = {value}\n" for name, value in AREAS.items())
    table = (
        '[[kernel]]\nname = "k"\nkernel = "mcmaster"\n'
        f'inputs = ["d/a", "d/b", "d/c", "d/d"]\n{fields}'
    )
    made = run(tmp_path, UNITS, table, minutes(*[QUEUE + FREE] * 3))
    assert made["g/d/a.incident"] == ([1.0], [Quality.GOOD])
