"""Subscription: who wants to be told of which changes, and how far he has been told.

The data types are those of ETSI GS CIM 009, clauses 5.2.12 (Subscription), 5.2.14
(NotificationParams), 5.2.15 (Endpoint), 5.2.33 (EntitySelector). Names of types and attributes are
IRIs. What is only worked out by the hub lies apart in ``Progress``.

>>> tanks = Subscription(
...     id="urn:ngsi-ld:Subscription:1",
...     selectors=(EntitySelector(types="https://example.org/Tank"),),
...     notify=Notify(uri="http://127.0.0.1:9000/notify"),
... )
>>> tanks.status(now_ns=0), tanks.mask == Touch.CREATED | Touch.UPDATED
(<Status.ACTIVE: 'active'>, True)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag, StrEnum
from types import MappingProxyType
from typing import Any, Final

import msgspec


class Touch(IntFlag):
    """What a change did: to an instance of an attribute, or to the entity as a whole."""

    CREATED = 1
    UPDATED = 2
    DELETED = 4
    ENTITY_CREATED = 8
    ENTITY_DELETED = 16


ATTRIBUTES: Final = Touch.CREATED | Touch.UPDATED | Touch.DELETED
"""What can happen to an attribute."""


class Trigger(StrEnum):
    """What makes a notification go out (``notificationTrigger``)."""

    ENTITY_CREATED = "entityCreated"
    ENTITY_UPDATED = "entityUpdated"
    ENTITY_DELETED = "entityDeleted"
    ATTRIBUTE_CREATED = "attributeCreated"
    ATTRIBUTE_UPDATED = "attributeUpdated"
    ATTRIBUTE_DELETED = "attributeDeleted"


DEFAULT_TRIGGERS: Final = (Trigger.ATTRIBUTE_CREATED, Trigger.ATTRIBUTE_UPDATED)
TOUCHES: Final[Mapping[Trigger, Touch]] = MappingProxyType(
    {
        Trigger.ENTITY_CREATED: Touch.ENTITY_CREATED,
        Trigger.ENTITY_UPDATED: ATTRIBUTES,
        Trigger.ENTITY_DELETED: Touch.ENTITY_DELETED,
        Trigger.ATTRIBUTE_CREATED: Touch.CREATED,
        Trigger.ATTRIBUTE_UPDATED: Touch.UPDATED,
        Trigger.ATTRIBUTE_DELETED: Touch.DELETED,
    }
)


class Status(StrEnum):
    """Whether a subscription is served (``status``)."""

    ACTIVE = "active"
    PAUSED = "paused"
    EXPIRED = "expired"


class Format(StrEnum):
    """How the entities of a notification are represented (``notification.format``)."""

    NORMALIZED = "normalized"
    CONCISE = "concise"
    SIMPLIFIED = "simplified"
    KEY_VALUES = "keyValues"


class EntitySelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Entities to be watched (immutable).

    Attributes:
        ids: any of these; empty: any.
        pattern: a regular expression that the identifier must match; empty: any. ``ids`` win.
        types: a type selection (4.17) whose names are IRIs; empty: any type.
    """

    ids: tuple[str, ...] = ()
    pattern: str = ""
    types: str = ""


class Notify(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a notification says and where it goes (immutable).

    Attributes:
        uri: where: ``http``, ``https``, ``mqtt`` or ``mqtts``.
        accept: the media type; empty: JSON.
        receiver_info: header fields (HTTP) or metadata (MQTT) for the receiver, in their order.
        notifier_info: settings of the binding, such as ``MQTT-QoS``.
        timeout_ms, cooldown_ms: how long a receiver may take, and how long it is left alone after
            a failure; None: as the hub thinks fit.
        form: representation of entities; None where it was not said (normalized).
        attributes: only these attributes, IRIs; None: all.
        pick, omit: projections (4.21) whose names are IRIs; empty: none.
        sys_attrs, show_changes: None where it was not said.
        join, join_level: linked entities; empty and None where it was not said.
    """

    uri: str
    accept: str = ""
    receiver_info: tuple[tuple[str, str], ...] = ()
    notifier_info: tuple[tuple[str, str], ...] = ()
    timeout_ms: int | None = None
    cooldown_ms: int | None = None
    form: Format | None = None
    attributes: tuple[str, ...] | None = None
    pick: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    sys_attrs: bool | None = None
    show_changes: bool | None = None
    join: str = ""
    join_level: int | None = None


class Subscription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is watched, when and how it is told (immutable).

    Attributes:
        id: a URI.
        name, description: free text.
        selectors: which entities; empty: any.
        watched: IRIs of the attributes whose change counts; empty: any.
        triggers: what counts as a change; empty: ``DEFAULT_TRIGGERS``.
        interval_s: seconds between notifications that come whatever changes; None: on changes.
        throttling_s: least seconds between two notifications.
        expires_ns: after it nothing is notified.
        is_active: as it was given; None where it was not.
        q, scope_q, csf: queries as they were given; the names in ``q`` mean what ``terms`` says.
        geo: the geo-query as it was given, its ``geoproperty`` an IRI.
        languages: ``lang`` as it was given.
        datasets: ``datasetId``; None where not given.
        terms: what the names in ``q`` mean.
        context: the @context of notifications: a URL, a list or an object; None: the core.
        given_context: ``jsonldContext`` as it was given; empty where it was not.
        link: where the @context of notifications can be had, for a Link header.
        notify: what a notification says and where it goes.
        created_ns, modified_ns: when it was made and last changed.
        owner: the user who made it and is told no more than he may see; empty: everything.
    """

    id: str
    notify: Notify
    name: str = ""
    description: str = ""
    selectors: tuple[EntitySelector, ...] = ()
    watched: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    interval_s: float | None = None
    throttling_s: float | None = None
    expires_ns: int | None = None
    is_active: bool | None = None
    q: str = ""
    scope_q: str = ""
    csf: str = ""
    geo: dict[str, Any] | None = None
    languages: str = ""
    datasets: tuple[str, ...] | None = None
    terms: dict[str, str] = msgspec.field(default_factory=dict)
    context: Any = None
    given_context: str = ""
    link: str = ""
    created_ns: int = 0
    modified_ns: int = 0
    owner: str = ""

    @property
    def mask(self) -> Touch:
        """What counts as a change."""
        found = Touch(0)
        for trigger in self.triggers or DEFAULT_TRIGGERS:
            found |= TOUCHES[trigger]
        return found

    def status(self, now_ns: int) -> Status:
        """Return whether it is served at a moment."""
        if self.expires_ns is not None and self.expires_ns <= now_ns:
            return Status.EXPIRED
        return Status.PAUSED if self.is_active is False else Status.ACTIVE


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a subscriber has been told (immutable).

    Attributes:
        cursor: number of the last record of the evolution that he was told of; None: he is in
            step with the hub.
        live_ns: of what points gave he must be told what was received after this moment; None: he
            is in step.
        times_sent: notifications that were sent, also those that failed; ``times_failed`` those.
        last_sent_ns, last_success_ns, last_failure_ns: when; None: never.
        failure: why the last one failed; empty where it did not.
    """

    cursor: int | None = None
    live_ns: int | None = None
    times_sent: int = 0
    times_failed: int = 0
    last_sent_ns: int | None = None
    last_success_ns: int | None = None
    last_failure_ns: int | None = None
    failure: str = ""
