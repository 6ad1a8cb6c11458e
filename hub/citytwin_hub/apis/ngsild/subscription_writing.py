"""Writing subscriptions: a Subscription as a document, with the names of one @context.

ETSI GS CIM 009, clauses 5.2.12, 5.2.14 and 5.2.15. What was not given is left out, but for what the
hub itself says: status, notificationTrigger, and how often and when it notified.
"""

from __future__ import annotations

import re
from typing import Any, Final

from citytwin_hub.apis.ngsild.endpoint_reading import renamed
from citytwin_hub.apis.ngsild.view import NONE
from citytwin_hub.entities.moments import format_ns
from citytwin_hub.entities.subscriptions import (
    DEFAULT_TRIGGERS,
    EntitySelector,
    Notify,
    Progress,
    Subscription,
)
from citytwin_hub.jsonld.contexts import PATH
from citytwin_hub.jsonld.names import Names

_TERM: Final = re.compile(r"[^,;|()\s]+")


def write(
    one: Subscription, progress: Progress, names: Names, now_ns: int, *, sys_attrs: bool = False
) -> dict[str, Any]:
    """Return a subscription as a document.

    Args:
        one: the subscription.
        progress: how far its subscriber was told.
        names: how attributes and types are called.
        now_ns: the moment of its status.
        sys_attrs: with createdAt and modifiedAt.
    """
    document: dict[str, Any] = {"id": one.id, "type": "Subscription"}
    texts = {
        "subscriptionName": one.name,
        "description": one.description,
        "q": one.q,
        "scopeQ": one.scope_q,
        "csf": one.csf,
        "lang": one.languages,
        "jsonldContext": one.given_context or (one.link if PATH in one.link else ""),
    }
    document |= {member: text for member, text in texts.items() if text}
    if one.selectors:
        document["entities"] = [_selector(each, names) for each in one.selectors]
    if one.watched:
        document["watchedAttributes"] = [names.compact(each) for each in one.watched]
    document["notificationTrigger"] = [each.value for each in one.triggers or DEFAULT_TRIGGERS]
    if one.geo is not None:
        document["geoQ"] = one.geo | {"geoproperty": names.compact(one.geo["geoproperty"])}
    for member, seconds in (("timeInterval", one.interval_s), ("throttling", one.throttling_s)):
        if seconds is not None:
            document[member] = int(seconds) if seconds.is_integer() else seconds
    if one.datasets is not None:
        document["datasetId"] = [each or NONE for each in one.datasets]
    if one.expires_ns is not None:
        document["expiresAt"] = format_ns(one.expires_ns)
    if one.is_active is not None:
        document["isActive"] = one.is_active
    document["status"] = one.status(now_ns).value
    document["notification"] = _notification(one.notify, progress, names)
    if sys_attrs:
        document["createdAt"] = format_ns(one.created_ns)
        document["modifiedAt"] = format_ns(one.modified_ns)
    return document


def _selector(one: EntitySelector, names: Names) -> dict[str, Any]:
    kinds = _TERM.sub(lambda match: names.compact(match[0]), one.types) or "*"
    document: dict[str, Any] = {"type": kinds}
    if one.ids:
        document["id"] = one.ids[0] if len(one.ids) == 1 else list(one.ids)
    if one.pattern:
        document["idPattern"] = one.pattern
    return document


def _notification(notify: Notify, progress: Progress, names: Names) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"uri": notify.uri}
    if notify.accept:
        endpoint["accept"] = notify.accept
    for member, milliseconds in (("timeout", notify.timeout_ms), ("cooldown", notify.cooldown_ms)):
        if milliseconds is not None:
            endpoint[member] = milliseconds
    pairs = (("receiverInfo", notify.receiver_info), ("notifierInfo", notify.notifier_info))
    for member, info in pairs:
        if info:
            endpoint[member] = [{"key": key, "value": value} for key, value in info]
    document: dict[str, Any] = {"endpoint": endpoint}
    if notify.form is not None:
        document["format"] = notify.form.value
    if notify.attributes is not None:
        document["attributes"] = [names.compact(each) for each in notify.attributes]
    for member, projection in (("pick", notify.pick), ("omit", notify.omit)):
        if projection:
            document[member] = [renamed(each, names.compact) for each in projection]
    said = {
        "sysAttrs": notify.sys_attrs,
        "showChanges": notify.show_changes,
        "join": notify.join or None,
        "joinLevel": notify.join_level,
    }
    document |= {member: value for member, value in said.items() if value is not None}
    return document | _progress(progress)


def _progress(progress: Progress) -> dict[str, Any]:
    """Return what is known of notifications that were sent; nothing before the first one."""
    if not progress.times_sent:
        return {}
    document: dict[str, Any] = {
        "status": "failed" if progress.failure else "ok",
        "timesSent": progress.times_sent,
    }
    if progress.times_failed:
        document["timesFailed"] = progress.times_failed
    moments = {
        "lastNotification": progress.last_sent_ns,
        "lastSuccess": progress.last_success_ns,
        "lastFailure": progress.last_failure_ns,
    }
    return document | {
        member: format_ns(moment) for member, moment in moments.items() if moment is not None
    }
