"""Sight: what of an entity is shown, attribute by attribute and part by part."""

import shapely

from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.store import Box, Hints
from citytwin_hub.policy.grants import LOCATION, Act, Area, Grant, Names, Rights
from citytwin_hub.policy.sight import Sight, rounded

READ = frozenset({Act.READ})


def prop(value, modified_ns=0, **parts):
    some = {name: (one,) for name, one in parts.items()}
    return Attribute(kind=AttributeKind.PROPERTY, value=value, modified_ns=modified_ns, parts=some)


def sight(*grants, **more):
    return Sight(Rights(("a",), grants, **more), Act.READ)


TANK = Entity(
    id="urn:x:1",
    types=("Tank",),
    created_ns=1,
    modified_ns=9,
    attributes={
        "level": (prop(3.26, 5, by=prop("A. B.", deep=prop(1, by=prop(2)))),),
        "by": (prop("A. B.", 9),),
    },
)
EMPTY = Entity(id="urn:x:0", types=("None",))


def test_without_limits_an_entity_is_itself():
    assert sight(Grant(acts=READ)).show(TANK) is TANK
    assert sight(Grant(acts=READ, types=Names(["Tank"]))).show(TANK) is TANK


def test_a_hidden_name_is_hidden_as_a_part_of_others_too():
    grant = Grant(acts=READ, without=Names(["by"]))
    shown = sight(grant).show(TANK) or EMPTY
    assert shown.attributes == {"level": (prop(3.26, 5),)}
    assert shown.modified_ns == 5, "of when what is hidden was changed nothing is told"
    assert not sight(grant).has_whole(TANK, "level")
    assert sight(grant).has(TANK, "level")
    assert not sight(grant).has(TANK, "by")


def test_grants_add_up_for_the_entities_that_they_are_about():
    one = Grant(acts=READ, types=Names(["Tank"]), attributes=Names(["level"]))
    two = Grant(acts=READ, types=Names(["Pump"]))
    three = Grant(acts=READ, types=Names(["Tank"]), attributes=Names(["by"]))
    assert set((sight(one, two).show(TANK) or EMPTY).attributes) == {"level"}
    assert set((sight(one, two, three).show(TANK) or EMPTY).attributes) == {"level", "by"}
    assert sight(two).show(TANK) is None
    assert sight(Grant(acts=frozenset({Act.WRITE}))).show(TANK) is None


def test_a_box_is_left_to_the_store_where_all_grants_have_an_area():
    here, there = (Area(name, shapely.box(*box)) for name, box in (
        ("a", (1, 1, 2, 2)), ("b", (5, 0, 6, 1))))  # fmt: skip
    grants = [Grant(acts=READ, area=one) for one in (here, there)]
    assert sight(*grants).hints(Hints()).box == Box(LOCATION, 1, 0, 6, 2)
    assert sight(*grants, Grant(acts=READ, types=Names(["X"]))).hints(Hints()).box is None
    given = Box("other", 0, 0, 1, 1)
    assert sight(*grants).hints(Hints(box=given, cell=3)) == Hints(box=given)


def test_coarse_numbers_have_no_finer_parts():
    shown = sight(Grant(acts=READ), rounding={"level": 0.5}).show(TANK) or EMPTY
    assert shown.attributes["level"] == (prop(3.5, 5),)
    assert shown.attributes["by"] == TANK.attributes["by"]
    assert rounded({"coordinates": [76.9512, 43.2048]}, 0.01) == {"coordinates": [76.95, 43.2]}
    assert rounded("text", 0.5) == "text"
