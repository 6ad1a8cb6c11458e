"""What may be registered beside what, and what is found."""

from contextlib import closing

import pytest
from msgspec.structs import replace

from citytwin.testing import VirtualClock
from citytwin_hub.entities import registrations as module
from citytwin_hub.entities.errors import (
    AlreadyExists,
    BadRequestData,
    Conflict,
    ResourceNotFound,
    TooManyResults,
)
from citytwin_hub.entities.evolution_store import Moment, Span
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.registrations import Registrations, SourceQuery
from citytwin_hub.entities.sources import (
    Information,
    Interval,
    Known,
    Mode,
    Sought,
    Source,
)
from citytwin_hub.entities.sqlite_sources import SqliteSources

NOW_NS = 1_700_000_000 * 10**9
WELL, LEVEL, FLOW = "t:Well", "t:level", "t:flow"
ID = "urn:ngsi-ld:Well:1"


def source(name, *attributes, mode=None, entity=ID, **more):
    known = Known(types=(WELL,), id=entity)
    information = Information(entities=(known,), properties=attributes or None)
    return Source(
        id=f"urn:x:{name}", endpoint="http://h:1", information=(information,), mode=mode, **more
    )


@pytest.fixture
def own():
    """Entities of the hub itself."""
    return {}


@pytest.fixture
def clock():
    return VirtualClock(NOW_NS)


@pytest.fixture
def sources(tmp_path, own, clock):
    with closing(SqliteSources(tmp_path / "sources.db")) as store:
        yield Registrations(store, lambda ids: {one: own[one] for one in ids if one in own}, clock)


def test_one_is_registered_changed_and_forgotten(sources, clock):
    sources.register(source(1, LEVEL))
    assert sources.get("urn:x:1").created_ns == NOW_NS
    clock.advance(5 * 10**9)
    sources.update("urn:x:1", lambda one: replace(one, name="wells"))
    found = sources.get("urn:x:1")
    assert (found.name, found.created_ns, found.modified_ns) == (
        "wells", NOW_NS, NOW_NS + 5 * 10**9,
    )  # fmt: skip
    with pytest.raises(AlreadyExists):
        sources.register(source(1, FLOW))
    sources.delete("urn:x:1")
    for refused in (sources.get, sources.delete, lambda one: sources.update(one, lambda it: it)):
        with pytest.raises(ResourceNotFound, match="urn:x:1"):
            refused("urn:x:1")


def test_one_that_has_ended_is_no_more_and_makes_room(sources, clock, monkeypatch):
    monkeypatch.setattr(module, "SOURCES_MAX", 1)
    with pytest.raises(BadRequestData, match="past"):
        sources.register(source(1, expires_ns=NOW_NS))
    sources.register(source(1, expires_ns=NOW_NS + 10))
    with pytest.raises(TooManyResults):
        sources.register(source(2))
    clock.advance(10)
    assert sources.query(SourceQuery()) == []
    with pytest.raises(ResourceNotFound):
        sources.get("urn:x:1")
    sources.register(source(2))
    assert [one.id for one in sources.query(SourceQuery())] == ["urn:x:2"]


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (Mode.EXCLUSIVE, Mode.EXCLUSIVE, True),
        (Mode.EXCLUSIVE, Mode.REDIRECT, True),
        (Mode.REDIRECT, Mode.EXCLUSIVE, True),
        (Mode.REDIRECT, Mode.REDIRECT, False),
        (Mode.EXCLUSIVE, Mode.INCLUSIVE, False),
        (Mode.INCLUSIVE, Mode.EXCLUSIVE, False),
        (Mode.AUXILIARY, Mode.REDIRECT, False),
    ],
)
def test_an_exclusive_source_is_alone_with_its_attributes(sources, first, second, refused):
    sources.register(source(1, LEVEL, mode=first))
    sources.register(source(2, FLOW, mode=second))
    if refused:
        with pytest.raises(Conflict, match="urn:x:1"):
            sources.register(source(3, LEVEL, mode=second))
    else:
        sources.register(source(3, LEVEL, mode=second))


def test_a_proxied_source_has_nothing_that_the_hub_has_itself(sources, own):
    level = Attribute(kind=AttributeKind.PROPERTY, value=1)
    own[ID] = Entity(id=ID, types=(WELL,), attributes={LEVEL: (level,)})
    sources.register(source(1, LEVEL))
    with pytest.raises(Conflict, match=ID):
        sources.register(source(2, LEVEL, mode=Mode.EXCLUSIVE))
    with pytest.raises(Conflict, match=ID):
        sources.register(source(2, FLOW, mode=Mode.REDIRECT))
    sources.register(source(2, FLOW, mode=Mode.EXCLUSIVE))


def test_a_mode_goes_with_what_the_source_says(sources):
    with pytest.raises(BadRequestData, match="auxiliary"):
        sources.register(source(1, mode=Mode.AUXILIARY, operations=("updateEntity",)))
    sources.register(source(1, mode=Mode.AUXILIARY, operations=("retrieveOps",)))
    for vague in (source(2, mode=Mode.EXCLUSIVE), source(2, LEVEL, entity="", mode=Mode.EXCLUSIVE)):
        with pytest.raises(BadRequestData, match="exclusive"):
            sources.register(vague)


def test_without_a_time_only_sources_of_the_latest_are_found(sources):
    sources.register(source(1))
    sources.register(source(2, observed=Interval(10, 20)))
    sources.register(source(3, managed=Interval(10, 20)))

    def found(**query):
        return [one.id[-1] for one in sources.query(SourceQuery(**query))]

    span = Span(Moment.OBSERVED, 15, None)
    assert found() == ["1"]
    assert found(sought=Sought(attributes={LEVEL})) == ["1"]
    assert found(observed=span, is_temporal=True) == ["2"]
    assert found(managed=span, is_temporal=True) == ["3"]
    assert found(managed=Span(Moment.CREATED, 21, None), is_temporal=True) == []
