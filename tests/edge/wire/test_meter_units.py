"""Units of meters: all known, numbers kept exact, what does not measure the same refused."""

import pytest

from citytwin.errors import DeviceMalformed
from citytwin.units import UNITS
from citytwin_edge.wire.meter_units import PUSHED, WRITTEN, in_unit


def test_every_unit_is_one_that_we_know():
    assert {*WRITTEN.values(), *PUSHED.values()} <= UNITS.keys()


@pytest.mark.parametrize(
    ("value", "have", "want", "expected"),
    [
        (6545766.0, "W.h", "kW.h", 6545.766),
        (2.351, "kW", "W", 2351.0),
        (1.0, "GJ", "MJ", 1000.0),
        (98.6, "m3", "L", 98600.0),
        (21.5, "Cel", "Cel", 21.5),
        (0.5, "kvar.h", "var.h", 500.0),
    ],
)
def test_the_same_in_another_unit(value, have, want, expected):
    assert in_unit(value, have, want) == expected


@pytest.mark.parametrize(("have", "want"), [("kvar.h", "kW.h"), ("V", "A"), ("kW.h", "1")])
def test_another_quantity_is_malformed(have, want):
    with pytest.raises(DeviceMalformed, match="the meter says"):
        in_unit(1.0, have, want)
