"""An MQTT line: one connection to a broker, and the devices that are heard through it.

Every device has a listener with a bounded queue of its own, so that one which is not attended to
costs the others nothing. The connection is kept by one task for as long as somebody listens; when
it is lost every listener is told, once, and it is made anew with a pause that grows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any, Final

import aiomqtt
import structlog
from paho.mqtt.matcher import MQTTMatcher

from citytwin.adapter import Direction
from citytwin.clock import Clock
from citytwin.errors import DeviceError, DeviceRefused, DeviceSilent
from citytwin_edge.adapters.connection import Tap, nobody_looks
from citytwin_edge.adapters.mqtt_broker import Connection
from citytwin_edge.adapters.mqtt_client import Client, identifier, identifiers
from citytwin_edge.adapters.mqtt_listener import Arrival, Heard, Listener
from citytwin_edge.wire.mqtt_publish import Message
from citytwin_edge.wire.payload import PAYLOAD_BYTES_MAX

PAUSE_S_MIN: Final = 1.0
PAUSE_S_MAX: Final = 30.0
UNWANTED_MAX: Final = 100
"""Topics that nobody asked for and that are named in the log, for each connection."""
MATCHED_MAX: Final = 10_000
"""Topics of which it is remembered what they match, for each connection."""
MATCHED_CHARS_MAX: Final = 256
NOTHING: Final = "citytwin/nothing"
"""A topic nobody has asked for: to end asking for it changes nothing and is answered."""

_CLOSE_S_MAX: Final = 0.9
_MATCHER: Final[Callable[[], Any]] = MQTTMatcher  # which has no types
_log = structlog.get_logger(__name__)


class _Filter:
    """One topic filter and who wants what comes through it, each under marks of his own."""

    def __init__(self, topic: str) -> None:
        self.topic, self.qos, self.identifier = topic, 0, identifier(topic)
        self.users: dict[Listener, list[int]] = {}
        self.newcomers: set[Listener] = set()


class Line:
    """One broker as one client.

    Devices that ``join`` before anybody listens are asked for together. One that joins later is
    asked for when it attends; until then, or until its predecessor of the same name is forsaken, it
    hears nothing: the predecessor does.
    """

    def __init__(
        self, connection: Connection, clock: Clock, random: Random, tap: Tap = nobody_looks
    ) -> None:
        """Make a line; touches no network.

        Args:
            connection: where the broker is, and as whom.
            clock: for stamping messages.
            random: gives the jitter of its pauses.
            tap: shown every message that comes.
        """
        self.connection, self.name = connection, f"{connection.host}:{connection.port}"
        self._tap = tap
        self.client: Client | None = None
        self._live: Client | None = None  # from the first message on, which may come early
        self._clock, self._random = clock, random
        self._filters: dict[str, _Filter] = {}
        self._matcher = _MATCHER()
        self._matched: dict[str, list[_Filter]] = {}
        self._listeners: list[Listener] = []
        self._attending: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._entering: asyncio.Task[str] | None = None
        self._failures = 0
        self._owing: deque[Arrival] = deque()
        self._owed_before: dict[int, Arrival] = {}
        self._is_catching_up = False
        self._kept_count = 0
        self._settled = asyncio.Event()
        self._unwanted: set[str] = set()
        self._late: set[Listener] = set()
        self._asking: set[asyncio.Task[None]] = set()

    def join(self, name: str, topics: Mapping[int, tuple[str, int]]) -> Listener:
        """Return the ear of a device: ``topics`` are filter and QoS, by the device's own marks."""
        listener = Listener(name, self.give_receipts)
        self._listeners.append(listener)
        if self._task is not None:
            listener.is_deaf = True
            self._late.add(listener)
        for mark, (topic, qos) in topics.items():
            if topic not in self._filters:
                self._matched.clear()
                self._filters[topic] = self._matcher[topic] = _Filter(topic)
            wanted = self._filters[topic]
            wanted.qos = max(wanted.qos, qos)
            wanted.users.setdefault(listener, []).append(mark)
        return listener

    def attend(self, listener: Listener) -> None:
        """Connect, if nobody has yet, and stay connected while somebody attends."""
        listener.open()
        listener.is_deaf = False
        self._attending.add(listener)
        if listener in self._late and self.client is not None:
            self._late.discard(listener)
            self._begin(self._ask_late(listener, self.client))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep())
            self._task.add_done_callback(self._ended)

    async def forsake(self, listener: Listener) -> None:
        """Attend no more; the last one to do so closes the connection."""
        listener.close()
        for one in self._listeners:
            if one is not listener and one.name == listener.name and one.is_deaf:
                self._hand_over(listener, one)
        self._attending.discard(listener)
        if not self._attending and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            ending = {task} if self._entering is None else {task, self._entering}
            await asyncio.wait(ending, timeout=_CLOSE_S_MAX)

    def _hand_over(self, listener: Listener, successor: Listener) -> None:
        """Let a successor hear from now on, and have what its predecessor has not listened to."""
        successor.is_deaf = False
        for heard in listener.leave():
            matching = self._matching(heard.arrival.topic)
            marks = [mark for one in matching for mark in one.users.get(successor, ())]
            if marks:
                successor.put(Heard(heard.arrival, tuple(marks)))
            else:
                heard.arrival.owed -= 1

    def part(self, listener: Listener) -> None:
        """Forget a device that is configured no more: its topics, and what it owes the broker."""
        self._listeners = [one for one in self._listeners if one is not listener]
        self._late.discard(listener)
        for topic, one in list(self._filters.items()):
            one.users.pop(listener, None)
            one.newcomers.discard(listener)
            if not one.users:
                self._matched.clear()
                del self._filters[topic], self._matcher[topic]
                if self.client is not None:
                    self._begin(self.client.unsubscribe(topic))
        listener.abandon()
        self.give_receipts()

    async def _ask_late(self, listener: Listener, client: Client) -> None:
        """Ask for the topics of a device that joined late; what was kept of them is its alone."""
        for one in list(self._filters.values()):
            if listener in one.users:
                one.newcomers = {listener}
                why = await client.ask_for(one.topic, one.qos)
                if why:
                    self._tell_refused(one, why)

    def _tell_refused(self, one: _Filter, why: str) -> None:
        text = f"{self.connection} refuses the topic {one.topic}: {why}"
        for listener in one.users:
            listener.tell(DeviceRefused(text))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something be said to the broker; when the line is lost, it need not be said."""

        async def said() -> None:
            with contextlib.suppress(aiomqtt.MqttError, OSError, TimeoutError):
                await work

        task = asyncio.create_task(said())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Let an error that nobody foresaw reach those who listen."""
        if not task.cancelled() and (error := task.exception()) is not None:
            for listener in self._listeners:
                listener.tell(DeviceError(f"{self.connection} failed: {error!r}"))
            _log.error("mqtt.line_failed", broker=str(self.connection), exc_info=error)

    # ---- the connection

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s())
            why = await self._connected()
            self._failures += 1
            for listener in self._listeners:
                listener.tell(DeviceSilent(f"{self.connection}: {why}"))

    def _pause_s(self) -> float:
        """Return how long to wait: longer with each failure, with jitter; nothing at first."""
        if not self._failures:
            return 0.0
        pause_s = min(PAUSE_S_MIN * 2.0 ** min(self._failures - 1, 10), PAUSE_S_MAX)
        return pause_s * (0.5 + self._random.random() / 2)

    def _new_client(self) -> Client:
        """Return the client of one attempt (OSError)."""
        return Client(self.connection, self.arrived, self.connection.client_id)

    async def _greet(self, client: Client) -> None:
        """Say what must be said first, all topics being asked for (DeviceSilent)."""

    async def _part(self, client: Client) -> None:
        """Say what must be said last; never raises."""

    async def _connected(self) -> str:
        """Connect, subscribe and stay; return why that came to an end."""
        try:
            client = self._new_client()
        except OSError as error:
            return str(error)
        self._live, self._is_catching_up = client, client.is_kept
        try:
            why = await self._enter(client)
            if why:
                return why
            try:
                await self._subscribe(client)
                return await self._stay(client)
            finally:
                await self._part(client)
                await client.leave()
        except aiomqtt.MqttError as error:
            return str(error.__cause__ or error)
        except DeviceSilent as error:
            return str(error)
        finally:
            self.client = self._live = None
            self._owed_before |= {one.message_id: one for one in self._owing}
            self._owing.clear()

    async def _enter(self, client: Client) -> str:
        """Connect; one attempt at a time, since a thread that makes one cannot be stopped."""
        if self._entering is not None:
            await asyncio.wait([self._entering])
        entering = self._entering = asyncio.create_task(client.enter())
        try:
            while True:
                timeout_s = 2 * self.connection.connect_timeout_s
                done, _ = await asyncio.wait([entering], timeout=timeout_s)
                if done:
                    return entering.result()
                for listener in self._listeners:
                    listener.tell(DeviceSilent(f"{self.connection}: no answer in time"))
        except asyncio.CancelledError:
            self._entering = asyncio.create_task(_undone(client, entering))
            raise

    async def _subscribe(self, client: Client) -> None:
        if client.is_kept and not client.is_resumed:
            self._is_catching_up = False
            self._owed_before.clear()
        refusals: list[tuple[_Filter, str]] = []
        self._late.clear()
        for one in list(self._filters.values()):
            one.newcomers.clear()
            why = await client.ask_for(one.topic, one.qos)
            if why:
                refusals.append((one, why))
        await self._greet(client)
        _end_if_cancelled()
        self.client, self._failures = client, 0
        self._unwanted.clear()
        for listener in self._listeners:
            listener.well()
        for one, why in refusals:
            self._tell_refused(one, why)

    async def _stay(self, client: Client) -> str:
        """Wait for the end; meanwhile find out when a resumed session has caught up.

        It has when every message is paid for with its receipt and a round trip brings no other.
        """
        lost = asyncio.ensure_future(client.lost())
        try:
            self.give_receipts()
            while self._is_catching_up and not lost.done():
                settled = asyncio.ensure_future(self._settled.wait())
                await asyncio.wait([lost, settled], return_when=asyncio.FIRST_COMPLETED)
                settled.cancel()
                self._settled.clear()
                # More may have come by now; a broker that waits for its receipts sends no other.
                if not lost.done() and not self._owing:
                    before = self._kept_count
                    await client.unsubscribe(NOTHING)
                    _end_if_cancelled()
                    self._is_catching_up = self._kept_count != before
            return await lost
        finally:
            lost.cancel()

    # ---- messages

    def arrived(self, message: Message) -> None:
        """Hand a message to the listeners that asked for it; called by the client."""
        is_owed = message.qos > 0 and self.connection.session_s > 0
        self._kept_count += message.qos > 0
        arrival = Arrival(
            message.topic,
            message.payload[: PAYLOAD_BYTES_MAX + 1],
            self._clock.now_ns(),
            message.retain or message.dup or self._is_catching_up,
            message.mid if is_owed else 0,
        )
        before = self._owed_before.pop(message.mid, None) if message.dup else None
        if before and (before.topic, before.payload) == (arrival.topic, arrival.payload):
            arrival = before  # sent again because its receipt was lost; we have it
        else:
            self._route(arrival, identifiers(message.properties), was_kept=message.retain)
        if is_owed:
            self._owing.append(arrival)
            if not arrival.owed:
                self.give_receipts()

    def _matching(self, topic: str) -> list[_Filter]:
        """Return the filters that a topic goes through; what was found is remembered."""
        known = self._matched.get(topic)
        if known is None:
            known = list(self._matcher.iter_match(topic))
            if len(self._matched) >= MATCHED_MAX:
                self._matched.clear()
            if len(topic) <= MATCHED_CHARS_MAX:
                self._matched[topic] = known
        return known

    def _route(self, arrival: Arrival, through: frozenset[int], *, was_kept: bool) -> None:
        found: dict[Listener, list[int]] = {}
        for one in self._matching(arrival.topic):
            # Where two filters overlap a broker may send a copy for each, and MQTT 5 says which.
            if not through or one.identifier in through:
                for listener, marks in one.users.items():
                    if listener.is_deaf or (
                        was_kept and listener not in (one.newcomers or one.users)
                    ):
                        continue
                    found.setdefault(listener, []).extend(marks)
        arrival.owed = len(found)
        for listener, marks in found.items():
            self._show(arrival, listener.name)
            listener.put(Heard(arrival, tuple(marks)))
        if not found:
            self._show(arrival, "")
        if not found and arrival.topic not in self._unwanted and len(self._unwanted) < UNWANTED_MAX:
            self._unwanted.add(arrival.topic)
            _log.warning("mqtt.unwanted", broker=str(self.connection), topic=arrival.topic,
                         remedy="it kept an old subscription; change client_id")  # fmt: skip

    def _show(self, arrival: Arrival, device: str) -> None:
        self._tap(self.name, Direction.RECEIVED, arrival.payload, device=device, note=arrival.topic)

    def give_receipts(self) -> None:
        """Acknowledge what is safe, in the order in which it came (MQTT 5, 4.6)."""
        while self._live is not None and self._owing and self._owing[0].owed <= 0:
            self._live.receipt(self._owing.popleft().message_id)
        if not self._owing:
            self._settled.set()


async def _undone(client: Client, entering: asyncio.Task[str]) -> str:
    """End a connection that nobody waits for any more, as soon as it is made."""
    if not await entering:
        await client.leave()
    return ""


def _end_if_cancelled() -> None:
    """Raise a cancellation that was swallowed.

    What a library awaits with ``asyncio.wait_for`` swallows one that comes together with the
    answer, before Python 3.12; whoever goes on then goes on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
