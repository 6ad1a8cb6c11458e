"""Wireless M-Bus settings: what a technician writes about a meter that sends by radio.

docs/guides/mbus.md explains each of them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.mbus_settings import Byte, Which, key_of
from citytwin_edge.adapters.mqtt_broker import Broker
from citytwin_edge.adapters.places import Hours
from citytwin_edge.wire.payload import PayloadField
from citytwin_edge.wire.templates import Template

Receiver = Literal["lines", "im871a", "amb8465"]
_BAUDS: Final = {"lines": 38_400, "im871a": 57_600, "amb8465": 9600}


class BrokerSettings(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker that a receiver publishes telegrams to.

    Attributes:
        topic: topic or filter of the telegrams.
        path: JSON path of the telegram, a text; empty: the payload is it.
        qos: at which they are asked for.
    """

    topic: str
    path: str = ""
    qos: Literal[0, 1, 2] = 1

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        self.field()
        if not self.topic or self.topic.startswith("$share/"):
            raise ValueError(f"topic {self.topic!r} is not a topic or topic filter")

    def field(self) -> PayloadField:
        """Return where in a payload the telegram is."""
        return PayloadField(self.path, is_text=True)


class WmbusDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meter's own settings.

    Attributes:
        serial: port of the receiver; or ``host`` and ``port``, or ``mqtt``.
        host: a receiver in the network.
        port: TCP port of that receiver.
        mqtt: a broker that a receiver publishes to.
        receiver: how it writes telegrams: lines of text, or as a stick of IMST or Amber does.
        baud: of its port; by default what such receivers have.
        rssi: an AMB8465 is set to add the strength of the signal.
        start: what is sent to it when its port is opened, as ``X21\\r\\nbrc\\r\\n`` to a CUL.
        id: the 8 digits on the meter.
        manufacturer: its three letters, where the id is not enough.
        version: generation of the meter, where the id is not enough.
        medium: what it measures, as a number, where the id is not enough.
        key: 32 hexadecimal digits, where it encrypts.
        time: whose clock stamps the samples.
        utc_offset_h: by how many hours the meter's clock is ahead of UTC.
        connect_timeout_s: how long a TCP connection may take.
        scan_s_max: for how long a scan listens.
    """

    serial: str = ""
    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 4001
    mqtt: BrokerSettings | None = None
    receiver: Receiver = "lines"
    baud: Annotated[int, msgspec.Meta(ge=300, le=4_000_000)] | None = None
    rssi: bool = False
    start: str = ""
    id: str = ""
    manufacturer: str = ""
    version: Byte | None = None
    medium: Byte | None = None
    key: str = ""
    time: Literal["gateway", "meter"] = "gateway"
    utc_offset_h: Hours | None = None
    connect_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0
    scan_s_max: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 120.0

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        if (bool(self.serial), bool(self.host), self.mqtt is not None).count(True) != 1:
            raise ValueError(
                'a receiver needs serial, its port (serial = "/dev/ttyUSB0"), or host and port of '
                "one in the network, or mqtt, the broker that it publishes to"
            )
        if self.mqtt is not None and (self.receiver != "lines" or self.start):
            raise ValueError("receiver and start belong to a receiver on a port; mqtt brings texts")
        if self.rssi and self.receiver != "amb8465":
            raise ValueError('rssi goes with receiver = "amb8465"; others say it by themselves')
        self.which().check()
        if "F" in self.id:
            raise ValueError(f"id {self.id!r} must be the 8 digits of one meter, without F")
        if self.time == "meter" and self.utc_offset_h is None:
            raise ValueError('time = "meter" needs utc_offset_h: a meter\'s clock has no offset')
        key_of(self.key)
        self.start_bytes()

    def __repr__(self) -> str:
        return f"WmbusDevice({self.where()})"  # not the key

    def which(self) -> Which:
        """Return which meter is meant."""
        return Which(self.id, self.manufacturer, self.version, self.medium)

    def start_bytes(self) -> bytes:
        """Return what is sent when the port is opened (ValueError)."""
        template = Template(self.start, encoding="latin-1")
        if any(template.has(name) for name in ("value", "word", "address")):
            raise ValueError("start is sent as it is; it has no {value}, {word} or {address}")
        return template.render()

    def endpoint(self) -> Endpoint:
        """Return where the receiver is."""
        if self.host:
            return Endpoint(
                self.receiver,
                host=self.host,
                port=self.port,
                connect_timeout_s=self.connect_timeout_s,
            )
        return Endpoint(
            self.receiver,
            serial=self.serial,
            baud=self.baud or _BAUDS[self.receiver],
            connect_timeout_s=self.connect_timeout_s,
        )

    def where(self) -> str:
        """Return which meter it is, for people."""
        source = self.endpoint() if self.mqtt is None else self.mqtt.connection()
        return f"meter {self.which()} heard at {source}"
