"""Announcements: what bridges and firmwares say of themselves on a broker, for scans and hints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

DEVICES_MAX: Final = 2000
PROPERTIES_MAX: Final = 200
DEPTH_MAX: Final = 5
_ACCESS: Final = ((1, "read"), (2, "set"))


class Property(NamedTuple):
    """One value that a device has: where it is in its messages, its unit, what can be done."""

    path: str
    unit: str
    access: str

    def __str__(self) -> str:
        words = ", ".join(word for word in (self.unit, self.access) if word)
        return f"{self.path} ({words})" if words else self.path


class Device(NamedTuple):
    """One device: what it is called, what it is, its properties by path, how its topics are.

    ``says`` is what it is word for word: ``model`` and ``model_id`` of Zigbee2MQTT, ``module`` of
    Tasmota.
    """

    name: str
    model: str
    properties: Mapping[str, Property]
    base: str = ""
    says: Mapping[str, str] = MappingProxyType({})


def zigbee_devices(payload: bytes) -> Iterator[Device]:
    """Yield the devices of Zigbee2MQTT's ``bridge/devices``; nothing where it is none of it."""
    try:
        listed = json.loads(payload)
    except (ValueError, RecursionError):
        return
    if not isinstance(listed, list):
        return
    for one in listed[:DEVICES_MAX]:
        if not isinstance(one, dict) or one.get("type") == "Coordinator":
            continue
        definition = one.get("definition")
        definition = definition if isinstance(definition, dict) else {}
        words = [_text(definition, name) for name in ("vendor", "model", "description")]
        found = {found.path: found for found in _exposed(definition.get("exposes"), "$", 0)}
        model = " ".join(word for word in words if word) or "not supported by Zigbee2MQTT"
        name = _text(one, "friendly_name") or _text(one, "ieee_address")
        says = {"model": _text(definition, "model"), "model_id": _text(one, "model_id")}
        if name:
            yield Device(name, model, found, says=says)


def _exposed(listed: Any, path: str, depth: int) -> Iterator[Property]:
    if not isinstance(listed, list) or depth > DEPTH_MAX:
        return
    for one in listed[:PROPERTIES_MAX]:
        if not isinstance(one, dict):
            continue
        name = _text(one, "property")
        inner = f"{path}.{name}" if name else path
        features = one.get("features")
        if isinstance(features, list):
            # Of a "composite" the parts are inside; other groups only bring parts together.
            within = inner if one.get("type") == "composite" else path
            yield from _exposed(features, within, depth + 1)
        elif name:
            access = one.get("access")
            can = [word for bit, word in _ACCESS if isinstance(access, int) and access & bit]
            yield Property(inner, _text(one, "unit"), "+".join(can))


def tasmota_device(payload: bytes) -> Device | None:
    """Return the device of a ``tasmota/discovery/<mac>/config`` message; None where it is none."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not _text(said, "t"):
        return None
    name, address = _text(said, "dn"), _text(said, "ip")
    words = [_text(said, "md"), f'"{name}"' if name else "", address]
    full = _text(said, "ft").replace("%prefix%", "{prefix}").replace("%topic%", "{device}")
    model = ", ".join(word for word in words if word)
    says = {"module": _text(said, "md")}
    return Device(_text(said, "t"), model, {}, full.strip("/"), says)


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name)
    return found.strip()[:200] if isinstance(found, str) else ""
