"""Subscriptions over HTTP (ETSI GS CIM 009, clauses 5.8, 6.10 and 6.11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from starlette.responses import Response
from starlette.routing import Route

from citytwin_hub.apis.ngsild import subscription_reading as reading
from citytwin_hub.apis.ngsild.asked import Asked
from citytwin_hub.apis.ngsild.calls import (
    JSON,
    JSON_LD,
    MERGE_PATCH,
    Call,
    Operation,
    route,
)
from citytwin_hub.apis.ngsild.negotiation import preferences
from citytwin_hub.apis.ngsild.paging import cut, paged
from citytwin_hub.apis.ngsild.parameters import page
from citytwin_hub.apis.ngsild.provision import options
from citytwin_hub.apis.ngsild.subscription_writing import write
from citytwin_hub.entities.errors import BadRequestData, ResourceNotFound
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.subscribers import Entry
from citytwin_hub.entities.subscriptions import Subscription
from citytwin_hub.entities.uris import is_uri
from citytwin_hub.policy.grants import Act

PATH: Final = "/ngsi-ld/v1/subscriptions"


def create(call: Call) -> Response:
    """Make a subscription (6.10.3.1)."""
    given = reading.create(call.document, call.context, call.broker.receivers)
    if not given.given_context:
        given = replace(given, context=call.context.given)
    subscription = replace(_linked(call, given), owner=call.permit.name)
    call.tenant.subscriptions.create(subscription)
    where = f"{PATH}/{quote(subscription.id, safe=':')}"
    return Response(status_code=201, headers={"Location": where})


def listed(call: Call) -> Response:
    """List subscriptions, in pages (6.10.3.2)."""
    wanted = page(Asked(values=dict(call.query), names=call.context, media=call.media))
    every = [one for one in call.tenant.subscriptions.all() if _is_shown(call, one)]
    content = [_written(call, one) for one in cut(every, wanted)]
    return paged(call, content, wanted, len(every), PATH)


def retrieve(call: Call) -> Response:
    """Give a subscription (6.11.3.1)."""
    entry = _entry(call)
    version = call.request.headers.get("prefer", "")
    response = call.answer(_written(call, entry))
    applied = preferences(version).version if version else None
    if applied is not None:
        # No version has another Subscription: it is as it would have been.
        response.headers["Preference-Applied"] = f"ngsi-ld={applied[0]}.{applied[1]}"
    return response


def update(call: Call) -> Response:
    """Change a subscription (6.11.3.2)."""
    subscription_id, document = _entry(call).subscription.id, call.document
    names, receivers = call.context, call.broker.receivers
    changed = "jsonldContext" in document if isinstance(document, dict) else False

    def make(before: Subscription) -> Subscription:
        after = reading.change(before, document, names, receivers)
        if changed and not after.given_context:
            after = replace(after, context=names.given)
        return _linked(call, after) if changed else after

    call.tenant.subscriptions.update(subscription_id, make)
    return Response(status_code=204)


def delete(call: Call) -> Response:
    """Delete a subscription (6.11.3.3)."""
    call.tenant.subscriptions.delete(_entry(call).subscription.id)
    return Response(status_code=204)


def progress(call: Call) -> Response:
    """Say how far a subscriber was told; not of NGSI-LD, but for the operator."""
    entry = _entry(call)
    lag = call.tenant.notifier.lag(entry.subscription.id)
    content: dict[str, Any] = {
        "status": entry.subscription.status(call.broker.clock.now_ns()).value,
        "head": call.tenant.subscriptions.replay.head(),
        "lag": lag.records,
        "pending": lag.pending,
    }
    if lag.since_ns is not None:
        content["waitsSince"] = format_ns(lag.since_ns)
    if entry.progress.failure:
        content["failure"] = entry.progress.failure
    return Response(msgspec.json.encode(content), media_type=JSON)


def replay(call: Call) -> Response:
    """Tell a subscriber again what came after a record; not of NGSI-LD."""
    after = Asked(values=dict(call.query), names=call.context, media=call.media).number("after", 0)
    call.tenant.subscriptions.rewind(_entry(call).subscription.id, after)
    return Response(status_code=202)


def _linked(call: Call, one: Subscription) -> Subscription:
    """Return a subscription with the @context of its notifications, which must be to be had."""
    given: Any = one.given_context or one.context
    context = call.resolve(given)
    link = call.broker.contexts.link(context, call.tenant.name)
    if link.startswith("/"):
        link = f"{call.request.url.scheme}://{call.request.url.netloc}{link}"
    return replace(one, context=given, link=link)


def _written(call: Call, entry: Entry) -> dict[str, Any]:
    return write(
        entry.subscription,
        entry.progress,
        call.context,
        call.broker.clock.now_ns(),
        sys_attrs="sysAttrs" in options(call),
    )


def _entry(call: Call) -> Entry:
    """Return the subscription in the path; another's is not there for who does not see all."""
    entry = call.tenant.subscriptions.get(_id(call))
    if not _is_shown(call, entry):
        raise ResourceNotFound(f"there is no subscription {entry.subscription.id}")
    return entry


def _is_shown(call: Call, entry: Entry) -> bool:
    return call.permit.is_whole(Act.READ) or entry.subscription.owner == call.permit.name


def _id(call: Call) -> str:
    found: str = call.path["subscription"]
    if not is_uri(found):
        raise BadRequestData(f"{found[:80]!r} is not a URI, so it names no subscription")
    return found


def _routes() -> Iterator[list[Route]]:
    every, one = "/subscriptions", "/subscriptions/{subscription:some}"
    bodies, patches = (JSON, JSON_LD), (JSON, JSON_LD, MERGE_PATCH)
    # What lies below a subscription comes before it: an identifier may have slashes.
    below = one + "/progress"
    yield route(below, "GET", progress, Operation(Act.READ, gives=(JSON,)))
    yield route(below, "POST", replay, Operation(Act.SUBSCRIBE, parameters=("after",)))
    yield route(every, "POST", create, Operation(Act.SUBSCRIBE, bodies, creates=True))
    paging = ("limit", "offset", "count", "options")
    yield route(every, "GET", listed, Operation(Act.READ, parameters=paging))
    yield route(one, "GET", retrieve, Operation(Act.READ, parameters=("options",)))
    yield route(one, "PATCH", update, Operation(Act.SUBSCRIBE, patches))
    yield route(one, "DELETE", delete, Operation(Act.SUBSCRIBE))


ROUTES: Final[list[Route]] = [one for several in _routes() for one in several]
