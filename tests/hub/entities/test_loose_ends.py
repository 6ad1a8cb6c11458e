"""What hangs in the air, by the age of the newest sample."""

from citytwin import Batch, Kind, Point
from citytwin.point import Source
from citytwin_hub.entities.loose_ends import Silent, loose_ends
from citytwin_hub.entities.model import Entity
from citytwin_hub.twin import Twin

TANK = Entity(id="urn:ngsi-ld:Tank:1", types=("Tank",))


def ends(*, before_ns, taken_ns):
    twin = Twin()
    points = [Point(id=f"g/d/{n}", feeds=TANK.id, attribute="level") for n in range(2)]
    if taken_ns:
        twin.apply(Batch.of([1], [taken_ns], [2.0]), taken_ns)
    return loose_ends(
        enumerate(points), [TANK], twin,
        before_ns=before_ns, exists=lambda ids: {TANK.id: TANK}, limit=10,
    )  # fmt: skip


def test_an_entity_is_silent_when_its_newest_sample_is_old():
    assert ends(before_ns=100, taken_ns=100).silent == []
    assert ends(before_ns=101, taken_ns=100).silent == [
        Silent("urn:ngsi-ld:Tank:1", ("g/d/0", "g/d/1"), 100)
    ]
    assert ends(before_ns=1, taken_ns=0).silent[0].last_ns == 0


def test_alarms_and_the_health_of_gateways_are_no_loose_ends():
    points = [
        Point(id="g/d/level"),
        Point(id="g/d/level.alarm", kind=Kind.ALARM),
        Point(id="g/agent/cpu", source=Source.HEALTH),
    ]
    found = loose_ends(
        enumerate(points), [], Twin(), before_ns=1, exists=lambda ids: {}, limit=10
    )  # fmt: skip
    assert (found.points, found.counts["points"]) == (["g/d/level"], 1)
