"""A Sparkplug line: one host application on one broker, and the devices that are heard through it.

The connection is that of all MQTT devices (mqtt_line.py); what is said on it, in which order and
when, says the host without I/O (wire/sparkplug_host.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

import structlog

from citytwin.adapter import Direction, Site
from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin.errors import DeviceSilent
from citytwin_edge.adapters.connection import Tap, nobody_looks
from citytwin_edge.adapters.mqtt_client import Client, Said
from citytwin_edge.adapters.mqtt_line import Line
from citytwin_edge.adapters.mqtt_listener import Arrival, Heard, Listener
from citytwin_edge.adapters.sparkplug_settings import SparkplugDevice
from citytwin_edge.wire.mqtt_publish import Message
from citytwin_edge.wire.sparkplug_host import NAMESPACE, Host, Key, Publication
from citytwin_edge.wire.sparkplug_node import Event, Now
from citytwin_edge.wire.sparkplug_payload import PAYLOAD_BYTES_MAX

FAREWELL_S_MAX: Final = 0.4
TICK_S_MAX: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Told(Heard):
    """What a message comes to, for one device."""

    event: Event


@dataclass(slots=True)
class _Device:
    """A device that listens: which one it is, and its points by metric."""

    key: Key
    device: str
    points: Mapping[str, list[int]]

    def marks(self, event: Event) -> tuple[int, ...]:
        """Return the points that an event is about."""
        if event.metrics and not event.is_birth:
            names: Iterable[str] = dict.fromkeys(seen.name for seen in event.metrics)
        else:
            names = self.points
        return tuple(point for name in names for point in self.points.get(name, ()))


class HostLine(Line):
    """One host application; devices ``join`` before anybody listens."""

    def __init__(
        self, settings: SparkplugDevice, clock: Clock, random: Random, tap: Tap = nobody_looks
    ) -> None:
        """Make a line for the devices that share these settings; touches no network."""
        super().__init__(settings.connection(), clock, random, tap)
        self.agreed = settings.agreed()
        self.host_id = settings.host_id
        self._devices: dict[Listener, _Device] = {}
        self._news = asyncio.Event()
        self._host: Host | None = None

    @property
    def host(self) -> Host:
        """The host application; the devices are known by now."""
        if self._host is None:
            wanted: dict[Key, set[str]] = {}
            for one in self._devices.values():
                wanted.setdefault(one.key, set()).add(one.device)
            _, reorder_s, may_ask = self.agreed
            reorder_ns = round(reorder_s * SECOND_NS)
            self._host = Host(self.host_id, wanted, reorder_ns=reorder_ns, may_ask=may_ask)
        return self._host

    def join_as(self, name: str, one: SparkplugDevice, points: Mapping[str, list[int]]) -> Listener:
        """Return the ear of a device; ``points`` are its own numbers of them, by metric."""
        listener = self.join(name, {0: (filter_of(one.key), 1)})
        self._devices[listener] = _Device(one.key, one.device_id, points)
        if self._host is not None:
            self._host.want(one.key, one.device_id, self.now())
        return listener

    def attend(self, listener: Listener) -> None:
        """Connect, if nobody has yet; what is now a node says in its birth only."""
        super().attend(listener)
        if self.client is not None:
            self.host.ask_soon(self._devices[listener].key, self.now())
            self._news.set()

    def part(self, listener: Listener) -> None:
        """Forget a device that is configured no more."""
        gone = self._devices.pop(listener)
        if all((one.key, one.device) != (gone.key, gone.device) for one in self._devices.values()):
            self.host.unwant(gone.key, gone.device)
        super().part(listener)

    def _hand_over(self, listener: Listener, successor: Listener) -> None:
        """Let a successor hear from now on, and have what its predecessor has not listened to."""
        successor.is_deaf = False
        for heard in listener.leave():
            assert isinstance(heard, Told), "a host line puts nothing else"
            if marks := self._devices[successor].marks(heard.event):
                successor.put(Told(heard.arrival, marks, heard.event))
        self.host.ask_soon(self._devices[successor].key, self.now())
        self._news.set()

    def now(self) -> Now:
        """Return this moment."""
        return Now(self._clock.now_ns(), self._clock.monotonic_ns())

    # ---- the connection

    def _new_client(self) -> Client:
        will = Said(*self.host.will(self.now()))
        return Client(self.connection, self.arrived, self.connection.client_id, will)

    async def _subscribe(self, client: Client) -> None:
        why = await client.ask_for(self.host.state_topic, 1)
        if why:
            _log.warning("sparkplug.state_refused", broker=str(self.connection), reason=why)
        await super()._subscribe(client)

    async def _greet(self, client: Client) -> None:
        await self._say(client, Said(*self.host.birth()))
        self.host.connected(self.now())

    async def _part(self, client: Client) -> None:
        with suppress(DeviceSilent, TimeoutError):
            async with asyncio.timeout(FAREWELL_S_MAX):
                await self._say(client, Said(*self.host.farewell(self.now())))

    async def _stay(self, client: Client) -> str:
        staying = asyncio.ensure_future(super()._stay(client))
        try:
            while not staying.done():
                self._news.clear()
                self._tell("", b"", self.host.tick(self.now()))
                await published(client, self.host, self._say)
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait(
                    [staying, news],
                    timeout=wait_s(self.host, self.now()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                news.cancel()
            return await staying
        finally:
            staying.cancel()

    # ---- messages

    def arrived(self, message: Message) -> None:
        """Take a message; called by the client."""
        topic = message.topic
        payload = message.payload[: PAYLOAD_BYTES_MAX + 1]
        self._tap(self.name, Direction.RECEIVED, payload, note=topic)
        events = self.host.take(topic, payload, self.now(), is_retained=message.retain)
        self._tell(topic, payload, events)
        self._news.set()

    def _tell(self, topic: str, payload: bytes, events: list[tuple[Key, Event]]) -> None:
        for key, event in events:
            arrival = Arrival(topic, payload, self._clock.now_ns(), is_late=False)
            for listener, one in self._devices.items():
                is_its = one.key == key and event.device in {None, one.device}
                if is_its and not listener.is_deaf and (marks := one.marks(event)):
                    listener.put(Told(arrival, marks, event))

    async def command(self, settings: SparkplugDevice, metric: str, number: float) -> None:
        """Publish a command.

        Raises:
            DeviceSilent: the broker or the node is not there.
            DeviceRefused: the node has no such metric.
        """
        client = self.client
        if client is None:
            raise DeviceSilent(f"{self.connection} is not connected")
        host, device = self.host, settings.device_id
        said = Said(*host.command(settings.key, device, metric, number, self.now()))
        try:
            await self._say(client, said)
        except DeviceSilent as error:
            raise DeviceSilent(f"{self.connection}: {error}") from None

    async def _say(self, client: Client, said: Said) -> None:
        self._tap(self.name, Direction.SENT, said.payload, note=said.topic)
        await client.say(said)


def line_of(settings: SparkplugDevice, site: Site) -> HostLine:
    """Return the line that a device shares with the others of its host application."""
    key = ("sparkplug", settings.host, settings.port, settings.host_id)

    def make() -> HostLine:
        jitter = Random()  # noqa: S311  # no secret
        return HostLine(settings, site.clock, jitter, site.tap)

    line: HostLine = site.line(key, make)
    return line


def filter_of(key: Key) -> str:
    """Return the topics of a node and its devices."""
    return f"{NAMESPACE}/{key[0]}/+/{key[1]}/#"


async def published(
    client: Client, host: Host, say: Callable[[Client, Said], Awaitable[None]]
) -> None:
    """Publish what the host wants to say."""
    while host.outgoing:
        said: Publication = host.outgoing.pop(0)
        with suppress(DeviceSilent):  # the connection is lost: that is told elsewhere
            await say(client, Said(*said))


def wait_s(host: Host, now: Now) -> float:
    """Return in how many seconds the host has something to do, or soon enough."""
    due_ns = host.due_ns
    if due_ns is None:
        return TICK_S_MAX
    return min(max((due_ns - now.monotonic_ns) / SECOND_NS, 0.001), TICK_S_MAX)
