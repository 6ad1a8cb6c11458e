"""MQTT: devices that publish to a broker, MQTT 3.1.1 and 5, with TLS, passwords, certificates.

docs/guides/mqtt.md explains the settings. Devices of one broker share one connection.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Final

import aiomqtt
import msgspec
import structlog
from paho.mqtt.client import MQTTMessage

from citytwin.adapter import Binding, Direction, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import (
    ConfigError,
    DeviceMalformed,
    DeviceRefused,
    DeviceSilent,
    StoreFull,
)
from citytwin.quality import Quality
from citytwin_edge.adapters.mqtt_client import Client
from citytwin_edge.adapters.mqtt_line import Line
from citytwin_edge.adapters.mqtt_listener import Arrival, Heard, Lost
from citytwin_edge.adapters.mqtt_settings import DEVICE, MqttDevice, MqttPoint
from citytwin_edge.wire.payload import Payload, PayloadField

PROBE_S: Final = 10.0
PUBLISH_S_MAX: Final = 5.0
RAW_BYTES_MAX: Final = 200
EXCERPT_CHARS_MAX: Final = 60
PROBED_MAX: Final = 1000
"""Messages that a probe takes in; what it seeks is among them, or is not sent."""
_ONLINE: Final = -1
"""The mark of the topic that says whether the device is there; points have 0 and more."""

_log = structlog.get_logger(__name__)


class Mqtt:
    """One device on a broker: listens for as long as it is open, publishes commands."""

    def __init__(
        self,
        settings: MqttDevice,
        bindings: Sequence[Binding],
        fields: Sequence[PayloadField],
        line: Line,
        site: Site,
    ) -> None:
        """Join the line; touches no network. ``fields`` has one row for each binding."""
        self._settings, self._line, self._site = settings, line, site
        self._addresses: list[MqttPoint] = [binding.address for binding in bindings]
        self._fields = list(fields)
        self._name = bindings[0].point.device
        self._level = settings.topic_name or self._name
        self._topics = {
            index: (self._topic(one.topic), settings.qos)
            for index, one in enumerate(self._addresses)
        }
        self._online = settings.online_field()
        self._is_offline = False
        topics = dict(self._topics)
        if settings.online_topic:
            topics[_ONLINE] = (self._topic(settings.online_topic), settings.qos)
        self._listener = line.join(self._name, topics)

    def _topic(self, template: str) -> str:
        return template.replace(DEVICE, self._level)

    async def open(self) -> None:
        """Nothing to get ready: listening connects."""

    async def close(self) -> None:
        """Listen no more; the last device to do so closes the connection."""
        await self._line.forsake(self._listener)

    def part(self) -> None:
        """Ask for its topics no more; see the contract."""
        self._line.part(self._listener)

    async def listen(self) -> AsyncIterator[Batch]:
        """Yield what each message says; DeviceSilent when the broker is lost."""
        self._line.attend(self._listener)
        try:
            while (heard := await self._listener.get()) is not None:
                lost = self._listener.lost()
                batch = Batch.concat([self._missing(lost), self._batch(heard)])
                if len(batch):
                    yield batch
                # Asked for the next: the gateway has taken this one.
                self._listener.taken(heard.arrival)
        finally:
            await self._line.forsake(self._listener)

    def confirmation(self) -> Callable[[], None] | None:
        """Return what lets the broker forget what was yielded; see the contract."""
        return self._listener.confirmation()

    async def write(self, point: int, value: float) -> None:
        """Publish a command; see the contract."""
        address = self._addresses[point]
        if not address.command_topic:
            raise DeviceRefused("the point has no command_topic")
        try:
            payload = address.payload(value, self._settings.order)
        except ValueError as error:
            raise DeviceRefused(f"not written: {error}") from None
        client = self._line.client
        if client is None:
            raise DeviceSilent(f"{self._line.connection} is not connected")
        topic = self._topic(address.command_topic)
        self._site.tap(self._line.name, Direction.SENT, payload, device=self._name, note=topic)
        try:
            await client.publish(
                topic,
                payload,
                qos=self._settings.qos,
                timeout=PUBLISH_S_MAX,
            )
        except (aiomqtt.MqttError, OSError) as error:
            raise DeviceSilent(f"{self._line.connection}: {error}") from None

    # ---- a technician's look

    async def probe(self) -> Sequence[Probed]:
        """Wait a while for one message of every point, on a connection of its own.

        The running agent's session is left alone: a second client with its id would end it.
        """
        begun_ns = self._site.clock.monotonic_ns()
        found: dict[int, Probed] = {}
        note = f"no message within {PROBE_S:g} s"
        messages: asyncio.Queue[MQTTMessage] = asyncio.Queue(maxsize=PROBED_MAX)

        def arrived(message: MQTTMessage) -> None:
            with suppress(asyncio.QueueFull):
                messages.put_nowait(message)

        settings = self._line.connection
        own_id = settings.client_id and f"{settings.client_id}-probe"
        try:
            client = Client(replace(settings, session_s=0), arrived, own_id)
            why = await client.enter()
            if why:
                return self._unheard(found, why)
            try:
                async with asyncio.timeout(PROBE_S):
                    refused = await self._ask(client)
                    while len(found) + len(refused) < len(self._fields):
                        message = await messages.get()
                        elapsed_ns = self._site.clock.monotonic_ns() - begun_ns
                        self._site.tap(self._line.name, Direction.RECEIVED, message.payload,
                                       device=self._name, note=message.topic)  # fmt: skip
                        for one in self._probed(message, elapsed_ns):
                            found.setdefault(one.point, one)
                    found |= refused
            finally:
                await client.leave()
        except TimeoutError:
            pass
        except (aiomqtt.MqttError, OSError) as error:
            note = str(error)
        return self._unheard(found, note)

    async def _ask(self, client: Client) -> dict[int, Probed]:
        """Subscribe to every topic once; return the points whose topic the broker refuses."""
        answers = {
            topic: await client.ask_for(topic, qos)
            for topic, qos in dict.fromkeys(self._topics.values())
        }
        return {
            index: Probed(index, b"", math.nan, Quality.BAD_REFUSED, 0, answers[topic])
            for index, (topic, _) in self._topics.items()
            if answers[topic]
        }

    def _unheard(self, found: dict[int, Probed], note: str) -> Sequence[Probed]:
        return [
            found.get(index) or Probed(index, b"", math.nan, Quality.BAD_SILENT, 0, note)
            for index in range(len(self._fields))
        ]

    def _probed(self, message: MQTTMessage, elapsed_ns: int) -> list[Probed]:
        now_ns = self._site.clock.now_ns()
        payload = Payload(bytes(message.payload))
        topic = aiomqtt.Topic(message.topic)
        probed = []
        for index, (wanted, _) in self._topics.items():
            if topic.matches(wanted):
                arrival = Arrival(message.topic, payload.data, now_ns, message.retain)
                _time_ns, value, quality, note = self._decoded(index, payload, arrival)
                raw = payload.data[:RAW_BYTES_MAX]
                note = note or _excerpt(raw)
                probed.append(Probed(index, raw, value, quality, elapsed_ns, note))
        return probed

    # ---- messages to samples

    def _missing(self, lost: Lost | None) -> Batch:
        """Return samples that say that some are missing: a full queue cost messages."""
        if lost is None:
            return Batch.empty()
        _log.warning("mqtt.messages_lost", device=self._name, messages=lost.messages,
                     in_all=self._listener.in_all_lost)  # fmt: skip
        points = sorted(lost.marks - {_ONLINE})
        values = [math.nan] * len(points)
        return Batch.of(points, lost.time_ns, values, Quality.BAD_OVERFLOW)

    def _batch(self, heard: Heard) -> Batch:
        arrival, payload = heard.arrival, Payload(heard.arrival.payload)
        if _ONLINE in heard.marks and self._says_offline(payload):
            self._is_offline = True
            every = range(len(self._fields))
            values = [math.nan] * len(every)
            return Batch.of(every, arrival.time_ns, values, Quality.BAD_SILENT)
        points = sorted({mark for mark in heard.marks if mark != _ONLINE})
        if _ONLINE in heard.marks or (points and not arrival.is_late):
            self._is_offline = False
        rows = [(point, *self._decoded(point, payload, arrival)[:3]) for point in points]
        return Batch.of(*zip(*rows, strict=True)) if rows else Batch.empty()

    def _says_offline(self, payload: Payload) -> bool:
        try:
            said, _ = self._online.decode(payload)
        except DeviceMalformed:
            return False
        return said == self._settings.offline

    def _decoded(
        self, index: int, payload: Payload, arrival: Arrival
    ) -> tuple[int, float, int, str]:
        """Return (time, value, quality, note) of one point in a message."""
        now_ns = arrival.time_ns
        try:
            value, time_ns = self._fields[index].decode(payload)
            note = value if isinstance(value, str) else ""
            number = float(self._site.intern(note)) if isinstance(value, str) else value
        except DeviceMalformed as error:
            return now_ns, math.nan, Quality.BAD_MALFORMED, str(error)
        except StoreFull as error:
            return now_ns, math.nan, Quality.BAD_OUT_OF_RANGE, str(error)
        quality = Quality.BAD_NOT_A_NUMBER if math.isnan(number) else Quality.GOOD
        if time_ns is not None:
            return time_ns, number, quality, note
        if arrival.is_late:
            # Whoever reads it must not take it for what the device measures now.
            if self._is_offline:
                return now_ns, math.nan, Quality.BAD_SILENT, note
            if quality == Quality.GOOD:
                quality = Quality.UNCERTAIN_STALE
        return now_ns, number, quality, note


def _excerpt(raw: bytes) -> str:
    """Return the beginning of what people can read without a table of codes; else nothing."""
    text = raw.decode("utf-8", "replace")[:EXCERPT_CHARS_MAX]
    return text if text.isprintable() and "\ufffd" not in text else ""


class MqttType:
    """The entry point ``mqtt``; see :class:`citytwin.adapter.AdapterType`."""

    device_settings: type[msgspec.Struct] = MqttDevice
    point_settings: type[msgspec.Struct] = MqttPoint

    def build(self, settings: MqttDevice, bindings: Sequence[Binding], site: Site) -> Mqtt:
        """Return an adapter; touches no network.

        Raises:
            ConfigError: a point does not fit, or another device uses the same broker in the same
                name with other settings.
        """
        fields = []
        for point, address in bindings:
            try:
                fields.append(address.field(point, settings))
            except ValueError as error:
                raise ConfigError(f"point {point.id}: {error}") from None
        connection = settings.connection()

        def make() -> Line:
            jitter = Random()  # noqa: S311  # no secret
            return Line(connection, site.clock, jitter, site.tap)

        line: Line = site.line(connection.key, make)
        if line.connection != connection:
            name = f'client_id "{settings.client_id}"' if settings.client_id else "its user"
            raise ConfigError(
                f"device {bindings[0].point.device} and another device use {connection} with "
                f"{name}, but differ in {connection.differences(line.connection)}; one connection "
                "has one set of settings (or give each a client_id of its own)"
            )
        return Mqtt(settings, bindings, fields, line, site)


MQTT: Final = MqttType()
