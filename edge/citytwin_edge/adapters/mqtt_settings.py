"""MQTT settings: what a technician writes about a broker, a device and its points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import aiomqtt
import msgspec

from citytwin.point import Kind, Point
from citytwin.units import unit
from citytwin_edge.wire.payload import UTC_OFFSET_H_MAX, Binary, PayloadField

DEVICE: Final = "{device}"
"""In a topic: the device's name, or its ``topic_name``."""
SHARED: Final = "$share/"

Type = Literal[
    "", "uint8", "int8", "bool", "uint16", "uint32", "uint64", "int16", "int32", "int64",
    "float32", "float64", "bcd16", "bcd32", "bcd64", "string",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Connection:
    """What all devices on one connection agree about; the fields are those of MqttDevice."""

    host: str
    port: int
    version: str
    user: str
    password_file: str
    tls: bool
    ca_file: str
    certificate_file: str
    key_file: str
    client_id: str
    keep_alive_s: int
    connect_timeout_s: float
    session_s: int

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """What makes two devices share a connection."""
        return ("mqtt", self.host, self.port, self.client_id, "" if self.client_id else self.user)

    def differences(self, other: Connection) -> str:
        """Return the names of the settings in which two connections differ."""
        names = [name for name in self.__slots__ if getattr(self, name) != getattr(other, name)]
        return ", ".join(names)

    def __str__(self) -> str:
        return f"the broker {self.host}:{self.port}"


class MqttDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's own settings: its broker and how it is reached.

    Attributes:
        host, port: of the broker.
        version: 3.1.1 or 5.
        user, password_file: as the broker knows the gateway.
        tls, ca_file: whether to encrypt, and who vouches for the broker; empty: the system's.
        certificate_file, key_file: the gateway's own certificate.
        client_id: empty: a random one.
        keep_alive_s: how often the connection is tried when nothing else is said.
        connect_timeout_s: how long a connection may take.
        session_s: for how long the broker shall keep what was sent while the gateway was away;
            0: not at all. MQTT 3.1.1 has no number for it: there the broker decides.
        qos: at which messages are asked for and commands are sent.
        topic_name: what ``{device}`` stands for in topics; empty: the device's name.
        utc_offset_h: hours east of Greenwich, of the device's times that name no offset.
        online_topic, online_path: where the device, or the broker in its stead (last will), says
            whether it is there; ``offline`` is what then makes it silent at once.
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    version: Literal["3.1.1", "5"] = "5"
    user: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    client_id: str = ""
    keep_alive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30
    connect_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    session_s: Annotated[int, msgspec.Meta(ge=0, le=2_592_000)] = 0
    qos: Literal[0, 1, 2] = 1
    topic_name: str = ""
    utc_offset_h: (
        Annotated[float, msgspec.Meta(ge=-UTC_OFFSET_H_MAX, le=UTC_OFFSET_H_MAX)] | None
    ) = None
    online_topic: str = ""
    online_path: str = ""
    offline: str = "offline"

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        if not self.host:
            raise ValueError("host must name the broker")
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file go together")
        if (self.ca_file or self.certificate_file) and not self.tls:
            raise ValueError("ca_file and certificate_file need tls = true")
        if self.password_file and not self.user:
            raise ValueError("password_file needs user")
        if self.session_s and not self.client_id:
            raise ValueError("session_s needs client_id, by which the broker knows the gateway")
        if self.session_s and self.qos != 1:
            raise ValueError("session_s needs qos = 1: only there a message waits for its receipt")
        if any(letter in self.topic_name for letter in "+#/"):
            raise ValueError("topic_name must be one level of a topic, without +, # and /")
        if self.online_path and not self.online_topic:
            raise ValueError("online_path needs online_topic")
        if self.online_topic:
            _check_filter("online_topic", self.online_topic)
        self.online_field()

    def connection(self) -> Connection:
        """Return what the devices on its connection must agree about."""
        return Connection(**{name: getattr(self, name) for name in Connection.__slots__})

    def online_field(self) -> PayloadField:
        """Return where in a payload the device says whether it is there."""
        return PayloadField(self.online_path, is_text=True)


class MqttPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is in the device's messages, and how it is commanded.

    Attributes:
        topic: topic or filter.
        path, time_path: JSON paths of value and time; without path the payload is the value.
        values: numbers that words stand for.
        no_value: words that stand for none.
        type: of a number in raw bytes; empty: the payload is text or JSON.
        byte, order, length, bits, digits, sentinel: where in the bytes, and how it is written.
        encoding: of bytes that come as text.
        command_topic, command: where and what is published to set it.
    """

    topic: str
    path: str = ""
    time_path: str = ""
    values: dict[str, float] = msgspec.field(default_factory=dict)
    no_value: tuple[str, ...] = ()
    type: Type = ""
    byte: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = "ABCD"
    length: Annotated[int, msgspec.Meta(ge=0)] = 0
    bits: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    digits: Annotated[int, msgspec.Meta(ge=0)] = 0
    sentinel: tuple[int, ...] = ()
    encoding: Literal["", "hex", "base64"] = ""
    command_topic: str = ""
    command: str = "{value:g}"

    def __post_init__(self) -> None:
        """Refuse topics, paths and templates that cannot work (ValueError)."""
        _check_filter("topic", self.topic)
        self._field()
        if self.type and (self.values or self.no_value):
            raise ValueError("values and no_value are for words; a number in bytes has sentinel")
        if "#" in self.command_topic or "+" in self.command_topic:
            raise ValueError("command_topic must be one topic, without wildcards")
        try:
            self.command.format(value=1.0, word="on")
        except (ValueError, KeyError, IndexError, AttributeError):
            raise ValueError(
                f"{self.command!r} is not a template such as {{value:g}} or {{word}}"
            ) from None
        if "{word" in self.command and not self.values:
            raise ValueError("{word} in command is one of values, which there are none of")

    def field(self, point: Point, device: MqttDevice) -> PayloadField:
        """Return where the value of ``point`` is in a payload.

        Raises:
            ValueError: it cannot be there.
        """
        if point.kind == Kind.TEXT and (
            self.values or self.no_value or self.type not in {"", "string"}
        ):
            raise ValueError('kind = "text" has neither values, no_value nor a type of number')
        if point.kind != Kind.TEXT and self.type == "string":
            raise ValueError('type = "string" goes with kind = "text"')
        units = (point.unit, unit(point.unit).symbol) if point.unit != "1" else ()
        return self._field(
            units=units, utc_offset_h=device.utc_offset_h, is_text=point.kind == Kind.TEXT
        )

    def _field(self, **more: Any) -> PayloadField:
        return PayloadField(
            self.path,
            self.time_path,
            values=self.values,
            no_value=self.no_value,
            binary=self._binary(),
            **more,
        )

    def _binary(self) -> Binary | None:
        if not self.type:
            if self.encoding or self.byte or self.length or self.bits or self.digits:
                raise ValueError("encoding, byte, length, bits and digits need type")
            if self.sentinel:
                raise ValueError("sentinel needs type; words that mean no value are no_value")
            return None
        if self.path and not self.encoding:
            raise ValueError("bytes in JSON are a text: encoding must say hex or base64")
        return Binary(
            self.type,
            self.byte,
            self.encoding,
            order=self.order,
            length=self.length,
            bits=(self.bits[0], self.bits[-1]) if self.bits else None,
            digits=self.digits,
            sentinel=self.sentinel,
        )

    def payload(self, value: float) -> str | None:
        """Return what is published to set ``value``; None when no word stands for it."""
        word = next((word for word, number in self.values.items() if number == value), None)
        if word is None and "{word" in self.command:
            return None
        return self.command.format(value=value, word=word)


def _check_filter(name: str, topic: str) -> None:
    """Refuse what is no topic filter (ValueError)."""
    try:
        aiomqtt.Wildcard(topic)
    except ValueError:
        raise ValueError(f"{name} {topic!r} is not a topic or topic filter") from None
    if topic.startswith(SHARED):
        raise ValueError(f"{name} {topic!r} would give this gateway a part of the messages only")
