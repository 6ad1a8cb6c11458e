"""Delivery by MQTT (ETSI GS CIM 009, clause 7.2): one connection for each server and user."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from typing import Final, NamedTuple

import aiomqtt
import msgspec

from citytwin_hub.apis.ngsild.notifications import Message
from citytwin_hub.apis.ngsild.receivers import Receiver
from citytwin_hub.entities.notices import Undelivered

CONNECTIONS_MAX: Final = 50
"""Servers that stay connected; the one that was not needed for longest makes room."""
CONNECT_S_MAX: Final = 5.0
QOS_DEFAULT: Final = 0
VERSIONS: Final = {
    "mqtt3.1.1": aiomqtt.ProtocolVersion.V311,
    "mqtt5.0": aiomqtt.ProtocolVersion.V5,
}
VERSION_DEFAULT: Final = "mqtt5.0"

_encode: Final = msgspec.json.Encoder().encode


class _Server(NamedTuple):
    scheme: str
    host: str
    port: int
    user: str
    password: str
    version: str


class MqttDelivery:
    """Publishes notifications; belongs to one event loop."""

    def __init__(self) -> None:
        """Connect to nobody yet."""
        self._clients: OrderedDict[_Server, aiomqtt.Client] = OrderedDict()
        self._locks: dict[_Server, asyncio.Lock] = {}

    async def close(self) -> None:
        """Close every connection."""
        for server in list(self._clients):
            await self._drop(server)

    async def send(
        self, receiver: Receiver, info: tuple[tuple[str, str], ...], message: Message
    ) -> None:
        """Publish a notification; with QoS 1 and 2 return when the server has it.

        Raises:
            Undelivered: the server cannot be reached, or refuses it.
        """
        settings = dict(info)
        version = settings.get("MQTT-Version", VERSION_DEFAULT)
        qos = int(settings.get("MQTT-QoS", QOS_DEFAULT))
        server = _Server(
            receiver.scheme, receiver.host, receiver.port, receiver.user, receiver.password, version
        )
        metadata = {"Content-Type": message.media} | message.header
        payload = _encode({"metadata": metadata, "body": message.content})
        known = server in self._clients
        try:
            await self._publish(server, receiver.topic, payload, qos)
        except aiomqtt.MqttError as error:
            await self._drop(server)
            if not known:
                raise Undelivered(_unreachable(receiver, error)) from error
            # The connection may have died while nobody needed it.
            try:
                await self._publish(server, receiver.topic, payload, qos)
            except aiomqtt.MqttError as again:
                await self._drop(server)
                raise Undelivered(_unreachable(receiver, again)) from again

    async def _publish(self, server: _Server, topic: str, payload: bytes, qos: int) -> None:
        async with self._locks.setdefault(server, asyncio.Lock()):
            client = self._clients.get(server)
            if client is None:
                client = await self._connect(server)
            self._clients.move_to_end(server)
        await client.publish(topic, payload, qos)

    async def _connect(self, server: _Server) -> aiomqtt.Client:
        while len(self._clients) >= CONNECTIONS_MAX:
            await self._drop(next(iter(self._clients)))
        client = aiomqtt.Client(
            server.host,
            server.port,
            username=server.user or None,
            password=server.password or None,
            protocol=VERSIONS[server.version],
            timeout=CONNECT_S_MAX,
            tls_context=ssl.create_default_context() if server.scheme == "mqtts" else None,
        )
        await client.__aenter__()
        self._clients[server] = client
        return client

    async def _drop(self, server: _Server) -> None:
        client = self._clients.pop(server, None)
        if len(self._locks) > 2 * CONNECTIONS_MAX:
            self._locks.clear()
        if client is None:
            return
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            return  # it was dead already


def _unreachable(receiver: Receiver, error: Exception) -> str:
    return f"the MQTT server {receiver.host}:{receiver.port} does not take it: {error}"
