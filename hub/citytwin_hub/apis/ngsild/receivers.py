"""Receivers: which addresses a notification may be sent to, and what an address says.

Whoever may make a subscription could let the hub call any machine that the hub can reach. So it
calls this machine alone, and the hosts that the operator lists (``[ngsild] notify_hosts``).

>>> receivers = Receivers(["alarms.example.org"])
>>> receivers.read("mqtt://hub@alarms.example.org/city/tanks").topic
'city/tanks'
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from citytwin_hub.entities.errors import BadRequestData

PORTS: Final = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}
URI_CHARS_MAX: Final = 2048


class Receiver(NamedTuple):
    """Where notifications go.

    Attributes:
        uri: as it was given.
        scheme: ``http``, ``https``, ``mqtt`` or ``mqtts``.
        host, port: which machine.
        user, password: for MQTT; empty for none.
        topic: for MQTT.
    """

    uri: str
    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""
    topic: str = ""

    @property
    def is_mqtt(self) -> bool:
        """Whether it is reached by MQTT."""
        return self.scheme in ("mqtt", "mqtts")


class Receivers:
    """Reads addresses and refuses those that may not be called."""

    def __init__(self, hosts: Collection[str] = ()) -> None:
        """Take the hosts that may be called beside this machine.

        Args:
            hosts: names such as ``example.org`` (any port) or ``example.org:8080`` (this port).
        """
        self._hosts = frozenset(host.lower() for host in hosts)

    def read(self, uri: str) -> Receiver:
        """Return what an address says.

        Raises:
            BadRequestData: it is not an address for notifications, or may not be called.
        """
        receiver = _read(uri)
        host = receiver.host
        if _is_loopback(host) or self._hosts & {host, f"{host}:{receiver.port}"}:
            return receiver
        raise BadRequestData(
            f"notifications may not be sent to {host}: the operator of this hub allows hosts in "
            "its configuration, [ngsild] notify_hosts"
        )


def _read(uri: str) -> Receiver:
    wrong = (
        f"endpoint.uri is {uri[:200]!r}; it is an address such as http://host/path or "
        "mqtt://host/topic"
    )
    try:
        parts = urlsplit(uri)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise BadRequestData(wrong) from None
    host = (parts.hostname or "").lower()
    if not host or len(uri) > URI_CHARS_MAX or not uri.isprintable() or " " in uri:
        raise BadRequestData(wrong)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    receiver = Receiver(uri, parts.scheme, host, port, user, password)
    if not receiver.is_mqtt:
        return receiver
    topic = unquote(parts.path.removeprefix("/"))
    if not topic or {"+", "#", "\0"} & set(topic) or parts.query or parts.fragment:
        raise BadRequestData(f"endpoint.uri {uri[:200]!r} has no topic to publish to behind host")
    return receiver._replace(topic=topic)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
