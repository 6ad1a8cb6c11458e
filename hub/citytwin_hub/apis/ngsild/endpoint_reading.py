"""Reading of notification: where notifications of a subscription go, and what they say.

ETSI GS CIM 009, clauses 5.2.14 (NotificationParams), 5.2.15 (Endpoint), 5.2.22 (KeyValuePair), and
7.2 for what MQTT needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from citytwin_hub.apis.ngsild import projections
from citytwin_hub.apis.ngsild.calls import GEO_JSON, JSON, JSON_LD
from citytwin_hub.apis.ngsild.fields import flag, object_in, one_of, pairs, texts, whole
from citytwin_hub.apis.ngsild.members import read_name
from citytwin_hub.apis.ngsild.projections import CORE
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.subscriptions import Format, Notify
from citytwin_hub.jsonld.names import Names

TIMEOUT_MS_MAX: Final = 60_000
COOLDOWN_MS_MAX: Final = 3_600_000
JOIN_LEVEL_MAX: Final = 10
QOS: Final = ("0", "1", "2")
VERSIONS: Final = ("mqtt3.1.1", "mqtt5.0")

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS: Final = frozenset(
    {"connection", "content-length", "content-type", "host", "link", "transfer-encoding", "upgrade"}
)
"""Header fields that say what the hub sends; a subscriber cannot set them."""
_MEMBER: Final = re.compile(r"[^\s,|{}\[\]();=<>!~\"]+")


def read_notify(value: Any, names: Names, receivers: Receivers) -> Notify:
    """Return what a notification says and where it goes.

    Raises:
        BadRequestData: a member is wrong or missing, or the receiver may not be called.
    """
    given = object_in(value, "notification")
    endpoint = object_in(given.get("endpoint"), "notification.endpoint")
    uri = endpoint.get("uri")
    if not isinstance(uri, str):
        raise BadRequestData("notification.endpoint needs a uri: where notifications are sent")
    receiver = receivers.read(uri)
    notify = Notify(
        uri=uri,
        accept=one_of(endpoint, "accept", (JSON, JSON_LD, GEO_JSON)) or "",
        receiver_info=pairs(endpoint, "receiverInfo"),
        notifier_info=pairs(endpoint, "notifierInfo"),
        timeout_ms=whole(endpoint, "timeout", 1, TIMEOUT_MS_MAX),
        cooldown_ms=whole(endpoint, "cooldown", 0, COOLDOWN_MS_MAX),
        form=_form(given),
        attributes=_attributes(given, names),
        pick=_projection(given, "pick", names),
        omit=_projection(given, "omit", names),
        sys_attrs=flag(given, "sysAttrs"),
        show_changes=flag(given, "showChanges"),
        join=one_of(given, "join", ("flat", "inline", "@none")) or "",
        join_level=whole(given, "joinLevel", 1, JOIN_LEVEL_MAX),
    )
    if receiver.is_mqtt:
        _check_mqtt(dict(notify.notifier_info))
    else:
        _check_header(notify.receiver_info)
    return _checked(notify)


def _checked(notify: Notify) -> Notify:
    if notify.show_changes and notify.form in (Format.KEY_VALUES, Format.SIMPLIFIED):
        raise BadRequestData("showChanges needs another format: keyValues has no place for it")
    if notify.attributes is not None and (notify.pick or notify.omit):
        raise BadRequestData("notification has attributes beside pick or omit: give one of them")
    if notify.pick and notify.omit:
        same = _Same()
        pick = projections.parse(notify.pick, same, "pick")
        projections.refuse_both(pick, projections.parse(notify.omit, same, "omit"))
    return notify


def _check_mqtt(info: Mapping[str, str]) -> None:
    for key, allowed in (("MQTT-QoS", QOS), ("MQTT-Version", VERSIONS)):
        if key in info and info[key] not in allowed:
            raise BadRequestData(f"{key} is {info[key][:40]!r}; it is one of {', '.join(allowed)}")


def _check_header(given: tuple[tuple[str, str], ...]) -> None:
    for key, value in given:
        if not _TOKEN.fullmatch(key) or not value.isprintable() or not value.isascii():
            raise BadRequestData(f"receiverInfo {key[:80]!r} cannot be a header field")
        if key.lower() in _OURS:
            raise BadRequestData(f"receiverInfo has {key}, a header field that the hub itself sets")


class _Same:
    """Each name means itself."""

    def expand(self, name: str) -> str:
        return name

    def compact(self, iri: str) -> str:
        return iri


def _form(given: Mapping[str, Any]) -> Format | None:
    found = one_of(given, "format", [one.value for one in Format])
    return None if found is None else Format(found)


def _attributes(given: Mapping[str, Any], names: Names) -> tuple[str, ...] | None:
    found = texts(given, "attributes")
    if found is None:
        return None
    where = "an attribute of notification.attributes"
    return tuple(dict.fromkeys(read_name(one, names, where) for one in found))


def _projection(given: Mapping[str, Any], what: str, names: Names) -> tuple[str, ...]:
    found = texts(given, what)
    if found is None:
        return ()
    projections.parse(found, names, what)
    return tuple(renamed(one, names.expand) for one in found)


def renamed(text: str, rename: Any) -> str:
    """Return a projection with its names replaced, but for those of every entity."""
    return _MEMBER.sub(lambda match: match[0] if match[0] in CORE else rename(match[0]), text)
