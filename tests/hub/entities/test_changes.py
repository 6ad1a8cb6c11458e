"""What entities become."""

# pyright: reportOptionalMemberAccess=false, reportArgumentType=false
# An attribute that is missing fails a test as well.

import pytest

from citytwin_hub.entities import changes
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.fragment import Fragment, Patch
from citytwin_hub.entities.model import NULL, Attribute, AttributeKind
from tests.hub.entities.samples import entity, link, name, point, prop

LEVEL, FLOW = name("level"), name("flow")


def tank(**more):
    given = {"level": (prop(3.2, unit_code="MTR", observed_ns=5), prop(3.0, dataset="urn:d:1"))}
    return changes.created(entity(1, **(given | more)), 10)


def fragment(**attributes):
    return Fragment(attributes={name(term): tuple(given) for term, given in attributes.items()})


def patches(**attributes):
    return Fragment(patches={name(term): tuple(given) for term, given in attributes.items()})


def test_a_new_entity_is_stamped_through_and_through():
    made = changes.created(entity(1, level=prop(3, parts={FLOW: (prop(1),)})), 10)
    level = made.attribute(LEVEL)
    assert (made.created_ns, made.modified_ns) == (10, 10)
    assert (level.created_ns, level.modified_ns) == (10, 10)
    assert level.parts[FLOW][0].created_ns == 10


def test_append_overwrites_the_instance_of_its_dataset_alone():
    outcome = changes.append(tank(), fragment(level=[prop(4)], flow=[prop(7)]), 20)
    level = outcome.entity.attribute(LEVEL)
    assert (level.value, level.created_ns, level.modified_ns, level.unit_code) == (4, 10, 20, "")
    assert outcome.entity.attribute(LEVEL, "urn:d:1").value == 3.0
    assert outcome.entity.attribute(FLOW).created_ns == 20
    assert set(outcome.updated) == {LEVEL, FLOW}
    assert outcome.entity.modified_ns == 20


def test_append_without_overwriting_leaves_what_is_there_and_says_so():
    given = fragment(level=[prop(4)], flow=[prop(7)])
    outcome = changes.append(tank(), given, 20, overwrite=False)
    assert outcome.entity.attribute(LEVEL).value == 3.2
    assert outcome.updated == (FLOW,)
    assert [one for one, _ in outcome.not_updated] == [LEVEL]


def test_an_entity_of_which_nothing_was_changed_keeps_its_stamp():
    outcome = changes.append(tank(), fragment(level=[prop(4)]), 20, overwrite=False)
    assert outcome.updated == ()
    assert outcome.entity.modified_ns == 10


def test_types_are_added_and_scopes_replaced():
    given = Fragment(types=(name("Tank"), name("Reservoir")), scopes=("/b",))
    before = changes.created(entity(1, scopes=("/a",)), 10)
    assert changes.append(before, given, 20).entity.types == (name("Tank"), name("Reservoir"))
    assert changes.append(before, given, 20).entity.scopes == ("/b",)
    assert changes.append(before, given, 20, overwrite=False).entity.scopes == ("/a", "/b")


def test_null_deletes_one_instance_and_is_refused_where_there_is_none():
    outcome = changes.update(tank(), fragment(level=[prop(NULL)], flow=[prop(NULL)]), 20)
    assert [one.dataset for one in outcome.entity.attributes[LEVEL]] == ["urn:d:1"]
    assert outcome.not_updated == ((FLOW, "there is nothing to delete"),)


def test_merge_leaves_what_is_not_given():
    outcome = changes.merge(tank(), patches(level=[Patch(value=4)]), 20)
    level = outcome.entity.attribute(LEVEL)
    assert (level.value, level.unit_code, level.observed_ns) == (4, "MTR", 5)
    assert (level.created_ns, level.modified_ns) == (10, 20)


def test_merge_goes_into_objects_and_null_takes_members_out():
    before = tank(address=prop({"street": "Abai", "flat": {"floor": 2, "door": 7}}))
    given = Patch(value={"street": NULL, "flat": {"door": 8}, "city": "Almaty"})
    after = changes.merge(before, patches(address=[given]), 20).entity.attribute(name("address"))
    assert after.value == {"flat": {"floor": 2, "door": 8}, "city": "Almaty"}


def test_merge_replaces_geometries_and_targets_whole():
    before = tank(location=point(76.9, 43.2), feeds=link("urn:a", "urn:b"))
    given = Fragment(
        patches={
            "https://uri.etsi.org/ngsi-ld/location": (
                Patch(value={"type": "LineString", "coordinates": [[1, 2], [3, 4]]}),
            ),
            name("feeds"): (Patch(value="urn:c"),),
        }
    )
    after = changes.merge(before, given, 20).entity
    assert after.attribute("https://uri.etsi.org/ngsi-ld/location").value["coordinates"][0] == [
        1,
        2,
    ]
    assert after.attribute(name("feeds")).value == "urn:c"


def test_merge_creates_and_deletes_attributes_and_their_parts():
    before = tank(flow=prop(1, parts={LEVEL: (prop(2),)}))
    part = {LEVEL: (Patch(value=NULL),), FLOW: (Patch(value=9, kind=AttributeKind.PROPERTY),)}
    given = patches(flow=[Patch(parts=part)], level=[Patch(value=NULL)], new=[Patch(value="x")])
    after = changes.merge(before, given, 20).entity
    assert set(after.attribute(FLOW).parts) == {FLOW}
    assert after.attribute(FLOW).value == 1
    assert after.attribute(LEVEL) is None
    assert after.attribute(name("new")).created_ns == 20


def test_merge_gives_a_common_moment_to_attributes_that_had_one():
    before = tank(flow=prop(1))
    given = patches(level=[Patch(value=4)], flow=[Patch(value=2)], new=[Patch(value=3)])
    after = changes.merge(before, given, 20, observed_ns=15).entity
    assert after.attribute(LEVEL).observed_ns == 15
    assert after.attribute(FLOW).observed_ns is None
    assert after.attribute(name("new")).observed_ns == 15


def test_a_new_attribute_needs_a_value():
    with pytest.raises(BadRequestData, match="is new, so it needs a value"):
        changes.merge(tank(), patches(flow=[Patch(unit_code="MTR")]), 20)


def test_a_partial_update_changes_members_of_one_instance():
    patch = Patch(value=5, unit_code=None, observed_ns=9, dataset="")
    after = changes.patch_attribute(tank(), LEVEL, patch, 20).entity.attribute(LEVEL)
    assert (after.value, after.unit_code, after.observed_ns) == (5, "", 9)
    gone = changes.patch_attribute(tank(), LEVEL, Patch(value=NULL, dataset="urn:d:1"), 20)
    assert [one.dataset for one in gone.entity.attributes[LEVEL]] == [""]


@pytest.mark.parametrize(
    ("term", "patch"), [("level", Patch(value=1, dataset="urn:d:9")), ("flow", Patch(value=1))]
)
def test_a_partial_update_of_what_is_not_there_is_refused(term, patch):
    with pytest.raises(ResourceNotFound, match=f"has no attribute {name(term)}"):
        changes.patch_attribute(tank(), name(term), patch, 20)


def test_a_partial_update_cannot_change_the_kind():
    with pytest.raises(BadRequestData, match="is a Property"):
        patch = Patch(kind=AttributeKind.RELATIONSHIP, value="urn:a")
        changes.patch_attribute(tank(), LEVEL, patch, 20)


def test_replacing_an_attribute_keeps_its_creation():
    after = changes.replace_attribute(tank(), LEVEL, [prop("full")], 20).entity
    assert (after.attribute(LEVEL).value, after.attribute(LEVEL).created_ns) == ("full", 10)
    with pytest.raises(ResourceNotFound):
        changes.replace_attribute(tank(), FLOW, [prop(1)], 20)
    with pytest.raises(ResourceNotFound, match="datasetId urn:d:9"):
        changes.replace_attribute(tank(), LEVEL, [prop(1, dataset="urn:d:9")], 20)


def test_deleting_an_attribute_takes_one_instance_or_all():
    one = changes.delete_attribute(tank(), LEVEL, 20, dataset="urn:d:1").entity
    assert [left.dataset for left in one.attributes[LEVEL]] == [""]
    assert LEVEL not in changes.delete_attribute(tank(), LEVEL, 20, every=True).entity.attributes
    with pytest.raises(ResourceNotFound):
        changes.delete_attribute(tank(), LEVEL, 20, dataset="urn:d:9")


def test_keeping_or_dropping_attributes():
    before = tank(flow=prop(1))
    assert set(changes.keep_only(before, [FLOW], 20, drop=True).entity.attributes) == {LEVEL}
    assert set(changes.keep_only(before, [FLOW], 20, drop=False).entity.attributes) == {FLOW}


def test_replacing_an_entity_keeps_its_creation_and_that_of_its_attributes():
    after = changes.replaced(tank(), entity(1, level=prop(1), flow=prop(2)), 20)
    assert (after.created_ns, after.modified_ns) == (10, 20)
    assert after.attribute(LEVEL).created_ns == 10
    assert after.attribute(FLOW).created_ns == 20


def test_what_has_expired_is_not_there():
    mixed = (prop(1, expires_ns=50), prop(2, dataset="urn:d:1"))
    before = changes.created(entity(1, level=mixed, flow=prop(1, expires_ns=60)), 10)
    assert changes.living(before, 49) == before
    assert changes.living(before, 50).attributes[LEVEL] == (before.attributes[LEVEL][1],)
    assert set(changes.living(before, 60).attributes) == {LEVEL}
    assert changes.living(changes.created(entity(1, expires_ns=40), 10), 40) is None


def test_a_merge_may_change_the_kind_with_a_value():
    given = Patch(kind=AttributeKind.RELATIONSHIP, value="urn:a")
    after = changes.merge(tank(), patches(level=[given]), 20).entity.attribute(LEVEL)
    assert after == Attribute(
        kind=AttributeKind.RELATIONSHIP, value="urn:a", created_ns=10, modified_ns=20
    )


def test_scopes_are_deleted_as_if_they_were_an_attribute():
    before = changes.created(entity(1, scopes=("/a",)), 10)
    outcome = changes.delete_attribute(before, "scope", 20)
    assert (outcome.entity.scopes, outcome.updated) == ((), ("scope",))
    with pytest.raises(ResourceNotFound):
        changes.delete_attribute(outcome.entity, "scope", 30)
