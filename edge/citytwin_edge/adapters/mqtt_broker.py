"""MQTT broker: what a technician writes about a broker, for every adapter that may listen to one.

It has a module of its own, so that an adapter that can do without a broker loads no MQTT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec


@dataclass(frozen=True, slots=True)
class Connection:
    """What all devices on one connection agree about; the fields are those of Broker."""

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


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker, and how the gateway is known to it.

    Attributes:
        host: name or address of the broker.
        port: its TCP port; with ``tls`` it usually is 8883.
        version: of MQTT: 3.1.1 or 5.
        user: the name under which the broker knows the gateway.
        password_file: a file that holds its password alone.
        tls: whether to encrypt.
        ca_file: who vouches for the broker; empty: the system's authorities.
        certificate_file: the gateway's own certificate.
        key_file: the key of that certificate.
        client_id: under which the broker keeps the session; empty: a random one.
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
