"""Which subscriptions a change concerns."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from citytwin.testing import VirtualClock
from citytwin_hub.entities import changes
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.matching import Matcher, Touched, Watch, touched
from citytwin_hub.entities.selection import Selection, Selector
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.entities.store import Box, Change, Hints
from citytwin_hub.entities.subscribers import watch_of
from citytwin_hub.entities.subscriptions import EntitySelector, Touch, Trigger
from tests.hub.entities.samples import LOCATION, entity, link, name, point, prop
from tests.hub.entities.subscribing import subscription

LEVEL, FLOW = name("level"), name("flow")


def nobody(_ids):
    """Find no entity."""
    return {}


def matched(one, before, after, find=nobody):
    """Tell whether a change concerns a subscription."""
    matcher = Matcher()
    matcher.add(watch_of(one, find))
    return bool(matcher.match(Change(before, after), now_ns=0))


def test_what_a_change_did_to_each_instance():
    before = entity(1, level=(prop(1), prop(2, dataset="urn:d:1")), flow=prop(3))
    after = entity(1, level=(prop(9), prop(4, dataset="urn:d:2")))
    assert sorted(touched(Change(before, after))) == [
        Touched(FLOW, "", Touch.DELETED),
        Touched(LEVEL, "", Touch.UPDATED),
        Touched(LEVEL, "urn:d:1", Touch.DELETED),
        Touched(LEVEL, "urn:d:2", Touch.CREATED),
    ]
    assert touched(Change(before, before)) == []


TANK = entity(1, level=prop(1), flow=prop(2))
FULLER = entity(1, level=prop(3), flow=prop(2))
DRY = entity(1, level=prop(1))


@pytest.mark.parametrize(
    ("more", "before", "after", "is_told"),
    [
        ({}, None, TANK, True),
        ({}, TANK, FULLER, True),
        ({}, TANK, DRY, False),
        ({}, TANK, None, False),
        ({"watched": (LEVEL,)}, TANK, FULLER, True),
        ({"watched": (FLOW,)}, TANK, FULLER, False),
        ({"triggers": (Trigger.ATTRIBUTE_DELETED,)}, TANK, DRY, True),
        ({"triggers": (Trigger.ATTRIBUTE_DELETED,)}, TANK, None, True),
        ({"triggers": (Trigger.ATTRIBUTE_DELETED,), "watched": (LEVEL,)}, TANK, DRY, False),
        ({"triggers": (Trigger.ENTITY_UPDATED,)}, TANK, DRY, True),
        ({"triggers": (Trigger.ENTITY_CREATED,)}, None, TANK, True),
        ({"triggers": (Trigger.ENTITY_CREATED,)}, TANK, FULLER, False),
        ({"triggers": (Trigger.ENTITY_DELETED,)}, TANK, None, True),
        ({"datasets": ("urn:d:1",)}, TANK, FULLER, False),
        ({"datasets": ("",)}, TANK, FULLER, True),
        ({"q": "level>2", "terms": {"level": LEVEL}}, TANK, FULLER, True),
        ({"q": "level>2", "terms": {"level": LEVEL}}, FULLER, TANK, False),
        ({"scope_q": "/Almaty"}, TANK, FULLER, False),
        ({"kind": "Pump"}, TANK, FULLER, False),
        ({"kind": "", "watched": (LEVEL,)}, TANK, FULLER, True),
        ({"selectors": (EntitySelector(ids=(TANK.id,)),)}, TANK, FULLER, True),
        ({"selectors": (EntitySelector(ids=("urn:x:2",)),)}, TANK, FULLER, False),
        ({"selectors": (EntitySelector(pattern=".*Tank.*"),)}, TANK, FULLER, True),
        ({"selectors": (EntitySelector(pattern=".*Pump.*"),)}, TANK, FULLER, False),
        ({"selectors": (EntitySelector(types=f"({name('Tank')};x:y)"),)}, TANK, FULLER, False),
        ({"selectors": (EntitySelector(types=f"x:y,{name('Tank')}"),)}, TANK, FULLER, True),
    ],
)
def test_what_concerns_a_subscription(more, before, after, is_told):
    assert matched(subscription(**more), before, after) is is_told


def test_a_query_follows_links():
    one = subscription(q="pump{level}>2", terms={"pump": name("pump"), "level": LEVEL})
    pump = entity(1, "Pump", level=prop(5))
    tank = entity(1, pump=link(pump.id))
    assert matched(one, None, tank, lambda _: {pump.id: pump})
    assert not matched(one, None, tank)


def test_an_expired_one_is_concerned_by_nothing():
    matcher = Matcher()
    matcher.add(watch_of(subscription(expires_ns=10), nobody))
    assert matcher.match(Change(None, TANK), now_ns=9)
    assert not matcher.match(Change(None, TANK), now_ns=10)


def test_what_was_removed_or_replaced_is_gone_from_the_index():
    matcher = Matcher()
    matcher.add(watch_of(subscription(), nobody))
    matcher.add(watch_of(subscription(kind="Pump"), nobody))
    assert len(matcher) == 1
    assert not matcher.match(Change(None, TANK), now_ns=0)
    matcher.remove(subscription().id)
    matcher.remove(subscription().id)
    assert len(matcher) == 0
    assert not matcher._index


@pytest.mark.parametrize("seed", range(20))
def test_the_index_finds_what_looking_at_each_finds(seed):
    chance = random.Random(seed)
    kinds, terms = ["Tank", "Pump", "Pipe"], ["level", "flow", "power"]
    watches = [
        watch_of(
            subscription(
                number,
                selectors=tuple(
                    EntitySelector(
                        ids=(entity(chance.randrange(4), chance.choice(kinds)).id,)
                        if chance.random() < 0.3
                        else (),
                        pattern=".*1" if chance.random() < 0.2 else "",
                        types=chance.choice(["", *map(name, kinds)]),
                    )
                    for _ in range(chance.randrange(3))
                ),
                watched=tuple(map(name, chance.sample(terms, chance.randrange(3)))),
                triggers=tuple(chance.sample(list(Trigger), chance.randrange(4))),
            ),
            nobody,
        )
        for number in range(60)
    ]
    matcher = Matcher()
    for one in watches:
        matcher.add(one)
    for _ in range(50):
        number, kind = chance.randrange(4), chance.choice(kinds)
        before, after = (
            entity(
                number,
                kind,
                **{term: prop(chance.randrange(2)) for term in chance.sample(terms, 2)},
            )
            if chance.random() < 0.8
            else None
            for _ in range(2)
        )
        if before is None and after is None:
            continue
        change = Change(before, after)
        expected = {one.id for one in watches if one.concerns(change, touched(change), 0)}
        assert {one.id for one in matcher.match(change, 0)} == expected


degrees = st.floats(-0.05, 0.05).map(lambda offset: round(offset, 6))
georels = st.sampled_from(
    ["near;maxDistance==2000", "near;minDistance==1500", "within", "disjoint"]
)


@settings(max_examples=30, deadline=None)
@given(
    places=st.lists(st.tuples(degrees, degrees), min_size=1, max_size=25),
    georel=georels,
    centre=st.tuples(degrees, degrees),
)
def test_a_geo_subscription_and_a_geo_query_agree(tmp_path_factory, places, georel, centre):
    lon, lat = 76.9 + centre[0], 43.2 + centre[1]
    geometry, coordinates = "Point", [lon, lat]
    if not georel.startswith("near"):
        geometry = "Polygon"
        ring = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
        coordinates = [[[lon + 0.02 * x, lat + 0.02 * y] for x, y in ring]]
    geo = {
        "georel": georel,
        "geometry": geometry,
        "coordinates": coordinates,
        "geoproperty": LOCATION,
    }
    watch = watch_of(subscription(geo=geo), nobody)
    store = SqliteEntities(tmp_path_factory.mktemp("geo") / "entities.db")
    try:
        entities, matcher, told = Entities(store, VirtualClock()), Matcher(), set()
        matcher.add(watch)
        entities.observers.append(
            lambda written: told.update(
                one.id for one in written.changes if matcher.match(one, now_ns=0)
            )
        )
        with entities.batch() as batch:
            for number, (x, y) in enumerate(places):
                batch.create(entity(number, location=point(76.9 + x, 43.2 + y)))
        box = watch.selection.box()
        hints = Hints(types=watch.selection.types_any(), box=box and Box(*box))
        asked = {one.id for one in entities.select(hints) if watch.selection.matches(one)}
    finally:
        store.close()
    assert told == asked


@pytest.mark.parametrize("seed", range(8))
def test_places_find_what_looking_at_each_finds(seed):
    chance = random.Random(seed)

    def place():
        return 76.9 + chance.uniform(-0.1, 0.1), 43.2 + chance.uniform(-0.1, 0.1)

    watches = []
    for number in range(60):
        georel = chance.choice(
            ["near;maxDistance==700", "near;maxDistance==90000", "near;minDistance==5", "disjoint"]
        )
        geo = {
            "georel": georel,
            "geometry": "Point",
            "coordinates": list(place()),
            "geoproperty": LOCATION,
        }
        kind = chance.choice(["Tank", "Pump", ""])
        watched = () if kind else (LOCATION,)
        watches.append(watch_of(subscription(number, kind, geo=geo, watched=watched), nobody))
    matcher = Matcher()
    for one in watches:
        matcher.add(one)
    for number in range(80):
        here = point(*place())
        if number % 5 == 0:
            here = prop(3)
        elif number % 7 == 0:
            ends = [list(place()), list(place())]
            here = replace(here, value={"type": "LineString", "coordinates": ends})
        change = Change(None, entity(number, chance.choice(["Tank", "Pump"]), location=here))
        expected = {one.id for one in watches if one.concerns(change, touched(change), 0)}
        assert {one.id for one in matcher.match(change, 0)} == expected
    for one in watches:
        matcher.remove(one.id)
    assert not matcher._index
    assert matcher._areas == 0


def test_a_watch_without_a_selection_takes_any_entity():
    assert Watch(id="urn:s:1").among([Change(None, TANK)], 0) == (Change(None, TANK),)
    only = Watch(id="urn:s:1", selection=Selection(selectors=(Selector(ids=frozenset({"x:1"})),)))
    assert only.among([Change(None, changes.created(TANK, 1))], 0) == ()
