"""Point: checked when made, immutable, and the same after MessagePack."""

import math

import msgspec
import pytest

from citytwin import Kind, Label, Place, Point, Source, Span
from citytwin.errors import IdentityError, UnitError


def test_point_survives_messagepack():
    point = Point(
        id="medeu-1/ps-03/flow",
        unit="m3/h",
        kind=Kind.COUNTER,
        source=Source.DERIVED,
        label=Label(kk="Шығын", ru="Расход", en="Flow"),
        valid=Span(0, 500),
        writable=Span(high=10),
        place=Place(76.95, 43.24, 850.0),
        feeds="urn:ngsi-ld:Pump:ps-03",
        attribute="flow",
    )
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(point), type=Point)
    assert again == point
    assert (again.gateway, again.device, again.name) == ("medeu-1", "ps-03", "flow")
    with pytest.raises(AttributeError):
        setattr(point, "unit", "bar")  # noqa: B010  # what a type checker would not let through


def test_span_contains_its_ends_and_refuses_nonsense():
    assert 0.0 in Span(0, 1)
    assert 1.0 in Span(0, 1)
    nan = math.nan
    assert nan not in Span(0, 1)
    for low, high in ((2, 1), (math.nan, 1)):
        with pytest.raises(ValueError, match="must not be above"):
            Span(low, high)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"id": "a/b"}, IdentityError),
        ({"id": "a/b/c", "unit": "gal"}, UnitError),
        ({"id": "a/b/c", "feeds": "pump"}, IdentityError),
        ({"id": "a/b/c", "attribute": "x" * 121}, IdentityError),
    ],
)
def test_point_refuses(fields, error):
    with pytest.raises(error):
        Point(**fields)


def test_place_and_label_have_limits():
    with pytest.raises(ValueError, match="longitude"):
        Place(200, 43)
    with pytest.raises(ValueError, match="120"):
        Label(kk="ә" * 121)
