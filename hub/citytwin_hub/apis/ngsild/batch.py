"""Batch: many entities in one request, each of which may fail alone.

ETSI GS CIM 009, clauses 5.6.7 to 5.6.10, 5.6.20 and 6.14 to 6.17, 6.31. What succeeds of a
batch becomes durable together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import reading
from citytwin_hub.apis.ngsild.calls import JSON, JSON_LD, Call, Operation, error_body, route
from citytwin_hub.apis.ngsild.provision import options
from citytwin_hub.entities import changes
from citytwin_hub.entities.changes import Outcome
from citytwin_hub.entities.entities import Batch
from citytwin_hub.entities.errors import BadRequestData, EntityError
from citytwin_hub.jsonld.context import is_absolute
from citytwin_hub.policy.grants import Act

BATCH_ENTITIES_MAX: Final = 20_000
"""One transaction holds the writer's lock for about a second."""
_BODIES: Final = (JSON, JSON_LD)

Item = Any
Do = Callable[[Batch, str, Item], bool]
"""Does one operation; returns whether an entity was created."""


class Partly(EntityError):
    """Some attributes of an entity could not be updated (5.2.17)."""

    title, status = "some attributes were not updated", 207


def create(call: Call) -> Response:
    """Create entities."""
    read = _reader(call)

    def do(batch: Batch, _wanted: str, item: Item) -> bool:
        batch.create(read(item, batch.now_ns))
        return True

    return _run(call, do)


def upsert(call: Call) -> Response:
    """Create entities, or replace or update those that there are."""
    read, update = _reader(call), "update" in options(call)

    def do(batch: Batch, _wanted: str, item: Item) -> bool:
        return batch.upsert(read(item, batch.now_ns), update=update)

    return _run(call, do)


def update(call: Call) -> Response:
    """Update or append attributes of entities."""
    overwrite = "noOverwrite" not in options(call)

    def do(batch: Batch, wanted: str, item: Item) -> bool:
        fragment = reading.read_fragment(item, call.context_of(item), nulls=overwrite)
        outcome = batch.change(
            wanted, lambda one, now: changes.append(one, fragment, now, overwrite=overwrite)
        )
        _refuse_partly(outcome)
        return False

    return _run(call, do)


def merge(call: Call) -> Response:
    """Merge what is given into entities."""

    def do(batch: Batch, wanted: str, item: Item) -> bool:
        fragment = reading.read_patches(item, call.context_of(item))
        _refuse_partly(batch.change(wanted, lambda one, now: changes.merge(one, fragment, now)))
        return False

    return _run(call, do)


def delete(call: Call) -> Response:
    """Delete entities."""

    def do(batch: Batch, wanted: str, _item: Item) -> bool:
        batch.delete(wanted)
        return False

    return _run(call, do, of_ids=True)


def _reader(call: Call) -> Callable[[Item, int], Any]:
    return lambda item, now_ns: reading.read_entity(item, call.context_of(item), now_ns)


def _run(call: Call, do: Do, *, of_ids: bool = False) -> Response:
    items = call.document
    if not isinstance(items, list) or not items:
        what = "identifiers" if of_ids else "entities"
        raise BadRequestData(f"the body must be an array of {what}, with at least one")
    if None in items:
        raise BadRequestData(f"item {items.index(None) + 1} of the array is null; nothing was done")
    if call.sent == JSON_LD and call.linked is not None:
        raise BadRequestData(f"{JSON_LD} takes its @context from the body, not from a Link")
    if len(items) > BATCH_ENTITIES_MAX:
        raise BadRequestData(f"a batch has at most {BATCH_ENTITIES_MAX} entities")
    created, done = dict[str, None](), dict[str, None]()
    errors: list[dict[str, Any]] = []
    with call.tenant.entities.batch() as batch:
        batch.look([one for one in map(_id_of, items) if one])
        for item in items:
            wanted = _id_of(item)
            try:
                if not is_absolute(wanted):
                    raise BadRequestData(f"{wanted[:80]!r} is not a URI, so it names no entity")
                if do(batch, wanted, item):
                    created[wanted] = None
                done[wanted] = None
            except (EntityError, RecursionError) as error:
                told = error if isinstance(error, EntityError) else BadRequestData("too deep")
                errors.append({"entityId": wanted, "error": error_body(told)})
    if errors:
        content = {"success": list(done), "errors": errors}
        return Response(msgspec.json.encode(content), 207, media_type=JSON)
    if created:
        return Response(msgspec.json.encode(list(created)), 201, media_type=JSON)
    return Response(status_code=204)


def _id_of(item: Item) -> str:
    if isinstance(item, dict):
        item = item.get("id", item.get("@id"))
    return item if isinstance(item, str) else ""


def _refuse_partly(outcome: Outcome) -> None:
    if outcome.not_updated:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in outcome.not_updated)
        raise Partly(reasons)


def _routes() -> Iterator[list[Route]]:
    for name, do, more, creates in (
        ("create", create, (), True),
        ("upsert", upsert, ("options",), True),
        ("update", update, ("options",), False),
        ("merge", merge, ("options",), False),
        ("delete", delete, (), False),
    ):
        operation = Operation(
            Act.WRITE, _BODIES, parameters=("local", *more), creates=creates, in_snapshots=True
        )
        yield route(f"/entityOperations/{name}", "POST", do, operation)


ROUTES: Final = [one for some in _routes() for one in some]
