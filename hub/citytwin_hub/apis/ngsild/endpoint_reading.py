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
from citytwin_hub.apis.ngsild.members import read_name
from citytwin_hub.apis.ngsild.projections import CORE
from citytwin_hub.apis.ngsild.receivers import Receivers
from citytwin_hub.entities.errors import BadRequestData
from citytwin_hub.entities.subscriptions import Format, Notify
from citytwin_hub.jsonld.names import Names

PAIRS_MAX: Final = 50
"""Header fields for a receiver."""
PAIR_CHARS_MAX: Final = 8192
MEMBERS_MAX: Final = 1000
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
    given = _object(value, "notification")
    endpoint = _object(given.get("endpoint"), "notification.endpoint")
    uri = endpoint.get("uri")
    if not isinstance(uri, str):
        raise BadRequestData("notification.endpoint needs a uri: where notifications are sent")
    receiver = receivers.read(uri)
    notify = Notify(
        uri=uri,
        accept=_one_of(endpoint, "accept", (JSON, JSON_LD, GEO_JSON)) or "",
        receiver_info=_pairs(endpoint, "receiverInfo"),
        notifier_info=_pairs(endpoint, "notifierInfo"),
        timeout_ms=_whole(endpoint, "timeout", 1, TIMEOUT_MS_MAX),
        cooldown_ms=_whole(endpoint, "cooldown", 0, COOLDOWN_MS_MAX),
        form=_form(given),
        attributes=_attributes(given, names),
        pick=_projection(given, "pick", names),
        omit=_projection(given, "omit", names),
        sys_attrs=_flag(given, "sysAttrs"),
        show_changes=_flag(given, "showChanges"),
        join=_one_of(given, "join", ("flat", "inline", "@none")) or "",
        join_level=_whole(given, "joinLevel", 1, JOIN_LEVEL_MAX),
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


def _check_header(pairs: tuple[tuple[str, str], ...]) -> None:
    for key, value in pairs:
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
    found = _one_of(given, "format", [one.value for one in Format])
    return None if found is None else Format(found)


def _attributes(given: Mapping[str, Any], names: Names) -> tuple[str, ...] | None:
    found = _texts(given, "attributes")
    if found is None:
        return None
    where = "an attribute of notification.attributes"
    return tuple(dict.fromkeys(read_name(one, names, where) for one in found))


def _projection(given: Mapping[str, Any], what: str, names: Names) -> tuple[str, ...]:
    found = _texts(given, what)
    if found is None:
        return ()
    projections.parse(found, names, what)
    return tuple(renamed(one, names.expand) for one in found)


def renamed(text: str, rename: Any) -> str:
    """Return a projection with its names replaced, but for those of every entity."""
    return _MEMBER.sub(lambda match: match[0] if match[0] in CORE else rename(match[0]), text)


def _pairs(given: Mapping[str, Any], what: str) -> tuple[tuple[str, str], ...]:
    value = given.get(what, [])
    if not isinstance(value, list) or len(value) > PAIRS_MAX:
        raise BadRequestData(f"{what} is not an array of up to {PAIRS_MAX} pairs")
    pairs = []
    for one in value:
        pair = _object(one, f"a pair of {what}")
        key, content = pair.get("key"), pair.get("value")
        if not isinstance(key, str) or not isinstance(content, str) or not key:
            raise BadRequestData(f"a pair of {what} needs a key and a value, both texts")
        if len(key) + len(content) > PAIR_CHARS_MAX:
            raise BadRequestData(f"{what} {key[:80]!r} is longer than {PAIR_CHARS_MAX} characters")
        pairs.append((key, content))
    return tuple(pairs)


def _one_of(given: Mapping[str, Any], what: str, allowed: Any) -> str | None:
    value = given.get(what)
    if value is None:
        return None
    if not isinstance(value, str) or value not in allowed:
        raise BadRequestData(f"{what} is {str(value)[:80]!r}; it is one of {', '.join(allowed)}")
    return value


def _whole(given: Mapping[str, Any], what: str, low: int, high: int) -> int | None:
    value = given.get(what)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadRequestData(f"{what} is {str(value)[:40]}; it is {low} to {high}")
    return value


def _flag(given: Mapping[str, Any], what: str) -> bool | None:
    value = given.get(what)
    if value is not None and not isinstance(value, bool):
        raise BadRequestData(f"{what} is neither true nor false")
    return value


def _texts(given: Mapping[str, Any], what: str) -> list[str] | None:
    value = given.get(what)
    if value is None:
        return None
    texts = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
    if not texts or not 0 < len(value) <= MEMBERS_MAX:
        raise BadRequestData(f"{what} is not an array of 1 to {MEMBERS_MAX} names")
    return list(value)


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadRequestData(f"{what} is not there, or not a JSON object")
    return value
