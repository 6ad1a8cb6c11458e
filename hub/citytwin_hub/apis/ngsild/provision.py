"""Provision: entities and attributes are created, changed and deleted (clauses 5.6 and 6.4–6.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import reading
from citytwin_hub.apis.ngsild.calls import (
    JSON,
    JSON_LD,
    MERGE_PATCH,
    Call,
    Operation,
    Refused,
    route,
)
from citytwin_hub.apis.ngsild.members import read_moment
from citytwin_hub.entities import types
from citytwin_hub.entities.changes import Outcome
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.model import AttributeKind
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.policy.grants import Act

BODIES: Final = (JSON, JSON_LD)
PATCHES: Final = (JSON, JSON_LD, MERGE_PATCH)
LOCATION: Final = "/ngsi-ld/v1/entities/"


def create(call: Call) -> Response:
    """Create an entity (6.4.3.1)."""
    entity = reading.read_entity(call.document, call.context, call.broker.clock.now_ns())
    call.tenant.entities.create(entity)
    return Response(status_code=201, headers={"Location": LOCATION + entity.id})


def delete(call: Call) -> Response:
    """Delete an entity (6.5.3.2)."""
    call.tenant.entities.delete(_chosen(call))
    return Response(status_code=204)


def replace(call: Call) -> Response:
    """Replace an entity (6.5.3.3)."""
    wanted = _chosen(call)
    document = _with_id(call.document, wanted)
    entity = reading.read_entity(document, call.context, call.broker.clock.now_ns())
    call.tenant.entities.replace(entity)
    return Response(status_code=204)


def merge(call: Call) -> Response:
    """Merge what is given into an entity (6.5.3.4)."""
    wanted = _chosen(call)
    observed, lang = call.query.get("observedAt"), call.query.get("lang", "")
    kinds: Mapping[str, AttributeKind] = {}
    if lang or {"simplified", "keyValues"} & {*options(call), call.query.get("format", "")}:
        # Bare values are what the attributes are already.
        before = call.tenant.entities.get(wanted)
        kinds = {name: many[0].kind for name, many in before.attributes.items()}
    document = _with_id(call.document, wanted)
    fragment = reading.read_patches(document, call.context, lang=lang, kinds=kinds)
    outcome = call.tenant.entities.merge(
        wanted,
        fragment,
        observed_ns=None if observed is None else read_moment(observed, "observedAt"),
    )
    return _told(outcome)


def append(call: Call) -> Response:
    """Append attributes (6.6.3.1)."""
    wanted = _chosen(call)
    fragment = reading.read_fragment(_with_id(call.document, wanted), call.context)
    overwrite = "noOverwrite" not in options(call)
    return _told(call.tenant.entities.append(wanted, fragment, overwrite=overwrite))


def update(call: Call) -> Response:
    """Update attributes (6.6.3.2)."""
    wanted = _chosen(call)
    fragment = reading.read_fragment(_with_id(call.document, wanted), call.context, nulls=True)
    return _told(call.tenant.entities.update(wanted, fragment))


def patch_attribute(call: Call) -> Response:
    """Change parts of an attribute (6.7.3.1)."""
    wanted, name = _chosen(call), attribute_name(call)
    patch = reading.read_patch(call.document, call.context, call.path["attribute"])
    call.tenant.entities.patch_attribute(wanted, name, patch)
    return Response(status_code=204)


def replace_attribute(call: Call) -> Response:
    """Replace an attribute (6.7.3.3)."""
    wanted, name = _chosen(call), attribute_name(call)
    instances = reading.read_attribute(call.document, call.context, call.path["attribute"])
    call.tenant.entities.replace_attribute(wanted, name, instances)
    return Response(status_code=204)


def delete_attribute(call: Call) -> Response:
    """Delete an attribute (6.7.3.2)."""
    wanted = _chosen(call)
    # A scope is no attribute, but is deleted as if it were one (clause 5.6.5).
    name = "scope" if call.path["attribute"] == "scope" else attribute_name(call)
    every = flag(call, "deleteAll")
    dataset = call.query.get("datasetId", "")
    if dataset and not is_uri(dataset):
        raise BadRequestData(f"datasetId {dataset[:80]!r} is not a URI")
    try:
        call.tenant.entities.delete_attribute(wanted, name, dataset=dataset, every=every)
    except ResourceNotFound:
        if call.is_of_snapshot or call.tenant.entities.find([wanted]):
            raise
        # An entity that only evolution has can still lose an attribute there.
        ended = "" if name == "scope" else name
        call.tenant.temporal.end_attribute(wanted, ended, dataset=dataset, every=every)
    return Response(status_code=204)


def _chosen(call: Call) -> str:
    """Return the identifier in the path, if its entity is of the type that is asked for (4.17).

    Raises:
        BadRequestData: it is not a URI, or the types are no selection.
        ResourceNotFound: the entity is of another type.
    """
    wanted, given = entity_id(call), call.query.get("type")
    if given is not None:
        selection = types.parse(given, call.context)
        if not selection.matches(call.tenant.entities.get(wanted).types):
            raise ResourceNotFound(f"{wanted} is not of type {given[:200]}")
    return wanted


def _not_at_once(_call: Call) -> Response:
    """Refuse to delete all attributes by a path that names none."""
    raise Refused(405)


def entity_id(call: Call) -> str:
    """Return the entity's identifier in the path.

    Raises:
        BadRequestData: it is not a URI.
    """
    found: str = call.path["entity"]
    if not is_uri(found):
        raise BadRequestData(f"{found[:80]!r} is not a URI, so it names no entity")
    return found


def attribute_name(call: Call) -> str:
    """Return the IRI of the attribute in the path.

    Raises:
        BadRequestData: it cannot name one.
    """
    return reading.attribute_iri(call.path["attribute"], call.context)


def options(call: Call) -> set[str]:
    """Return what the parameter ``options`` lists."""
    return {one for one in call.query.get("options", "").split(",") if one}


def flag(call: Call, name: str) -> bool:
    """Return a parameter that is true or false; false where it is not given.

    Raises:
        BadRequestData: it is neither.
    """
    text = call.query.get(name, "false")
    if text not in {"true", "false"}:
        raise BadRequestData(f"{name} is {text[:80]!r}; it is true or false")
    return text == "true"


def _with_id(document: Any, wanted: str) -> Any:
    """Return a fragment as one of an entity, which may be named in it, but not as another."""
    if not isinstance(document, dict):
        raise BadRequestData("the body must be an object with attributes")
    named = document.get("id", document.get("@id", wanted))
    if named != wanted:
        raise BadRequestData(f"the body is of {named!r}, the path of {wanted!r}")
    return document | {"id": wanted}


def _told(outcome: Outcome) -> Response:
    if not outcome.not_updated:
        return Response(status_code=204)
    return update_result(outcome)


def update_result(outcome: Outcome) -> Response:
    """Return what was changed and what not (5.2.18)."""
    content = {
        "updated": list(outcome.updated),
        "notUpdated": [
            {"attributeName": name, "reason": reason} for name, reason in outcome.not_updated
        ],
    }
    return Response(msgspec.json.encode(content), 207, media_type=JSON)


def _routes() -> Iterator[list[Route]]:
    entity, attributes = "/entities/{entity:path}", "/entities/{entity:path}/attrs"
    attribute = attributes + "/{attribute:some}"

    def changes(*parameters: str, takes: Collection[str] = ()) -> Operation:
        return Operation(
            Act.WRITE, takes, parameters=("local", "type", *parameters), in_snapshots=True
        )

    yield route(attributes, "DELETE", _not_at_once, changes("datasetId", "deleteAll"))
    yield route(attributes, "POST", append, changes("options", takes=BODIES))
    # With a slash at its end it is no attribute without a name: it comes before them.
    yield route(attributes, "PATCH", update, changes("options", takes=PATCHES))
    yield route(attribute, "PATCH", patch_attribute, changes(takes=PATCHES))
    yield route(attribute, "PUT", replace_attribute, changes(takes=BODIES))
    yield route(attribute, "DELETE", delete_attribute, changes("datasetId", "deleteAll"))
    yield route(entity, "DELETE", delete, changes())
    yield route(entity, "PUT", replace, changes(takes=BODIES))
    merging = changes("options", "format", "observedAt", "lang", takes=PATCHES)
    yield route(entity, "PATCH", merge, merging)
    creating = Operation(Act.WRITE, BODIES, parameters=("local",), creates=True, in_snapshots=True)
    yield route("/entities", "POST", create, creating)


ROUTES: Final = [one for some in _routes() for one in some]
