"""A Sparkplug host application without I/O: its own STATE, its nodes, and when it asks for a birth.

Eclipse Sparkplug Specification 3.0.0, 4.3 and 5.4 to 5.15. Messages and time go in; events and what
is to be published come out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceRefused, DeviceSilent
from citytwin_edge.wire.sparkplug_node import Event, Node, Now
from citytwin_edge.wire.sparkplug_payload import DataType, command

NAMESPACE: Final = "spBv1.0"
STATE: Final = f"{NAMESPACE}/STATE"
REBIRTH: Final = "Node Control/Rebirth"
NODES_MAX: Final = 1000
OUTGOING_MAX: Final = 1000
ASK_NS_MIN: Final = 10 * SECOND_NS
ASK_NS_MAX: Final = 300 * SECOND_NS
"""A node that stays without a birth is asked after 10 s, 20 s … 5 min again."""
CALM_NS: Final = 600 * SECOND_NS
"""After so long without being asked it is asked at once again."""
SPACING_NS: Final = 20_000_000
"""Between two requests for a birth, whichever the nodes: a thousand of them answer with all."""
STATE_NS_MIN: Final = SECOND_NS
"""Between two times that the host contradicts a STATE that says it is gone."""
_OF_NODES: Final = ("NBIRTH", "NDATA", "NDEATH")
_OF_DEVICES: Final = ("DBIRTH", "DDATA", "DDEATH")

Key = tuple[str, str]
"""Group and edge node."""


class Publication(NamedTuple):
    """What is to be published."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(slots=True)
class _Asking:
    """When a node is asked for its birth: not before ``due_ns``, by the clock that never jumps."""

    due_ns: int
    pause_ns: int = ASK_NS_MIN
    asked_ns: int | None = None


class Host:
    """One host application on one broker, for as long as that is connected."""

    def __init__(
        self,
        host_id: str,
        wanted: Mapping[Key, Collection[str]],
        *,
        reorder_ns: int,
        may_ask: bool = True,
        is_curious: bool = False,
    ) -> None:
        """Know nothing yet.

        Args:
            host_id: under which it says that it is there; empty: it says nothing.
            wanted: the devices that are wanted of each node; "" is the node itself.
            reorder_ns: how long a message may come late before its node is asked for a birth.
            may_ask: whether nodes may be asked at all.
            is_curious: whether nodes that are not wanted are looked at, too.
        """
        self.host_id = host_id
        self.outgoing: list[Publication] = []
        self.left_out = 0
        self._may_ask, self._is_curious, self._reorder_ns = may_ask, is_curious, reorder_ns
        self.nodes = {key: Node(reorder_ns, devices) for key, devices in wanted.items()}
        self._asking: dict[Key, _Asking] = {}
        self._next_ask_ns = 0
        self._since_ms = 0
        self._said_ns = -STATE_NS_MIN

    # ---- its own state

    @property
    def state_topic(self) -> str:
        """Where it says that it is there; empty where it says nothing."""
        return f"{STATE}/{self.host_id}" if self.host_id else ""

    def will(self, now: Now) -> Publication:
        """Return what the broker says when the connection is lost; made anew for each (4.3.1)."""
        self._since_ms = now.time_ns // 1_000_000
        return self._state(is_online=False, time_ms=self._since_ms)

    def farewell(self, now: Now) -> Publication:
        """Return what is published before the connection is closed on purpose."""
        return self._state(is_online=False, time_ms=now.time_ns // 1_000_000)

    def birth(self) -> Publication:
        """Return its birth, published first of all, once it has subscribed; its will's time."""
        return self._state(is_online=True, time_ms=self._since_ms)

    def _state(self, *, is_online: bool, time_ms: int) -> Publication:
        said = json.dumps({"online": is_online, "timestamp": time_ms}).encode()
        return Publication(self.state_topic, said, 1, retain=True)

    # ---- what happens

    def want(self, key: Key, device: str, now: Now) -> None:
        """Hear of one more device of a node, perhaps of one more node."""
        if key not in self.nodes:
            self.nodes[key] = Node(self._reorder_ns)
            self._asking[key] = _Asking(now.monotonic_ns + max(self._reorder_ns, SPACING_NS))
        self.nodes[key].wanted.add(device)

    def unwant(self, key: Key, device: str) -> None:
        """Hear no more of a device; of a node of which nothing is wanted any more neither."""
        node = self.nodes.get(key)
        if node is None:
            return
        node.wanted.discard(device)
        if not node.wanted:
            del self.nodes[key]
            self._asking.pop(key, None)

    def connected(self, now: Now) -> None:
        """Forget what was before; nodes that do not bear by themselves are asked in a while."""
        self.outgoing.clear()
        for key, node in self.nodes.items():
            node.forget("its birth was not seen yet")
            self._asking[key] = _Asking(now.monotonic_ns + max(self._reorder_ns, SPACING_NS))

    def ask_soon(self, key: Key, now: Now) -> None:
        """Ask a node for its birth though nothing is missing: somebody new wants to know."""
        node = self.nodes.get(key)
        if node is not None and node.is_alive:
            node.needs_birth = True
            self._schedule(key, node, now)

    def take(
        self, topic: str, payload: bytes, now: Now, *, is_retained: bool = False
    ) -> list[tuple[Key, Event]]:
        """Return what a message comes to; what is to be published is in ``outgoing``."""
        if topic and topic == self.state_topic:
            self._own_state(payload, now)
            return []
        found = split(topic)
        # Births and data are never retained (4.1 ff.); what is may be of years ago.
        if found is None or is_retained:
            return []
        key, kind, device = found
        node = self.nodes.get(key)
        if node is None:
            if not self._is_curious or len(self.nodes) >= NODES_MAX:
                self.left_out += 1
                return []
            node = self.nodes[key] = Node(self._reorder_ns)
        events = [(key, event) for event in node.take(kind, device, payload, now)]
        self._schedule(key, node, now)
        return events

    def tick(self, now: Now) -> list[tuple[Key, Event]]:
        """Do what is due: give up waiting, ask for births; return what that comes to."""
        events: list[tuple[Key, Event]] = []
        for key, node in self.nodes.items():
            if node.due_ns is not None and node.due_ns <= now.monotonic_ns:
                events += [(key, event) for event in node.tick(now)]
                self._schedule(key, node, now)
        for key, asking in self._asking.items():
            if asking.due_ns <= now.monotonic_ns and self.nodes[key].is_to_be_asked:
                self._ask(key, asking, now)
        return events

    @property
    def due_ns(self) -> int | None:
        """By the clock that never jumps: when ``tick`` has something to do."""
        dues = [node.due_ns for node in self.nodes.values() if node.due_ns is not None]
        if self._may_ask:
            dues += [
                one.due_ns for key, one in self._asking.items() if self.nodes[key].is_to_be_asked
            ]
        return min(dues, default=None)

    def _own_state(self, payload: bytes, now: Now) -> None:
        """Contradict whoever says that this host is gone: an old will, or its double (5.4)."""
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            return
        is_offline = isinstance(said, dict) and said.get("online") is False
        if is_offline and now.monotonic_ns - self._said_ns >= STATE_NS_MIN:
            self._said_ns = now.monotonic_ns
            self._publish(self.birth())

    # ---- births asked for

    def _schedule(self, key: Key, node: Node, now: Now) -> None:
        """See to it that a node which needs a birth is asked, but not more often than it may."""
        if not node.is_to_be_asked:
            return
        asking = self._asking.setdefault(key, _Asking(now.monotonic_ns))
        if asking.asked_ns is not None and now.monotonic_ns - asking.asked_ns >= CALM_NS:
            asking.pause_ns = ASK_NS_MIN
        if asking.due_ns <= now.monotonic_ns:
            self._ask(key, asking, now)

    def _ask(self, key: Key, asking: _Asking, now: Now) -> None:
        if not self._may_ask:
            return
        if now.monotonic_ns < self._next_ask_ns:
            asking.due_ns = self._next_ask_ns
            return
        self._next_ask_ns = now.monotonic_ns + SPACING_NS
        asking.asked_ns, asking.due_ns = now.monotonic_ns, now.monotonic_ns + asking.pause_ns
        asking.pause_ns = min(2 * asking.pause_ns, ASK_NS_MAX)
        payload = command(REBIRTH, None, DataType.BOOLEAN, 1.0, now.time_ns)
        self._publish(Publication(_topic(key, "NCMD"), payload, 0, retain=False))

    def _publish(self, publication: Publication) -> None:
        if len(self.outgoing) < OUTGOING_MAX:
            self.outgoing.append(publication)

    # ---- commands

    def command(self, key: Key, device: str, metric: str, number: float, now: Now) -> Publication:
        """Return what sets a metric.

        Raises:
            DeviceSilent: the node, or its device, is not there, so nobody would take it.
            DeviceRefused: it has no such metric, or not of that kind.
        """
        node = self.nodes[key]
        who = device or key[1]
        if not node.is_alive or device not in node.births:
            why = node.trouble or "it was not born with its node"
            raise DeviceSilent(f"{who} cannot be commanded: {why}")
        definition = node.births[device].get(metric)
        if definition is None:
            raise DeviceRefused(f"{who} has no metric {metric!r}")
        if definition.is_twin:
            raise DeviceRefused(f"{who} gives {metric!r} the alias of another metric, too")
        try:
            payload = command(metric, definition.alias, definition.type, number, now.time_ns)
        except ValueError as error:
            raise DeviceRefused(f"not written: {error}") from None
        topic = _topic(key, "DCMD", device) if device else _topic(key, "NCMD")
        return Publication(topic, payload, 0, retain=False)


def split(topic: str) -> tuple[Key, str, str] | None:
    """Return group and node, kind, and device of a message of a node; None for any other topic."""
    parts = topic.split("/")
    if parts[0] != NAMESPACE or "" in parts:
        return None
    if len(parts) == 4 and parts[2] in _OF_NODES:
        return (parts[1], parts[3]), parts[2], ""
    if len(parts) == 5 and parts[2] in _OF_DEVICES:
        return (parts[1], parts[3]), parts[2], parts[4]
    return None


def _topic(key: Key, kind: str, device: str = "") -> str:
    return "/".join([NAMESPACE, key[0], kind, key[1], *([device] if device else [])])
