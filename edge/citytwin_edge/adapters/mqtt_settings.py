"""MQTT settings: what a technician writes about a broker, a device and its points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import aiomqtt
import msgspec

from citytwin.point import Kind, Point
from citytwin_edge.adapters.places import Decimal, Hours, Separator, ValueSettings
from citytwin_edge.wire.fields import Order
from citytwin_edge.wire.payload import Inside, PayloadField
from citytwin_edge.wire.stamps import AUTO, Stamp
from citytwin_edge.wire.templates import Template

DEVICE: Final = "{device}"
"""In a topic: the device's name, or its ``topic_name``."""
SHARED: Final = "$share/"


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
    session_s: int = 0

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


class MqttTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a message says what time it is; what a point leaves out is the device's.

    Attributes:
        path: JSON path of the time; empty: nowhere.
        format, utc_offset_h: how; see :class:`citytwin_edge.wire.stamps.Stamp`.
    """

    path: str | None = None
    format: str | None = None
    utc_offset_h: Hours | None = None

    def __post_init__(self) -> None:
        """Refuse what is no path, or no format (ValueError)."""
        offset_h = 0.0 if self.utc_offset_h is None else self.utc_offset_h
        PayloadField("$", self.path or "", stamp=Stamp(self.format or AUTO, offset_h))

    def beside(self, usual: MqttTime) -> MqttTime:
        """Return this, completed by what is usual."""
        return MqttTime(
            **{
                name: getattr(usual, name) if (own := getattr(self, name)) is None else own
                for name in self.__struct_fields__
            }
        )

    def stamp(self) -> Stamp:
        """Return how the time is written (ValueError)."""
        return Stamp(self.format or AUTO, self.utc_offset_h)


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker, and how the gateway is known to it.

    Attributes:
        host, port: of the broker.
        version: 3.1.1 or 5.
        user, password_file: as the broker knows the gateway.
        tls, ca_file: whether to encrypt, and who vouches for the broker; empty: the system's.
        certificate_file, key_file: the gateway's own certificate.
        client_id: empty: a random one.
        keep_alive_s: how often the connection is tried when nothing else is said.
        connect_timeout_s: how long a connection may take.
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

    def connection(self) -> Connection:
        """Return what the devices on its connection must agree about."""
        names = [name for name in Connection.__slots__ if hasattr(self, name)]
        return Connection(**{name: getattr(self, name) for name in names})


class MqttDevice(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's own settings: its broker and how it is reached.

    Attributes:
        session_s: for how long the broker shall keep what was sent while the gateway was away;
            0: not at all. MQTT 3.1.1 has no number for it: there the broker decides.
        qos: at which messages are asked for and commands are sent.
        topic_name: what ``{device}`` stands for in topics; empty: the device's name.
        time: where and how its messages say what time it is.
        separator, decimal: of text; ``order``: of numbers in bytes.
        online_topic, online_path: where the device, or the broker in its stead (last will), says
            whether it is there; ``offline`` is what then makes it silent at once.
    """

    session_s: Annotated[int, msgspec.Meta(ge=0, le=2_592_000)] = 0
    qos: Literal[0, 1, 2] = 1
    topic_name: str = ""
    time: MqttTime = MqttTime()
    separator: Separator = ","
    decimal: Decimal = "."
    order: Order = "ABCD"
    online_topic: str = ""
    online_path: str = ""
    offline: str = "offline"

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        super().__post_init__()
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

    def online_field(self) -> PayloadField:
        """Return where in a payload the device says whether it is there."""
        return PayloadField(self.online_path, is_text=True)


class MqttPoint(ValueSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is in the device's messages, and how it is commanded.

    Attributes:
        topic: topic or filter.
        path: JSON path of the value, which is a text or bytes in turn; empty: the payload is.
        time: where and how the message says its time; what is left out is the device's.
        encoding: of bytes that come as text.
        command_topic, command: where and what is published to set it.
    """

    topic: str
    path: str = ""
    time: MqttTime = MqttTime()
    encoding: Literal["", "hex", "base64"] = ""
    command_topic: str = ""
    command: str = "{value:g}"

    def __post_init__(self) -> None:
        """Refuse topics, paths and templates that cannot work (ValueError)."""
        super().__post_init__()
        _check_filter("topic", self.topic)
        PayloadField(self.path, self.time.path or "")
        if self.at is None and self.encoding:
            raise ValueError("encoding goes with at, the place in bytes")
        if self.at is not None and self.path and not self.encoding:
            raise ValueError("bytes in JSON are a text: encoding must say hex or base64")
        if "#" in self.command_topic or "+" in self.command_topic:
            raise ValueError("command_topic must be one topic, without wildcards")
        template = self._template("ABCD")
        if template.has("address"):
            raise ValueError("{address} in command is for serial instruments")
        if template.has("word") and not self.words:
            raise ValueError("{word} in command is one of words, which there are none of")
        template.render(value=1.0, word="")

    def field(self, point: Point, device: MqttDevice) -> PayloadField:
        """Return where the value of ``point`` is in a payload.

        Raises:
            ValueError: it cannot be there.
        """
        self.check(point.kind)
        time = self.time.beside(device.time)
        return PayloadField(
            self.path,
            (time.path or "") if self.path else "",
            stamp=time.stamp(),
            place=self.in_text(device.separator),
            numeral=self.numeral(point, device.decimal),
            field=None if self.at is None else self.in_bytes(device.order),
            inside=Inside(self.encoding),
            is_text=point.kind == Kind.TEXT,
        )

    def payload(self, value: float, order: str) -> bytes:
        """Return what is published to set ``value``; ``order``: of numbers in bytes.

        Raises:
            ValueError: it does not fit, or no word stands for it.
        """
        return self._template(order).render(value=value, word=self.word(value))

    def _template(self, order: str) -> Template:
        return Template(self.command, encoding="utf-8", order=self.order or order)


def _check_filter(name: str, topic: str) -> None:
    """Refuse what is no topic filter (ValueError)."""
    try:
        aiomqtt.Wildcard(topic)
    except ValueError:
        raise ValueError(f"{name} {topic!r} is not a topic or topic filter") from None
    if topic.startswith(SHARED):
        raise ValueError(f"{name} {topic!r} would give this gateway a part of the messages only")
