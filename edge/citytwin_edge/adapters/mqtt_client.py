"""An MQTT client for one connection: what aiomqtt does not show of paho, and nothing else.

aiomqtt (2.5) keeps back two things that a gateway must have: whether a message is one sent again
(DUP), and the receipt (PUBACK), which paho otherwise gives before anything was kept. And paho takes
40 µs for each message, so that whole messages are cut from the stream before it sees them. All
three are reached through aiomqtt's own paho client, here and nowhere else
(docs/decisions/0021-mqtt-messages-cut.md).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, MQTTMessage
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
from paho.mqtt.reasoncodes import ReasonCode

from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.mqtt_broker import Connection
from citytwin_edge.wire.mqtt_publish import Message, published

PACKET_BYTES_MAX: Final = 1024 * 1024
"""MQTT 5 lets a client say so; a broker keeps larger messages to itself."""
UNKEPT_MAX: Final = 1000
"""Messages without a receipt at one time, in a kept session. Before MQTT 5 the broker decides."""
PUBLISH_S_MAX: Final = 5.0
AHEAD_BYTES_MAX: Final = 16 * 1024
"""Read from a broker at a time: what is handled before anybody else has a turn."""
FAILED: Final = 0x80
_CLOSED: Final = "Unspecified error"  # paho's word for a connection that is closed without one
_IDENTIFIERS: Final = 268_435_455
_CLOSE_S_MAX: Final = 0.9
_PROPERTIES: Final[Callable[[int], Any]] = Properties  # which has no types
_LENGTH: Final[Any] = VariableByteIntegers
PROPERTIES_MAX: Final = 1000
"""Different properties of messages whose meaning is remembered."""
PROPERTIES_BYTES_MAX: Final = 256
"""Of those; longer ones carry what is new in each message, and are read anew."""


class Said(NamedTuple):
    """What is published."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Client(aiomqtt.Client):
    """One connection; hands every message over at the moment it comes."""

    def __init__(
        self,
        connection: Connection,
        arrived: Callable[[Message], None],
        client_id: str,
        will: Said | None = None,
    ) -> None:
        """Read the files that are named; touches no network.

        Args:
            connection: what is agreed about it.
            arrived: is called with each message.
            client_id: empty: a random one.
            will: what the broker says when the connection is lost.

        Raises:
            OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
        """
        self._is_5 = connection.version == "5"
        self.is_kept = connection.session_s > 0
        self.is_resumed = False
        self._numbers_filters = True
        self._log = _Remembered()
        super().__init__(
            connection.host,
            connection.port,
            username=connection.user or None,
            password=_password(connection.password_file),
            identifier=client_id or None,
            protocol=aiomqtt.ProtocolVersion.V5 if self._is_5 else aiomqtt.ProtocolVersion.V311,
            keepalive=connection.keep_alive_s,
            timeout=connection.connect_timeout_s,
            clean_session=None if self._is_5 else not self.is_kept,
            clean_start=not self.is_kept if self._is_5 else MQTT_CLEAN_START_FIRST_ONLY,
            properties=self._wishes(connection) if self._is_5 else None,
            tls_context=_tls(connection) if connection.tls else None,
            will=None if will is None else aiomqtt.Will(*will),
            logger=self._log,
        )
        self._client.connect_timeout = connection.connect_timeout_s
        connect = self._client._create_socket
        setattr(self._client, "_create_socket", lambda: _Ahead(connect(), self._cut))  # noqa: B010  # a method
        self._arrived = arrived
        self._client.on_message = lambda _client, _userdata, message: arrived(_converted(message))
        if self.is_kept:
            self._client.manual_ack_set(True)

    def _wishes(self, connection: Connection) -> Properties:
        wishes: Properties = _PROPERTIES(PacketTypes.CONNECT)
        wishes.MaximumPacketSize = PACKET_BYTES_MAX
        if self.is_kept:
            wishes.SessionExpiryInterval = connection.session_s
            wishes.ReceiveMaximum = UNKEPT_MAX
        return wishes

    def _cut(self, ahead: memoryview) -> memoryview:
        """Hand over the messages that what was read begins with; return the rest for paho."""
        if self._client._in_packet["command"]:  # it is in the middle of a packet
            return ahead
        messages, done = published(bytes(ahead), is_5=self._is_5)
        for message in messages:
            self._arrived(message)
            if message.qos and not self.is_kept:
                self._client._send_puback(message.mid)  # as paho does, having handed it over
        return ahead[done:]

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None
    ) -> None:
        self.is_resumed = flags.session_present
        self._numbers_filters = getattr(properties, "SubscriptionIdentifierAvailable", 1) != 0
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any = None
    ) -> None:
        # While it is being made, aiomqtt would wait for an answer that cannot come. When that has
        # timed out already nobody waits, and nobody would retrieve an error.
        if self._lock.locked() and not self._connected.done():
            said = f" ({self._log.last})" if self._log.last else ""
            error = aiomqtt.MqttError(f"it closed the connection before it answered{said}")
            self._connected.set_exception(error)
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    async def enter(self) -> str:
        """Connect; return why that failed, empty if it did not. Not to be cancelled."""
        try:
            await self.__aenter__()
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            await self._let_go()
            return _why(error)
        return ""

    async def leave(self) -> None:
        """Disconnect, within a second."""
        try:
            async with asyncio.timeout(_CLOSE_S_MAX):
                await self.__aexit__(None, None, None)
        except (TimeoutError, aiomqtt.MqttError):
            await self._let_go()
        self._forget()

    async def _let_go(self) -> None:
        """Close what is left of a connection that failed: paho would keep its socket."""
        self._client.disconnect()
        await asyncio.sleep(0)  # aiomqtt watches the socket only now: it must not be closed before
        self._client.loop_write()  # a farewell, if the broker takes it; then it is closed
        if self._client.socket() is not None:
            self._client._sock_close()
        self._forget()

    def _forget(self) -> None:
        """Retrieve what ended the connection: whoever asks for it no more has been told already.

        asyncio would complain of each, when it is collected, on whatever screen there is.
        """
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()

    async def lost(self) -> str:
        """Wait until the connection is lost; return why."""
        try:
            await anext(self.messages)  # never gives one: they are handed over before
        except aiomqtt.MqttError as error:
            return _why(error.__cause__ or error)
        raise AssertionError("a message was left to aiomqtt")

    async def ask_for(self, topic: str, qos: int) -> str:
        """Subscribe; return why the broker refuses, empty if it does not.

        Raises:
            MqttError: the connection is lost.
        """
        properties = None
        if self._is_5 and self._numbers_filters:
            properties = _PROPERTIES(PacketTypes.SUBSCRIBE)
            properties.SubscriptionIdentifier = identifier(topic)
        answers = await self.subscribe(topic, qos, None, properties)
        answer: int | ReasonCode = answers[0]
        if isinstance(answer, ReasonCode):
            return str(answer) if answer.is_failure else ""
        return f"code {answer}" if answer >= FAILED else ""

    async def say(self, said: Said) -> None:
        """Publish.

        Raises:
            DeviceSilent: the broker does not take it; the text says why, without its name.
        """
        try:
            await self.publish(*said, timeout=PUBLISH_S_MAX)
        except (aiomqtt.MqttError, OSError) as error:
            raise DeviceSilent(_why(error.__cause__ or error)) from None

    def receipt(self, message_id: int) -> None:
        """Tell the broker that it may forget a message of QoS 1."""
        self._client.ack(message_id, 1)


class _Ahead:
    """A socket that is read ahead of paho, which asks it three times and more for one message.

    What has been read says ``pending``, as that of TLS does, so that aiomqtt goes on asking.
    """

    def __init__(self, socket: Any, cut: Callable[[memoryview], memoryview]) -> None:
        self._socket, self._cut = socket, cut
        self._ahead = memoryview(b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def pending(self) -> int:
        beneath = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return len(self._ahead) + beneath

    def recv(self, size: int) -> bytes:
        """Return what is paho's to read (BlockingIOError: nothing is; b"": the end)."""
        if not self._ahead:
            self._ahead = memoryview(self._socket.recv(AHEAD_BYTES_MAX))
            if not self._ahead:
                return b""
        self._ahead = self._cut(self._ahead)
        if not self._ahead:
            raise BlockingIOError
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return bytes(data)


class _Remembered(logging.Logger):
    """Takes what paho logs, of which the last error alone says why a connection was lost."""

    def __init__(self) -> None:
        super().__init__("mqtt", logging.ERROR)
        self.last = ""

    def handle(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def identifier(topic: str) -> int:
    """Return the number by which MQTT 5 says which subscription a message is for.

    The same for the same filter in every run, since a kept session remembers it.
    """
    return zlib.crc32(topic.encode()) % _IDENTIFIERS + 1


def identifiers(properties: bytes) -> frozenset[int]:
    """Return the numbers that a message came with; none where the broker names none.

    Args:
        properties: those of ``Message``. One that breaks the rules names none.
    """
    short = len(properties) <= PROPERTIES_BYTES_MAX
    return _known_identifiers(properties) if short else _read_identifiers(properties)


def _read_identifiers(properties: bytes) -> frozenset[int]:
    if not properties:
        return frozenset()
    read = _PROPERTIES(PacketTypes.PUBLISH)
    try:
        read.unpack(_LENGTH.encode(len(properties)) + properties)
    except (MQTTException, KeyError, ValueError, IndexError, struct.error):
        return frozenset()
    return frozenset(getattr(read, "SubscriptionIdentifier", ()))


_known_identifiers: Final = lru_cache(PROPERTIES_MAX)(_read_identifiers)


def _converted(message: MQTTMessage) -> Message:
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = ""
    properties: Any = message.properties
    packed: bytes = b"" if properties is None else properties.pack()
    bare = packed[_LENGTH.decode(packed)[1] :] if packed else b""
    return Message(topic, bytes(message.payload), message.qos, message.retain, message.dup,
                   message.mid, bare)  # fmt: skip


def _password(path: str) -> str | None:
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise OSError(f"{path} is not a text in UTF-8") from None


def _tls(connection: Connection) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=connection.ca_file or None)
    except OSError as error:
        raise OSError(f"ca_file {connection.ca_file}: {error.strerror or error}") from None
    if connection.certificate_file:
        try:
            context.load_cert_chain(connection.certificate_file, connection.key_file)
        except OSError as error:
            raise OSError(
                f"certificate_file {connection.certificate_file} with key_file "
                f"{connection.key_file}: {error.strerror or error}"
            ) from None
    return context


def _why(error: BaseException) -> str:
    """Return why, without the number that stands before it."""
    text = str(error) or type(error).__name__
    if text.endswith(_CLOSED):
        return "it closed the connection without a reason (a second client with this client_id?)"
    return text.partition("] ")[2] if text.startswith(("[code:", "[Errno")) else text
