"""What a command looks like at each step of its life."""

import pytest

from citytwin import Label, Point, Span
from citytwin.command import Command, Readback
from citytwin_hub.apis.control_shapes import name_of, quantity_of, reports_of
from citytwin_hub.commands import Tracked

NOW, SECOND = 1_767_225_600 * 10**9, 10**9
VALVE = Point(id="g/d/v", unit="%", label=Label(en="Opening"), writable=Span(0, 100))


def tracked(*states, executed_s=0):
    command = Command(
        id="a" * 32, point=VALVE.id, value=40.0, issued_by="aigul", issued_ns=NOW + 60 * SECOND,
        expires_ns=NOW + 90 * SECOND, readback=Readback(VALVE.id, 40.0, 1.0, SECOND),
    )  # fmt: skip
    history = [(state, NOW + at * SECOND, "") for at, state in enumerate(states)]
    return Tracked(command, 7, history, executed_ns=NOW + executed_s * SECOND if executed_s else 0)


def test_a_parameter_is_called_as_the_attribute_that_it_sets():
    assert name_of(VALVE) == "v"
    fed = Point(id="g/d/v", feeds="urn:ngsi-ld:Valve:7", attribute="opening")
    assert name_of(fed) == "opening"
    field = quantity_of(VALVE)
    assert (field["uom"], field["label"]) == ({"code": "%"}, "Opening")
    assert field["constraint"] == {"intervals": [[0, 100]]}


@pytest.mark.parametrize(
    ("states", "codes"),
    [
        (("scheduled", "submitted", "sent"), ["SCHEDULED", "PENDING", "ACCEPTED"]),
        (("submitted", "sent", "executed", "settled"),
         ["PENDING", "ACCEPTED", "EXECUTING", "COMPLETED"]),
        (("submitted", "repeated", "canceled"), ["PENDING", "CANCELED"]),
    ],
)  # fmt: skip
def test_each_step_is_a_report(states, codes):
    reports = reports_of(tracked(*states))
    assert [one["statusCode"] for one in reports] == codes
    assert len({one["id"] for one in reports}) == len(reports)


def test_reports_say_when_it_is_or_was_carried_out():
    (scheduled,) = reports_of(tracked("scheduled"))
    assert scheduled["executionTime"] == ["2026-01-01T00:01:00Z", "2026-01-01T00:01:30Z"]
    *_, settled = reports_of(tracked("submitted", "executed", "settled", executed_s=5))
    assert settled["executionTime"] == ["2026-01-01T00:00:05Z"] * 2
