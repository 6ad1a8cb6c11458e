"""Discovery: which types and attributes there are (5.7.5–5.7.10), and who answers (5.15.1)."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from citytwin.batch import SECOND_NS
from citytwin_hub.apis.ngsild.calls import Call, Operation, route
from citytwin_hub.apis.ngsild.provision import flag
from citytwin_hub.entities.errors import ResourceNotFound
from citytwin_hub.entities.model import AttributeKind
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.store import Hints
from citytwin_hub.jsonld.names import Names
from citytwin_hub.policy.grants import Act

COUNT_HEADER: Final = "NGSILD-Results-Count"


def types(call: Call) -> Response:
    """List the types of entities, with details if wanted (6.25)."""
    names, parts = call.context, call.tenant.entities.store.attributes_of_types()
    headers = {COUNT_HEADER: str(len(parts))} if flag(call, "count") else {}
    if flag(call, "details"):
        listed = [
            {
                "id": iri,
                "type": "EntityType",
                "typeName": names.compact(iri),
                "attributeNames": _compacted(parts[iri], names),
            }
            for iri in sorted(parts)
        ]
        return call.answer(listed, headers=headers)
    content = {
        "id": f"urn:ngsi-ld:EntityTypeList:{uuid.uuid4()}",
        "type": "EntityTypeList",
        "typeList": _compacted(parts, names),
    }
    return call.answer(content, headers=headers)


def one_type(call: Call) -> Response:
    """Describe a type of entities (6.26)."""
    names = call.context
    iri = names.expand(call.path["name"])
    count = call.tenant.entities.store.types().get(iri)
    if not count:
        raise ResourceNotFound(f"there is no entity of type {iri}")
    kinds: dict[str, set[AttributeKind]] = {}
    for entity in call.tenant.entities.select(Hints(types=[iri])):
        for name, instances in entity.attributes.items():
            kinds.setdefault(name, set()).update(one.kind for one in instances)
    content = {
        "id": iri,
        "type": "EntityTypeInfo",
        "typeName": names.compact(iri),
        "entityCount": count,
        "attributeDetails": [
            {
                "id": name,
                "type": "Attribute",
                "attributeName": names.compact(name),
                "attributeTypes": sorted(kinds[name]),
            }
            for name in sorted(kinds)
        ],
    }
    return call.answer(content)


def attributes(call: Call) -> Response:
    """List the attributes of entities, with details if wanted (6.27)."""
    names, found = call.context, call.tenant.entities.store.attributes()
    headers = {COUNT_HEADER: str(len(found))} if flag(call, "count") else {}
    if flag(call, "details"):
        kinds = _types_of(call.tenant.entities.store.attributes_of_types())
        listed = [
            {
                "id": iri,
                "type": "Attribute",
                "attributeName": names.compact(iri),
                "typeNames": _compacted(kinds[iri], names),
            }
            for iri in sorted(found)
        ]
        return call.answer(listed, headers=headers)
    content = {
        "id": f"urn:ngsi-ld:AttributeList:{uuid.uuid4()}",
        "type": "AttributeList",
        "attributeList": _compacted(found, names),
    }
    return call.answer(content, headers=headers)


def one_attribute(call: Call) -> Response:
    """Describe an attribute (6.28)."""
    names = call.context
    iri = names.expand(call.path["name"])
    count = 0
    kinds = Counter[AttributeKind]()
    for entity in call.tenant.entities.select(Hints(attributes=[iri])):
        count += 1
        kinds.update(one.kind for one in entity.attributes[iri])
    if not count:
        raise ResourceNotFound(f"no entity has an attribute {iri}")
    content = {
        "id": iri,
        "type": "Attribute",
        "attributeName": names.compact(iri),
        "attributeCount": count,
        "attributeTypes": sorted(kinds),
        "typeNames": _compacted(
            _types_of(call.tenant.entities.store.attributes_of_types())[iri], names
        ),
    }
    return call.answer(content)


def identity(call: Call) -> Response:
    """Say who answers (5.15.1): a tenant has a name of its own, so that loops are seen."""
    tenant = call.request.headers.get("ngsild-tenant", "")
    now_ns = call.broker.clock.now_ns()
    content = {
        "id": f"urn:ngsi-ld:ContextSourceIdentity:{call.broker.alias}",
        "type": "ContextSourceIdentity",
        "contextSourceAlias": f"{call.broker.alias}:{tenant}" if tenant else call.broker.alias,
        "contextSourceUptime": f"PT{(now_ns - call.broker.began_ns) // SECOND_NS}S",
        "contextSourceTimeAt": format_ns(now_ns // SECOND_NS * SECOND_NS),
    }
    return call.answer(content)


def _types_of(parts: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, names in parts.items():
        for name in names:
            found.setdefault(name, []).append(kind)
    return found


def _compacted(iris: Collection[str], names: Names) -> list[str]:
    return sorted(names.compact(iri) for iri in iris)


def _routes() -> Iterator[list[Route]]:
    listing = Operation(Act.READ, parameters=("details", "local", "count"), in_snapshots=True)
    single = Operation(Act.READ, parameters=("local",), in_snapshots=True)
    yield route("/types", "GET", types, listing)
    yield route("/types/{name:path}", "GET", one_type, single)
    yield route("/attributes", "GET", attributes, listing)
    yield route("/attributes/{name:path}", "GET", one_attribute, single)
    yield route("/info/sourceIdentity", "GET", identity, Operation(Act.READ))


ROUTES: Final = [one for some in _routes() for one in some]
