"""Notifications: what a subscriber is told, as a message of bytes.

ETSI GS CIM 009, clauses 5.3.1 (Notification), 5.8.6 (its content: NGSI-LD Null for what was
deleted, previous values), 6.3.9 and 7.2 (how HTTP and MQTT carry it).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from citytwin_hub.apis.ngsild import languages, projections
from citytwin_hub.apis.ngsild.calls import GEO_JSON, JSON, JSON_LD, context_link
from citytwin_hub.apis.ngsild.view import Form, Join, View
from citytwin_hub.apis.ngsild.writing import Writer
from citytwin_hub.entities.links import Find
from citytwin_hub.entities.matching import Touched, Watch, touched
from citytwin_hub.entities.model import MEMBER, NULL, Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.notices import Notice
from citytwin_hub.entities.store import Change
from citytwin_hub.entities.subscribers import Meanings
from citytwin_hub.entities.subscriptions import Format, Notify, Subscription, Touch
from citytwin_hub.jsonld.context import Context

LOCATION: Final = "https://uri.etsi.org/ngsi-ld/location"
"""The geometry of a GeoJSON Feature."""
_FORMS: Final[Mapping[Format | None, Form]] = {
    None: Form.NORMALIZED,
    Format.NORMALIZED: Form.NORMALIZED,
    Format.CONCISE: Form.CONCISE,
    Format.SIMPLIFIED: Form.SIMPLIFIED,
    Format.KEY_VALUES: Form.SIMPLIFIED,
}
_JOINS: Final = {"flat": Join.FLAT, "inline": Join.INLINE}
_DELETED: Final[Mapping[AttributeKind, Any]] = {
    AttributeKind.LANGUAGE: {"@none": NULL},
    AttributeKind.LIST_RELATIONSHIP: [NULL],
}
"""The value of a deleted attribute, where it is not NGSI-LD Null alone."""

_encode: Final = msgspec.json.Encoder().encode


class Message(NamedTuple):
    """A notification as it is sent.

    Attributes:
        content: the notification, JSON.
        media: its media type.
        header: further header fields, those of the subscriber among them.
    """

    content: dict[str, Any]
    media: str
    header: dict[str, str]

    def body(self) -> bytes:
        """Return the content as bytes."""
        return _encode(self.content)


def compose(
    subscription: Subscription, notice: Notice, context: Context, find: Find, tenant: str = ""
) -> Message | None:
    """Return the message of a notice; None where the subscriber picks nothing of it.

    Args:
        subscription: who is told.
        notice: what is to be told.
        context: what names are called.
        find: looks up linked entities.
        tenant: whose entities; empty for the default tenant.

    Raises:
        EntityError: it cannot be written.
    """
    notify = subscription.notify
    composer = _Composer(subscription, context, find)
    documents = [one for change in notice.changes for one in composer.documents(change, notice)]
    documents = list({one.get("id", id(one)): one for one in reversed(documents)}.values())[::-1]
    if not documents:
        return None
    media, header = notify.accept or JSON, dict[str, str]()
    in_body = media == JSON_LD or (media == GEO_JSON and not _prefers_plain(notify))
    data: Any = documents
    if media == GEO_JSON:
        data = {"type": "FeatureCollection", "features": documents}
    elif in_body:
        data = [one | {"@context": context.reference} for one in documents]
    content = {
        "id": f"urn:ngsi-ld:Notification:{uuid.uuid4()}",
        "type": "Notification",
        "subscriptionId": subscription.id,
        "notifiedAt": format_ns(notice.at_ns),
        "data": data,
    }
    if in_body:
        content["@context"] = context.reference
    else:
        header["Link"] = context_link(subscription.link or context.url or "")
    if tenant:
        header["NGSILD-Tenant"] = tenant
    return Message(content, media, header | dict(notify.receiver_info))


def _prefers_plain(notify: Notify) -> bool:
    return any(
        key.lower() == "prefer" and value == "body=json" for key, value in notify.notifier_info
    )


def view_of(subscription: Subscription) -> View:
    """Return how a subscription wants entities to be represented."""
    notify = subscription.notify
    same, datasets = Meanings(), subscription.datasets
    return View(
        form=_FORMS[notify.form],
        sys_attrs=bool(notify.sys_attrs),
        languages=languages.parse(subscription.languages) if subscription.languages else None,
        attrs=None if notify.attributes is None else frozenset(notify.attributes),
        pick=projections.parse(notify.pick, same, "pick") if notify.pick else None,
        omit=projections.parse(notify.omit, same, "omit") if notify.omit else None,
        datasets=None if datasets is None else frozenset(datasets),
        geometry=LOCATION if notify.accept == GEO_JSON else None,
        join=_JOINS.get(notify.join),
        join_level=notify.join_level or 1,
    )


class _Composer:
    """Writes what becomes of entities, for one subscription."""

    def __init__(self, subscription: Subscription, context: Context, find: Find) -> None:
        view = view_of(subscription)
        self._context, self._view = context, view
        self._writer = Writer(context, view, find)
        self._plain = Writer(context, View(languages=view.languages))
        self._changes = bool(subscription.notify.show_changes)
        self._watch = Watch(
            id=subscription.id,
            watched=frozenset(subscription.watched),
            datasets=view.datasets,
            mask=subscription.mask,
        )

    def documents(self, change: Change, notice: Notice) -> list[dict[str, Any]]:
        """Return an entity as it is told after a change, and what it links to beside it."""
        touches = touched(change)
        entity = self._shown(change, touches, notice.at_ns)
        written = self._writer.one(entity)
        if isinstance(written, dict) and written.get("type") == "FeatureCollection":
            written = written["features"]
        documents = written if isinstance(written, list) else [written]
        documents = [one for one in documents if one]
        if documents and self._changes and change.before is not None:
            members = documents[0]
            if self._view.geometry is not None:
                members = members["properties"]
            self._add_previous(members, change.before, touches)
        return documents

    def _shown(self, change: Change, touches: Sequence[Touched], at_ns: int) -> Entity:
        """Return an entity with NGSI-LD Null in the place of what was deleted."""
        entity = change.after
        if entity is None:
            before = change.before
            if before is None:
                raise ValueError("a change has an entity before, after or both")
            entity = replace(before, attributes={}, scopes=(), deleted_ns=at_ns)
        if change.before is None:
            return entity
        gone = [one for one in touches if one.touch is Touch.DELETED and self._tells(one, change)]
        if not gone:
            return entity
        attributes = dict(entity.attributes)
        for name in dict.fromkeys(one.name for one in gone):
            datasets = {one.dataset for one in gone if one.name == name}
            nulls = [
                self._null(one, at_ns)
                for one in change.before.attributes.get(name, ())
                if one.dataset in datasets
            ]
            if name not in attributes and len(nulls) > 1 and not self._changes:
                # All of it went: that is told once.
                nulls = [replace(nulls[0], dataset="")]
            attributes[name] = (*attributes.get(name, ()), *nulls)
        return replace(entity, attributes=attributes)

    def _tells(self, one: Touched, change: Change) -> bool:
        """Tell whether a deleted instance is shown: what is watched for, or every change."""
        if self._changes and (change.after is None or not self._watch.watched):
            return True
        return self._watch.heeds(one)

    def _null(self, one: Attribute, at_ns: int) -> Attribute:
        return Attribute(
            kind=one.kind,
            value=_DELETED.get(one.kind, NULL),
            dataset=one.dataset,
            created_ns=one.created_ns,
            modified_ns=one.modified_ns,
            deleted_ns=at_ns if self._view.sys_attrs else None,
        )

    def _add_previous(
        self, members: dict[str, Any], before: Entity, touches: Sequence[Touched]
    ) -> None:
        """Add what attributes were before to what they are."""
        for name, dataset, touch in touches:
            term = self._context.compact(name)
            old = before.attribute(name, dataset)
            if old is None or touch is Touch.CREATED or term not in members:
                continue
            member = MEMBER[old.kind]
            previous = f"previous{member[0].upper()}{member[1:]}"
            value = self._plain.attribute((old,)).get(member, old.value)
            members[term] = _with(members[term], dataset, {previous: value})


def _with(written: Any, dataset: str, more: dict[str, Any]) -> Any:
    """Return an attribute as it was written, with more in its instance of a dataset."""
    if isinstance(written, list) and all(isinstance(one, dict) for one in written):
        return [one | more if one.get("datasetId", "") == dataset else one for one in written]
    if isinstance(written, dict) and written.keys() & {*MEMBER.values(), "type"}:
        return written | more
    return {"value": written} | more
