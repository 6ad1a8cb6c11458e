"""MQTT settings: what a technician writes about a broker, a device and its points."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import aiomqtt
import msgspec

from citytwin.adapter import Binding
from citytwin.point import Kind, Point
from citytwin_edge.adapters.mqtt_broker import Broker
from citytwin_edge.adapters.places import Decimal, Hours, Separator, ValueSettings
from citytwin_edge.wire.cayenne import LppField
from citytwin_edge.wire.fields import Order
from citytwin_edge.wire.payload import Inside, Path, PayloadField, Place
from citytwin_edge.wire.stamps import AUTO, Stamp
from citytwin_edge.wire.tagged import LENGTH_MAX, Tagged, Tags
from citytwin_edge.wire.templates import Template

DEVICE: Final = "{device}"
"""In a topic: the device's name, or its ``topic_name``."""
SHARED: Final = "$share/"
USUAL: Final = "{value:g}"
"""What is published to set a point, unless it or its dialect says otherwise."""

DialectName = Literal["", "zigbee2mqtt", "tasmota", "thethingsstack", "thingsboard"]
Topics = str | tuple[str, ...]
Wanted = bool | int | float | str
Port = Annotated[int, msgspec.Meta(ge=0, le=255)]


class MqttTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a message says what time it is; what a point leaves out is the device's.

    Attributes:
        path: JSON path of the time; empty: nowhere.
        format: how it is written: ``auto``, or as in strptime; see
            :class:`citytwin_edge.wire.stamps.Stamp`.
        utc_offset_h: by how many hours the clock is ahead of UTC, for times that name no offset.
        optional: whether there are messages without a time; they have the time that they come.
    """

    path: str | None = None
    format: str | None = None
    utc_offset_h: Hours | None = None
    optional: bool | None = None

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
        return Stamp(self.format or AUTO, self.utc_offset_h, bool(self.optional))


class MqttDevice(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's own settings: its broker and how it is reached.

    Attributes:
        dialect: a convention that fills in what is left out; see ``mqtt_dialects``.
        base: what the dialect lets people choose, such as the first level of its topics.
        session_s: for how long the broker shall keep what was sent while the gateway was away; 0:
            not at all. MQTT 3.1.1 has no number for it: there the broker decides.
        qos: at which messages are asked for and commands are sent.
        topic_name: what ``{device}`` stands for in topics; empty: the device's name.
        time: where and how its messages say what time it is.
        separator: between the columns of a text.
        decimal: decimal point or comma of a text.
        order: byte order of numbers in bytes.
        topic: of points that name none.
        partial: whether a message may leave a point out: then it says nothing of it.
        records: JSON path of the records in a message; each counts like a message of its own.
        once: JSON paths that together say which message it is; one that comes again is left out.
        tags: of values in bytes that have a tag before them: the bytes behind each tag; see
            :class:`citytwin_edge.wire.tagged.Tags`.
        tags_end: bytes at the end of such a message that are no value, such as a checksum.
        online_topic: where the device, or the broker in its stead (last will), says whether it is
            there.
        online_path: JSON path of that; empty: the payload is it.
        offline: what then makes it silent at once; empty: "offline".
    """

    dialect: DialectName = ""
    base: str = ""
    session_s: Annotated[int, msgspec.Meta(ge=0, le=2_592_000)] = 0
    qos: Literal[0, 1, 2] = 1
    topic_name: str = ""
    time: MqttTime = MqttTime()
    separator: Separator = ","
    decimal: Decimal = "."
    order: Order = "ABCD"
    topic: Topics = ()
    partial: bool | None = None
    records: str = ""
    once: tuple[str, ...] = ()
    tags: dict[str, Annotated[int, msgspec.Meta(ge=0, le=LENGTH_MAX)]] = msgspec.field(
        default_factory=dict
    )
    tags_end: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    online_topic: Topics = ()
    online_path: str = ""
    offline: str = ""

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        super().__post_init__()
        if self.session_s and not self.client_id:
            raise ValueError("session_s needs client_id, by which the broker knows the gateway")
        if self.session_s and self.qos != 1:
            raise ValueError("session_s needs qos = 1: only there a message waits for its receipt")
        if any(letter in self.topic_name for letter in "+#"):
            raise ValueError("topic_name stands in a topic, so it has no + and #")
        if "/" in self.topic_name and not self.dialect:
            raise ValueError("topic_name must be one level of a topic, without +, # and /")
        if self.base and not self.dialect:
            raise ValueError("base belongs to a dialect")
        if self.online_path and not (self.online_topic or self.dialect):
            raise ValueError("online_path needs online_topic")
        if self.tags_end and not self.tags:
            raise ValueError("tags_end goes with tags")
        for name in ("topic", "online_topic"):
            for topic in several(getattr(self, name)):
                _check_filter(name, topic)
        self.tagged()
        self.online_fields()
        if self.records:
            Path(self.records)
        for path in self.once:
            Path(path)

    def online_fields(self) -> list[PayloadField]:
        """Return where in a payload the device says whether it is there: plainly, if not there."""
        paths = dict.fromkeys((self.online_path, ""))
        return [PayloadField(path, is_text=True) for path in paths]

    def tagged(self) -> Tags | None:
        """Return the tags of values in bytes (ValueError)."""
        return Tags(self.tags, self.tags_end) if self.tags else None


class MqttPoint(ValueSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is in the device's messages, and how it is commanded.

    Attributes:
        topic: topic or filter, or several; empty: the device's.
        path: JSON path of the value, which is a text or bytes in turn; empty: the payload is.
        where: what must be at some JSON paths for a message to be about the point.
        tag: the tag before the value in bytes; ``at`` then counts from behind it.
        lpp: its name in a payload of Cayenne LPP, such as temperature_3.
        f_port: the LoRaWAN port of its messages (dialect thethingsstack).
        time: where and how the message says its time; what is left out is the device's.
        encoding: of bytes that come as text, and of a command in its envelope.
        command_topic: where it is published to set it.
        command: what is published to set it, with ``{value}`` or ``{word}``; empty: the number.
        envelope: a text around the command, which stands in it for ``{command}``, encoded.
        command_port: the LoRaWAN port that it is sent to (dialect thethingsstack).
    """

    topic: Topics = ()
    path: str = ""
    where: dict[str, Wanted | tuple[Wanted, ...]] = msgspec.field(default_factory=dict)
    tag: str = ""
    lpp: str = ""
    f_port: Port | tuple[Port, ...] = ()
    time: MqttTime = MqttTime()
    encoding: Literal["", "hex", "base64"] = ""
    command_topic: str = ""
    command: str = ""
    envelope: str = ""
    command_port: Port = 1

    def __post_init__(self) -> None:
        """Refuse topics, paths and templates that cannot work (ValueError)."""
        super().__post_init__()
        for topic in several(self.topic):
            _check_filter("topic", topic)
        if "{" not in self.path:  # else of a dialect, which says what stands there
            PayloadField(self.path, self.time.path or "")
        for path in self.where:
            Path(path)
        if self.tag and self.at is None:
            raise ValueError("tag goes with at, the place in the bytes behind it (at = 0)")
        if self.lpp and (self.at is not None or self.words or self.sentinel):
            raise ValueError(
                "lpp finds its number by itself: at, words and sentinel do not go with it"
            )
        if self.lpp:
            LppField(self.lpp)
        if self.envelope and "{command}" not in self.envelope:
            raise ValueError("envelope must say where the {command} stands in it")
        if self.encoding and self.at is None and not (self.lpp or self.envelope):
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
            inside=Inside(self.encoding, self._place(device)),
            is_text=point.kind == Kind.TEXT,
        )

    def _place(self, device: MqttDevice) -> Place | None:
        """Return where among bytes the value's own are (ValueError)."""
        if self.lpp:
            return LppField(self.lpp)
        if not self.tag:
            return None
        tags, tag = device.tagged(), bytes.fromhex(self.tag)
        if tags is None or not tags.has(tag):
            raise ValueError(f"tag {self.tag!r} is not in the device's tags")
        return Tagged(tags, tag)

    def payload(self, value: float, order: str) -> bytes:
        """Return what is published to set ``value``; ``order``: of numbers in bytes.

        Raises:
            ValueError: it does not fit, or no word stands for it.
        """
        body = self._template(order).render(value=value, word=self.word(value))
        if not self.envelope:
            return body
        if self.encoding == "base64":
            text = base64.b64encode(body).decode()
        else:
            text = body.hex() if self.encoding == "hex" else body.decode("utf-8")
        return self.envelope.replace("{command}", text).encode()

    def _template(self, order: str) -> Template:
        return Template(self.command or USUAL, encoding="utf-8", order=self.order or order)


def name_of(settings: MqttDevice, bindings: Sequence[Binding]) -> str:
    """Return what a device is called; one without points, as for a scan, has a name, too."""
    return bindings[0].point.device if bindings else settings.topic_name or "scan"


def several(topics: Topics) -> tuple[str, ...]:
    """Return topics as a list, whichever way they were written."""
    if isinstance(topics, str):
        return (topics,) if topics else ()
    return topics


def _check_filter(name: str, topic: str) -> None:
    """Refuse what is no topic filter (ValueError)."""
    try:
        aiomqtt.Wildcard(topic)
    except ValueError:
        raise ValueError(f"{name} {topic!r} is not a topic or topic filter") from None
    if topic.startswith(SHARED):
        raise ValueError(f"{name} {topic!r} would give this gateway a part of the messages only")
