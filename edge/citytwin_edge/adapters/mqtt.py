"""MQTT: devices that publish to a broker, MQTT 3.1.1 and 5, with TLS, passwords, certificates.

docs/guides/mqtt.md explains the settings. Devices of one broker share one connection.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import Final

import aiomqtt
import msgspec
import structlog

from citytwin.adapter import Binding, Direction, Exchange, Found, Probed, Site
from citytwin.batch import Batch
from citytwin.errors import ConfigError, DeviceRefused, DeviceSilent
from citytwin.quality import Quality
from citytwin_edge.adapters.mqtt_client import Client, Said
from citytwin_edge.adapters.mqtt_dialects import filled
from citytwin_edge.adapters.mqtt_line import Line
from citytwin_edge.adapters.mqtt_listener import Arrival, Heard, Lost
from citytwin_edge.adapters.mqtt_messages import Columns, Reader
from citytwin_edge.adapters.mqtt_scan import hint_topics, hints, look_around
from citytwin_edge.adapters.mqtt_settings import MqttDevice, MqttPoint, name_of, several
from citytwin_edge.wire.mqtt_publish import Message
from citytwin_edge.wire.payload import PayloadField

PROBE_S: Final = 10.0
RAW_BYTES_MAX: Final = 200
EXCERPT_CHARS_MAX: Final = 60
MEANINGS_MAX: Final = 1000
"""Sets of marks whose points are remembered."""
HANDFUL_S: Final = 0.2
"""The shortest time between two batches of one device."""
PROBED_MAX: Final = 1000
"""Messages that a probe takes in; what it seeks is among them, or is not sent."""
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
        self._name = name_of(settings, bindings)
        self._reader = Reader(settings, self._addresses, fields, site, self._name)
        self._count = len(bindings)
        self._offline: frozenset[int] = frozenset()
        # Marks of 0 and more are places in this list; those below are of what says "offline".
        self._owners = [
            index for index, one in enumerate(self._addresses) for _ in several(one.topic)
        ]
        wanted = [topic for one in self._addresses for topic in several(one.topic)]
        self._topics = {mark: (topic, settings.qos) for mark, topic in enumerate(wanted)}
        online = enumerate(several(settings.online_topic), 1)
        topics = self._topics | {-mark: (topic, settings.qos) for mark, topic in online}
        self._listener = line.join(self._name, topics)
        self._meaning = lru_cache(MEANINGS_MAX)(self._meaning_of)

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
        self._reader.begin()
        self._line.attend(self._listener)
        try:
            loop = asyncio.get_running_loop()
            told_at = -math.inf
            while (heard := await self._listener.get()) is not None:
                # A device that speaks without a pause is told of in handfuls: what a batch costs
                # on its way through the gateway is paid once for all its messages.
                handful = [heard, *await self._listener.gather(told_at + HANDFUL_S)]
                for batch in self._told(handful):
                    yield batch
                    told_at = loop.time()
                # Asked for the next: the gateway has taken these.
                for one in handful:
                    self._listener.taken(one.arrival)
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
        topic = address.command_topic
        self._site.tap(self._line.name, Direction.SENT, payload, device=self._name, note=topic)
        try:
            await client.say(Said(topic, payload, self._settings.qos))
        except DeviceSilent as error:
            raise DeviceSilent(f"{self._line.connection}: {error}") from None

    # ---- a technician's look

    async def probe(self) -> Sequence[Probed]:
        """Wait a while for one message of every point, on a connection of its own.

        The running agent's session is left alone: a second client with its id would end it.
        """
        begun_ns = self._site.clock.monotonic_ns()
        found: dict[int, Probed] = {}
        notes: dict[int, str] = {}
        note = f"no message within {PROBE_S:g} s"
        messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=PROBED_MAX)

        def arrived(message: Message) -> None:
            with suppress(asyncio.QueueFull):
                messages.put_nowait(message)

        settings = self._line.connection
        own_id = settings.client_id and f"{settings.client_id}-probe"
        try:
            client = Client(replace(settings, session_s=0), arrived, own_id)
            why = await client.enter()
            if why:
                return self._unheard(found, notes, why)
            try:
                async with asyncio.timeout(PROBE_S):
                    refused = await self._ask(client)
                    while len(found | refused) < self._count:
                        message = await messages.get()
                        elapsed_ns = self._site.clock.monotonic_ns() - begun_ns
                        self._site.tap(self._line.name, Direction.RECEIVED, message.payload,
                                       device=self._name, note=message.topic)  # fmt: skip
                        advice = hints(self._settings, self._addresses, message)
                        for point, hint in advice.items():
                            notes[point] = hint
                        for one in self._probed(message, elapsed_ns):
                            if one.quality == Quality.BAD_SILENT:  # the message leaves it out
                                notes.setdefault(one.point, one.note)
                            else:
                                found.setdefault(one.point, one)
                    found |= refused
            finally:
                await client.leave()
        except TimeoutError:
            pass
        except (aiomqtt.MqttError, OSError) as error:
            note = str(error)
        return self._unheard(found, notes, note)

    async def _ask(self, client: Client) -> dict[int, Probed]:
        """Subscribe to every topic once; return the points whose topic the broker refuses."""
        answers = {
            topic: await client.ask_for(topic, qos)
            for topic, qos in dict.fromkeys(self._topics.values())
        }
        for topic in hint_topics(self._settings):
            await client.ask_for(topic, 0)
        return {
            self._owners[mark]: Probed(
                self._owners[mark], b"", math.nan, Quality.BAD_REFUSED, 0, answers[topic]
            )
            for mark, (topic, _) in self._topics.items()
            if answers[topic]
        }

    def _unheard(
        self, found: dict[int, Probed], notes: dict[int, str], note: str
    ) -> Sequence[Probed]:
        return [
            found.get(index)
            or Probed(index, b"", math.nan, Quality.BAD_SILENT, 0, notes.get(index, note))
            for index in range(self._count)
        ]

    async def scan(self) -> AsyncIterator[Found]:
        """Yield what is on the broker: devices where the dialect tells of them, else topics."""
        async for found in look_around(self._settings, self._site):
            yield found

    def _probed(self, message: Message, elapsed_ns: int) -> list[Probed]:
        now_ns = self._site.clock.now_ns()
        data = message.payload
        arrival = Arrival(message.topic, data, now_ns, message.retain)
        raw = data[:RAW_BYTES_MAX]
        absent: dict[int, str] = {}
        rows = self._reader.rows(self._points(message.topic), arrival, absent=absent)
        return [
            Probed(point, raw, value, quality, elapsed_ns, note or _excerpt(raw))
            for point, _, value, quality, note in rows
        ] + [
            Probed(point, raw, math.nan, Quality.BAD_SILENT, elapsed_ns, note)
            for point, note in absent.items()
        ]

    def _points(self, name: str) -> list[int]:
        """Return the points that a topic is of."""
        topic = aiomqtt.Topic(name)
        marks = [mark for mark, (wanted, _) in self._topics.items() if topic.matches(wanted)]
        return sorted({self._owners[mark] for mark in marks})

    def decoded(self, exchanges: Sequence[Exchange]) -> list[Probed]:
        """Return what messages say: topics and payloads, in order."""
        found: dict[int, Probed] = {}
        for exchange in exchanges:
            topic, data = exchange.request.decode("utf-8", "replace"), exchange.response
            arrival = Arrival(topic, data, self._site.clock.now_ns(), is_late=False)
            for point, _, value, quality, note in self._reader.rows(self._points(topic), arrival):
                found[point] = Probed(point, data, value, quality, 0, note)
        return [found[point] for point in sorted(found)]

    # ---- messages to samples

    def _told(self, handful: Sequence[Heard]) -> Iterator[Batch]:
        """Yield batches, as few as can be; what says that the device is gone stands by itself."""
        columns = Columns()
        lost = self._listener.lost()
        if lost is not None:
            self._add_missing(lost, columns)
        for heard in handful:
            arrival = heard.arrival
            points, speakers = self._meaning(heard.marks)
            is_gone = bool(speakers) and self._reader.says_offline(arrival.payload)
            self._offline = self._offline | speakers if is_gone else self._offline - speakers
            if points and not arrival.is_late and not is_gone:
                self._offline = frozenset()
            if not self._offline:
                self._reader.take(points, arrival, columns, is_offline=False)
                continue
            alone = Columns()
            if is_gone:
                every = range(self._count)
                alone.add(every, arrival.time_ns, [math.nan] * self._count, Quality.BAD_SILENT)
            else:
                self._reader.take(points, arrival, alone, is_offline=True)
            yield from (one.batch() for one in (columns, alone) if one)
            columns = Columns()
        if columns:
            yield columns.batch()

    def _meaning_of(self, marks: tuple[int, ...]) -> tuple[tuple[int, ...], frozenset[int]]:
        """Return the points that marks are of, and which of the marks say "offline"."""
        points = sorted({self._owners[mark] for mark in marks if mark >= 0})
        return tuple(points), frozenset(mark for mark in marks if mark < 0)

    def _add_missing(self, lost: Lost, columns: Columns) -> None:
        """Add samples that say that some are missing: a full queue cost messages."""
        _log.warning("mqtt.messages_lost", device=self._name, messages=lost.messages,
                     in_all=self._listener.in_all_lost)  # fmt: skip
        points, _ = self._meaning(tuple(lost.marks))
        columns.add(points, lost.time_ns, [math.nan] * len(points), Quality.BAD_OVERFLOW)


def _excerpt(raw: bytes) -> str:
    """Return the beginning of what people can read without a table of codes; else nothing."""
    text = raw.decode("utf-8", "replace")[:EXCERPT_CHARS_MAX]
    return text if text.isprintable() and "\ufffd" not in text else ""


class MqttType:
    """The entry point ``mqtt``; see :class:`citytwin.adapter.AdapterType`."""

    guide: Final = "docs/guides/mqtt.md"
    says: Final = ("model", "model_id", "module")
    device_settings: type[msgspec.Struct] = MqttDevice
    examples = ({"host": "192.0.2.7"},)
    point_settings: type[msgspec.Struct] = MqttPoint

    def build(self, settings: MqttDevice, bindings: Sequence[Binding], site: Site) -> Mqtt:
        """Return an adapter; touches no network.

        Raises:
            ConfigError: a point does not fit, or another device uses the same broker in the same
                name with other settings.
        """
        device = name_of(settings, bindings)
        try:
            settings, addresses = filled(settings, bindings, device)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        bindings = [
            Binding(one.point, address) for one, address in zip(bindings, addresses, strict=True)
        ]
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
                f"device {device} and another device use {connection} with "
                f"{name}, but differ in {connection.differences(line.connection)}; one connection "
                "has one set of settings (or give each a client_id of its own)"
            )
        return Mqtt(settings, bindings, fields, line, site)

    def decode(
        self,
        settings: MqttDevice,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what messages say; see :class:`citytwin.adapter.Decodes`."""
        return self.build(settings, bindings, Site(site.clock, site.intern)).decoded(exchanges)


MQTT: Final = MqttType()
