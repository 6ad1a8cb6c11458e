r"""MQTT dialects: conventions as data, which fill in what a technician leaves out.

A dialect does nothing that the settings of ``mqtt`` could not say: :func:`filled` returns settings
in which everything is written out. docs/guides/mqtt.md shows them as a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from citytwin.adapter import Binding
from citytwin_edge.adapters.mqtt_settings import (
    USUAL,
    MqttDevice,
    MqttPoint,
    MqttTime,
    Topics,
    several,
)

_PROPERTY: Final = re.compile(r"(?:\$|\{\w+\})((?:\.[A-Za-z_][\w-]*)+)")
_RAW: Final = "{raw}"

Command = Callable[[tuple[str, ...], str], str]
"""Makes the text of a command of the names on the way to a value, and the value's own text."""


def _nested(names: tuple[str, ...], value: str) -> str:
    text = value
    for name in reversed(names):
        text = rf'\{{"{name}": {text}\}}'
    return text


def _plain(_names: tuple[str, ...], value: str) -> str:
    return value.strip('"')


@dataclass(frozen=True, slots=True)
class Dialect:
    """A convention.

    Attributes:
        base: what ``{base}`` stands for, unless the device says so.
        names: what else in braces may stand in topics and paths.
        prefixes: words of which each, in braces, is the base with that word for ``{prefix}``.
        topic, online_topic, online_path, offline, partial, records, once: as in MqttDevice.
        time: as there; with ``is_local`` only where the device says its offset.
        command_topic, command, envelope: how a point is commanded that does not say so.
    """

    base: str
    topic: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ()
    online_topic: tuple[str, ...] = ()
    online_path: str = ""
    offline: str = ""
    time: MqttTime = field(default_factory=MqttTime)
    is_local: bool = False
    records: str = ""
    once: tuple[str, ...] = ()
    command_topic: str = ""
    command: Command | None = None
    envelope: str = ""


DIALECTS: Final[Mapping[str, Dialect]] = {
    # Koenkk's Zigbee2MQTT: one JSON object a device, commands as objects at …/set.
    "zigbee2mqtt": Dialect(
        base="zigbee2mqtt",
        topic=("{base}/{device}",),
        online_topic=("{base}/{device}/availability", "{base}/bridge/state"),
        online_path="$.state",
        time=MqttTime(path="$.last_seen", optional=True),
        command_topic="{base}/{device}/set",
        command=_nested,
    ),
    # Tasmota firmware: prefixes tele, stat and cmnd, in either order; local times.
    "tasmota": Dialect(
        base="{prefix}/{device}",
        prefixes=("tele", "stat", "cmnd"),
        topic=("{tele}/SENSOR",),
        online_topic=("{tele}/LWT",),
        offline="Offline",
        time=MqttTime(path="$.Time", optional=True),
        is_local=True,
        command_topic="{cmnd}/{property}",
        command=_plain,
    ),
    # The Things Stack 3: uplinks of LoRaWAN devices; commands are downlinks.
    "thethingsstack": Dialect(
        base="{user}",
        names={
            "decoded": "$.uplink_message.decoded_payload",
            "raw": "$.uplink_message.frm_payload",
            "uplink": "$.uplink_message",
            "radio": "$.uplink_message.rx_metadata[0]",
        },
        topic=("v3/{base}/devices/{device}/up",),
        time=MqttTime(path="$.received_at"),
        once=(
            "$.uplink_message.session_key_id",
            "$.uplink_message.f_cnt",
            "$.uplink_message.frm_payload",
        ),
        command_topic="v3/{base}/devices/{device}/down/push",
        envelope='{"downlinks": [{"f_port": {command_port}, "frm_payload": "{command}", '
        '"priority": "NORMAL"}]}',
    ),
    # ThingsBoard's gateway API: many devices in one message, each with several records.
    "thingsboard": Dialect(
        base="v1",
        names={"values": "$.values"},
        topic=("{base}/gateway/telemetry",),
        online_topic=("{base}/gateway/disconnect",),
        online_path="$.device",
        offline="{device}",
        time=MqttTime(path="$.ts", optional=True),
        records="$[{quoted}]",
        command_topic="{base}/gateway/attributes",
        command=lambda names, value: rf'\{{"device": {{json}}, "data": {_nested(names, value)}\}}',
    ),
}
"""By the word that a technician writes."""


class _Names:
    """What stands for words in braces, for one device."""

    def __init__(self, settings: MqttDevice, dialect: Dialect | None, device: str) -> None:
        level = settings.topic_name or device
        self._given = {"device": level, "user": settings.user}
        if dialect is None:
            return
        base = self.put(settings.base or dialect.base)
        self._given["base"] = base
        self._given |= dialect.names
        self._given |= {one: base.replace("{prefix}", one) for one in dialect.prefixes}
        self._given["quoted"] = "'" + level.replace("\\", "\\\\").replace("'", "\\'") + "'"
        self._given["json"] = re.sub(r"([\\{}])", r"\\\1", json.dumps(level, ensure_ascii=False))

    def put(self, text: str, **more: str) -> str:
        """Return a text with what stands for the known words in it; others stay."""
        given = {**self._given, **more}
        return re.sub(r"\{(\w+)\}", lambda word: given.get(word[1], word[0]), text)

    def all(self, topics: Topics) -> tuple[str, ...]:
        """Return topics, written out."""
        return tuple(self.put(topic) for topic in several(topics))


def filled(
    settings: MqttDevice, bindings: Sequence[Binding], device: str
) -> tuple[MqttDevice, list[MqttPoint]]:
    """Return settings in which everything is written out, of a device and its points.

    Raises:
        ValueError: something is left out that nothing fills in; the text begins with the point.
    """
    dialect = DIALECTS[settings.dialect] if settings.dialect else None
    names = _Names(settings, dialect, device)
    points = []
    for point, address in bindings:
        try:
            points.append(_point(settings, dialect, names, address, point.writable is not None))
        except ValueError as error:
            raise ValueError(f"point {point.id}: {error}") from None
    return _device(settings, dialect, names), points


def _device(settings: MqttDevice, dialect: Dialect | None, names: _Names) -> MqttDevice:
    usual = dialect or Dialect("", ())
    time = settings.time.beside(usual.time) if _has_time(settings, usual) else settings.time
    return msgspec.structs.replace(
        settings,
        topic=names.all(settings.topic or usual.topic),
        online_topic=names.all(settings.online_topic or usual.online_topic),
        online_path=settings.online_path or usual.online_path,
        offline=names.put(settings.offline or usual.offline or "offline"),
        time=time,
        partial=dialect is not None if settings.partial is None else settings.partial,
        records=names.put(settings.records or usual.records),
        once=settings.once or usual.once,
    )


def _has_time(settings: MqttDevice, usual: Dialect) -> bool:
    return not usual.is_local or settings.time.utc_offset_h is not None


def _point(
    settings: MqttDevice,
    dialect: Dialect | None,
    names: _Names,
    address: MqttPoint,
    is_writable: bool,
) -> MqttPoint:
    usual = dialect or Dialect("", ())
    topic = names.all(address.topic or settings.topic or usual.topic)
    if not topic:
        raise ValueError("there is no topic; the point or its device must name one")
    path, encoding = address.path, address.encoding
    in_bytes = address.at is not None or address.lpp
    if in_bytes and not path and _RAW.strip("{}") in usual.names:
        path, encoding = _RAW, encoding or "base64"
    where = {names.put(one): wanted for one, wanted in address.where.items()}
    if address.f_port or address.f_port == 0:
        where[_uplink(usual)] = address.f_port
    changed = msgspec.structs.replace(
        address,
        topic=topic,
        path=names.put(path),
        encoding=encoding,
        where=where,
        command_topic=names.put(address.command_topic),
    )
    return _commanded(changed, usual, names, path) if is_writable else changed


def _uplink(usual: Dialect) -> str:
    if "uplink" not in usual.names:
        raise ValueError("f_port is of LoRaWAN: it goes with dialect thethingsstack")
    return f"{usual.names['uplink']}.f_port"


def _commanded(address: MqttPoint, usual: Dialect, names: _Names, path: str) -> MqttPoint:
    """Return a point that can be commanded the way its dialect does it."""
    if not usual.command_topic:
        return address
    found = _PROPERTY.fullmatch(path)
    keys = tuple(found[1].split(".")[1:]) if found else ()
    topic = address.command_topic
    if not topic:
        if "{property}" in usual.command_topic and not keys:
            raise ValueError(f"command_topic must say where it is set: {path!r} is no plain path")
        topic = names.put(usual.command_topic, property=keys[-1] if keys else "")
    command, envelope = address.command, address.envelope or usual.envelope
    if not command and usual.command is not None:
        if not keys:
            raise ValueError(f"command must say how it is set: {path!r} is no plain path")
        value = '"{word}"' if address.words else USUAL
        command = names.put(usual.command(keys, value))
    if not command and usual.envelope:
        raise ValueError(r"command must say the bytes of the downlink: '\x01{value:uint8}'")
    envelope = envelope.replace("{command_port}", str(address.command_port))
    return msgspec.structs.replace(
        address,
        command_topic=topic,
        command=command,
        envelope=envelope,
        encoding=address.encoding or ("base64" if usual.envelope else ""),
    )
