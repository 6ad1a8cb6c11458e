"""Identities over REST: what a URN or a name of another system means, and how it came to that."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from citytwin_hub.apis.admitting import ApiError, CityOf, Reader, WholeReader, WholeWriter, Writer
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.apis.ngsild.broker import Tenant as Tenant_
from citytwin_hub.apis.refusing import answered
from citytwin_hub.apis.rest import CONFLICT, NOT_FOUND, REFUSALS
from citytwin_hub.entities.identity import SUCCESSORS_MAX, Alias, Resolved
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.sqlite_identities import NAME_CHARACTERS_MAX, Identities
from citytwin_hub.policy.grants import LOCATION, Act
from citytwin_hub.policy.permit import Permit
from citytwin_hub.policy.sight import Sight

URN_CHARACTERS_MAX: Final = 2048
MERGED_MAX: Final = 1000

router = APIRouter(prefix="/api/v1", responses=REFUSALS | NOT_FOUND)

Urn = Annotated[str, Field(min_length=1, max_length=URN_CHARACTERS_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]


class AliasShape(BaseModel):
    """A name of an object in a source system."""

    model_config = ConfigDict(extra="forbid")
    system: Name
    name: Name


class AliasGiven(AliasShape):
    """A name of a source system that shall mean an object."""

    urn: Urn


class PlaceShape(BaseModel):
    """A class of objects, and where one was first seen: longitude and latitude, WGS 84."""

    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, Field(min_length=1, max_length=80)]
    place: tuple[float, float] | None = None


class MergeGiven(BaseModel):
    """Objects that are one: the others lead to ``into`` from now on."""

    model_config = ConfigDict(extra="forbid")
    urns: Annotated[list[Urn], Field(min_length=2, max_length=MERGED_MAX)]
    into: Urn


class SplitGiven(BaseModel):
    """An object that is several."""

    model_config = ConfigDict(extra="forbid")
    urn: Urn
    parts: Annotated[list[PlaceShape], Field(min_length=2, max_length=SUCCESSORS_MAX)]


class ResolvedShape(BaseModel):
    """What was asked for, what it is today, and how the source systems call that."""

    asked: str
    current: bool
    urns: list[str]
    aliases: list[AliasShape]


class UrnShape(BaseModel):
    """A URN."""

    urn: str


class UrnList(BaseModel):
    """URNs."""

    urns: list[str]


class Deed(BaseModel):
    """Who did what with which URNs and names."""

    number: int
    at_ms: int
    by: str
    act: str
    what: list[str]


class DeedList(BaseModel):
    """A page of the journal; ``next`` is its ``after`` of the next one."""

    deeds: list[Deed]
    next: int | None


Tenant = Annotated[str, Query(max_length=63)]


# Not coroutines: each reads or writes a file.
@router.get("/identity/resolve", response_model=ResolvedShape)
def resolve(
    request: Request,
    permit: Reader,
    urn: Annotated[str, Query(max_length=URN_CHARACTERS_MAX)] = "",
    system: Annotated[str, Query(max_length=NAME_CHARACTERS_MAX)] = "",
    name: Annotated[str, Query(max_length=NAME_CHARACTERS_MAX)] = "",
    tenant: Tenant = "",
) -> dict[str, Any]:
    """Say what a URN, or a name of a source system, means today."""
    if bool(urn) == bool(system and name):
        raise ApiError(422, "give urn, or both system and name", "urn")
    identities = _identities(request, tenant)
    found: Resolved = answered(
        lambda: identities.resolve(urn) if urn else identities.resolve_alias(Alias(system, name)),
        "urn",
    )
    if not permit.rights.is_unlimited:
        tenant_seen = answered(lambda: _seen(request, permit, tenant), "tenant")
        if not tenant_seen.entities.find(found.urns):
            raise ApiError(404, f"nothing is known of {found.asked[:200]}", "urn")
    aliases = [one._asdict() for each in found.urns for one in identities.aliases(each)]
    return {**found._asdict(), "aliases": aliases}


@router.get("/identity/journal", response_model=DeedList)
def journal(
    request: Request,
    _permit: WholeReader,
    after: Annotated[int, Query(ge=0)] = 0,
    tenant: Tenant = "",
) -> dict[str, Any]:
    """List who registered, named, merged and split what, the oldest first, in pages."""
    page = _identities(request, tenant).journal(min(after, 2**62))
    deeds = [one | {"at_ms": one.pop("at_ns") // 10**6} for one in page]
    return {"deeds": deeds, "next": page[-1]["number"] if page else None}


@router.post("/identity", response_model=UrnShape, status_code=201)
def register(
    request: Request, city: CityOf, user: Writer, given: PlaceShape, tenant: Tenant = ""
) -> dict[str, Any]:
    """Give a new object its URN."""
    if not user.is_whole(Act.WRITE) and not Sight(user.rights, Act.WRITE).takes(_placed(given)):
        raise ApiError(403, f"{user.role} may not make a {given.kind} there", "kind")
    identities, now_ns = _identities(request, tenant), city.clock.now_ns()
    urn = answered(lambda: identities.register(given.kind, given.place, user.name, now_ns), "kind")
    return {"urn": urn}


@router.post("/identity/aliases", response_model=UrnShape, responses=CONFLICT)
def alias(
    request: Request, city: CityOf, user: WholeWriter, given: AliasGiven, tenant: Tenant = ""
) -> dict[str, Any]:
    """Let a name of a source system mean an object."""
    identities, now_ns = _identities(request, tenant), city.clock.now_ns()
    one = Alias(given.system, given.name)
    answered(lambda: identities.alias(one, given.urn, user.name, now_ns), "name")
    return {"urn": given.urn}


@router.post("/identity/withdraw", response_model=AliasShape)
def withdraw(
    request: Request, city: CityOf, user: WholeWriter, given: AliasShape, tenant: Tenant = ""
) -> dict[str, Any]:
    """Let a name of a source system mean nothing any more."""
    identities, now_ns = _identities(request, tenant), city.clock.now_ns()
    answered(
        lambda: identities.withdraw(Alias(given.system, given.name), user.name, now_ns), "name"
    )
    return given.model_dump()


@router.post("/identity/adopt", response_model=UrnShape, responses=CONFLICT)
def adopt(
    request: Request, city: CityOf, user: WholeWriter, given: UrnShape, tenant: Tenant = ""
) -> dict[str, Any]:
    """Take a URN that was given elsewhere."""
    identities, now_ns = _identities(request, tenant), city.clock.now_ns()
    answered(lambda: identities.adopt(given.urn, user.name, now_ns), "urn")
    return {"urn": given.urn}


@router.post("/identity/merge", response_model=UrnShape)
def merge(
    request: Request, city: CityOf, user: WholeWriter, given: MergeGiven, tenant: Tenant = ""
) -> dict[str, Any]:
    """Let several objects be one of them."""
    identities, now_ns = _identities(request, tenant), city.clock.now_ns()
    answered(lambda: identities.merge(given.urns, given.into, user.name, now_ns), "urns")
    return {"urn": given.into}


@router.post("/identity/split", response_model=UrnList)
def split(
    request: Request, city: CityOf, user: WholeWriter, given: SplitGiven, tenant: Tenant = ""
) -> dict[str, Any]:
    """Let an object be several new ones."""
    identities, now_ns = _identities(request, tenant), city.clock.now_ns()
    parts = [(one.kind, one.place) for one in given.parts]
    made = answered(lambda: identities.split(given.urn, parts, user.name, now_ns), "urn")
    return {"urns": list(made)}


def _seen(request: Request, permit: Permit, tenant: str) -> Tenant_:
    broker: Broker = request.app.state.broker
    return broker.seen(broker.tenant(tenant), permit)


def _placed(given: PlaceShape) -> Entity:
    """Return what is to be made as an entity, as far as that is known."""
    if given.place is None:
        return Entity(id="urn:new", types=(given.kind,))
    where = {"type": "Point", "coordinates": list(given.place)}
    return Entity(
        id="urn:new",
        types=(given.kind,),
        attributes={LOCATION: (Attribute(kind=AttributeKind.GEO, value=where),)},
    )


def _identities(request: Request, tenant: str) -> Identities:
    broker: Broker = request.app.state.broker
    found: Identities = answered(lambda: broker.tenant(tenant).identities, "tenant")
    return found
