"""What every EntityStore must do; a test module of a store calls ``check_store``."""

import pytest

from citytwin_hub.entities import changes
from citytwin_hub.entities.store import Box, Change, Hints
from tests.hub.entities.samples import LOCATION, entity, link, name, point, prop


def check_store(store):
    """Prove that an empty store keeps its promise."""
    made = [
        changes.created(
            entity(
                number,
                "Tank" if number % 2 else "Pump",
                level=prop(number),
                location=point(76 + number / 10, 43),
                **({"feeds": link("urn:ngsi-ld:Tank:1")} if number > 5 else {}),
            ),
            number,
        )
        for number in range(10)
    ]
    ids = [one.id for one in made]
    assert store.changed() == 0
    first = store.write([Change(None, one) for one in made], 100)
    assert first == store.changed() > 0
    assert store.get(ids[3]) == made[3]
    assert store.get("urn:ngsi-ld:Tank:none") is None
    assert store.find([ids[4], "urn:none", ids[2]]) == {ids[4]: made[4], ids[2]: made[2]}
    assert list(store.candidates(Hints())) == made
    for hints, expected in (
        (Hints(types=[name("Tank")]), made[1::2]),
        (Hints(types=[name("Tank"), name("Pump")]), made),
        (Hints(types=[name("None")]), []),
        (Hints(ids=[ids[1], ids[0]]), made[:2]),
        (Hints(attributes=[name("feeds")]), made[6:]),
        (Hints(attributes=[name("feeds")], types=[name("Tank")]), made[7::2]),
        (Hints(box=Box(LOCATION, 76.15, 42, 76.45, 44)), made[2:5]),
        (Hints(after=ids[6]), made[7:]),
        (Hints(after=ids[0], types=[name("Tank")]), made[1::2]),
        (Hints(after="urn:none"), []),
        (Hints(box=Box(LOCATION, 76, 42, 77, 44), cell=0.25), [made[n] for n in (0, 3, 5, 8)]),
        (
            Hints([*ids], [name("Pump")], None, Box(LOCATION, 76, 42, 77, 44), "", 0.25),
            [made[n] for n in (0, 4, 6, 8)],
        ),
        (Hints(box=Box(LOCATION, 76.55, 42, 77, 44), cell=9), [made[6]]),
        (Hints(box=Box(name("elsewhere"), 76.15, 42, 76.45, 44)), []),
    ):
        assert list(store.candidates(hints)) == expected
        assert store.count(hints) == len(expected)
    assert store.types() == {name("Tank"): 5, name("Pump"): 5}
    assert store.attributes() == {name("level"): 10, LOCATION: 10, name("feeds"): 4}
    extents = store.extents(LOCATION)
    assert extents.keys() == {name("Tank"), name("Pump")}
    assert extents[name("Tank")] == pytest.approx((76.1, 43, 76.9, 43), abs=1e-4)
    assert store.extents(name("elsewhere")) == {}
    parts = {kind: set(names) for kind, names in store.attributes_of_types().items()}
    assert parts == {
        name(kind): {name("level"), LOCATION, name("feeds")} for kind in ("Tank", "Pump")
    }
    _check_changes(store, made, first)


def _check_changes(store, made, first):
    moved = changes.created(entity(3, level=prop(7), location=point(80, 43)), 200)
    other = changes.created(entity(1, "Car", level=prop(1)), 200)
    second = store.write([Change(made[3], moved), Change(made[0], None), Change(None, other)], 200)
    assert second == store.changed() > first
    assert next(store.candidates(Hints(after=made[0].id))) == made[1]
    assert store.get(moved.id) == moved
    assert store.get(made[0].id) is None
    assert list(store.candidates(Hints(box=Box(LOCATION, 79, 42, 81, 44)))) == [moved]
    assert moved not in store.candidates(Hints(box=Box(LOCATION, 76, 42, 77, 44)))
    assert list(store.candidates(Hints())) == [made[1], made[2], moved, *made[4:], other]
    assert store.types() == {name("Tank"): 5, name("Pump"): 4, name("Car"): 1}
    # Several changes of one entity in a batch: the last one stays, with all that hangs on it.
    again = changes.created(entity(0, "Pump", flow=prop(1)), 300)
    bare = changes.created(entity(0, "Pump"), 300)
    store.write([Change(None, again), Change(again, bare)], 300)
    assert store.get(bare.id) == bare
    assert name("flow") not in store.attributes()
    assert next(iter(store.candidates(Hints()))) == bare
    store.write([Change(bare, None)], 400)
    assert store.count(Hints()) == 10
