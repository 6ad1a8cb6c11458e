"""A Sparkplug node as a host sees it: births and deaths, the order of its messages, its aliases.

Eclipse Sparkplug Specification 3.0.0, chapter 5. No I/O and no clock: time is an argument. What
cannot be trusted is not passed on: until the node has borne its metrics anew they are stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from citytwin.batch import SECOND_NS
from citytwin.errors import DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.wire.sparkplug_payload import (
    METRICS_MAX,
    DataType,
    Message,
    Metric,
    parse,
    value,
)

SEQUENCE: Final = 256
BD_SEQ: Final = "bdSeq"
DEVICES_MAX: Final = 1000
HELD_MAX: Final = 200
HELD_BYTES_MAX: Final = 4 * 1024 * 1024
"""Messages of one node that wait for one before them."""
BIRTHS_NS_MAX: Final = 10 * SECOND_NS
"""After the birth of a node its devices have so long to be born again."""


class Now(NamedTuple):
    """A moment: by the wall (UTC nanoseconds since 1970), and by a clock that never jumps."""

    time_ns: int
    monotonic_ns: int


class Seen(NamedTuple):
    """One metric that came: its name and type, as its birth has them, and the time it is of."""

    name: str
    type: DataType
    time_ns: int
    metric: Metric


class Event(NamedTuple):
    """What a message comes to.

    Attributes:
        device: whose metrics; empty: the node's own; None: the node's and all its devices'.
        metrics: those that came.
        is_birth: these are all that there are, with what they are now.
        quality: GOOD, or what all the metrics are from now on.
        time_ns: when it was so.
        note: why.
    """

    device: str | None
    time_ns: int
    metrics: tuple[Seen, ...] = ()
    is_birth: bool = False
    quality: Quality = Quality.GOOD
    note: str = ""


class Definition(NamedTuple):
    """What a birth says of a metric; ``is_twin``: another metric has its alias too."""

    type: DataType
    alias: int | None
    is_twin: bool


class _Held(NamedTuple):
    kind: str
    device: str
    message: Message
    size_bytes: int


class Node:
    """One edge node's session. ``take`` what comes, ``tick`` when it is due."""

    def __init__(self, reorder_ns: int, wanted: Collection[str] = ()) -> None:
        """Expect a birth.

        Args:
            reorder_ns: how long messages wait for one before them (5.10, the Reorder Timeout).
            wanted: devices that are told of even when they are never born.
        """
        self.wanted = set(wanted)
        self.is_alive = False
        self.needs_birth = True
        self.trouble = "its birth was not seen yet"
        self.births: dict[str, dict[str, Definition]] = {}
        self._reorder_ns = reorder_ns
        self._aliases: dict[str, dict[int, str]] = {}
        self._bd_seq: float | None = None
        self._expected = 0
        self._last: tuple[str, str, Message] | None = None
        self._held: dict[int, _Held] = {}
        self._held_bytes = 0
        self._gap_due_ns: int | None = None
        self._unborn: set[str] = set()
        self._unborn_due_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """By the clock that never jumps: when ``tick`` has something to do."""
        dues = [due for due in (self._gap_due_ns, self._unborn_due_ns) if due is not None]
        return min(dues, default=None)

    @property
    def is_to_be_asked(self) -> bool:
        """Whether its birth is needed, and no message is waited for that could be it."""
        return self.needs_birth and not self._held

    def take(self, kind: str, device: str, data: bytes, now: Now) -> Iterator[Event]:
        """Yield what a message comes to.

        Args:
            kind: NBIRTH, DDATA …
            device: empty where the kind is a node's.
            data: its payload.
            now: when it came.
        """
        try:
            message = parse(data)
        except DeviceMalformed as error:
            self._ask(f"a {kind} is malformed: {error}")
            if kind not in {"NDEATH", "DDEATH"} and self.is_alive:
                yield Event(device, now.time_ns, quality=Quality.BAD_MALFORMED, note=str(error))
            return
        if kind == "NBIRTH":
            yield from self._nbirth(message, now)
        elif kind == "NDEATH":
            yield from self._ndeath(message, now)
        else:
            yield from self._in_order(_Held(kind, device, message, len(data)), now)

    def tick(self, now: Now) -> Iterator[Event]:
        """Yield what time alone brings: a gap that was not closed, a device that was not reborn."""
        if self._gap_due_ns is not None and now.monotonic_ns >= self._gap_due_ns:
            yield from self._gap(now)
        if self._unborn_due_ns is not None and now.monotonic_ns >= self._unborn_due_ns:
            self._unborn_due_ns = None
            for device in sorted(self._unborn):
                self.births.pop(device, None)
                self._aliases.pop(device, None)
                yield Event(device, now.time_ns, quality=Quality.BAD_SILENT,
                            note=f"its node was born without {device}")  # fmt: skip
            self._unborn = set()

    def resolve(self, device: str, metric: Metric) -> str | None:
        """Return the name of a metric that came; None where no birth has it."""
        if metric.name:
            return metric.name if metric.name in self.births.get(device, ()) else None
        if metric.alias is None:
            return None
        return self._aliases.get(device, {}).get(metric.alias)

    # ---- births and deaths

    def _nbirth(self, message: Message, now: Now) -> Iterator[Event]:
        bd_seq = _bd_seq(message)
        is_again = self.is_alive and bd_seq == self._bd_seq
        before = set(self.births) - {""}
        if self.is_alive and not is_again:
            # Another session: its death was lost, or comes late and then is none of this one.
            for device in sorted(before):
                yield Event(device, now.time_ns, quality=Quality.BAD_SILENT,
                            note=f"the node of {device} has begun anew")  # fmt: skip
        if not is_again:
            before = set()
        self.is_alive, self.needs_birth, self.trouble = True, False, ""
        self._bd_seq = bd_seq
        self.births = {name: self.births[name] for name in before}
        self._aliases = {}
        self._unborn = before | (self.wanted - {""})
        self._unborn_due_ns = now.monotonic_ns + BIRTHS_NS_MAX if self._unborn else None
        self._expected = (message.seq + 1) % SEQUENCE
        self._last = ("NBIRTH", "", message)
        # What was held is of this session only if it was sent later than its birth.
        born_ns = message.time_ns
        self._held = {
            seq: held
            for seq, held in self._held.items()
            if born_ns is not None and (held.message.time_ns or 0) > born_ns
        }
        self._held_bytes = sum(held.size_bytes for held in self._held.values())
        self._gap_due_ns = now.monotonic_ns + self._reorder_ns if self._held else None
        yield from self._born("", message, now)
        yield from self._release(now)

    def _born(self, device: str, message: Message, now: Now) -> Iterator[Event]:
        """Learn a birth's metrics, and yield what they are now."""
        others = sum(len(known) for name, known in self.births.items() if name != device)
        if others + len(message.metrics) > METRICS_MAX or len(self.births) > DEVICES_MAX:
            self.trouble = f"it has over {METRICS_MAX} metrics or {DEVICES_MAX} devices"
            yield Event(device, now.time_ns, quality=Quality.BAD_REFUSED, note=self.trouble)
            return
        names: dict[int, set[str]] = {}
        for one in message.metrics:
            if one.alias is not None:
                names.setdefault(one.alias, set()).add(one.name)
        # What an alias means that two metrics have nobody knows.
        twins = {name for shared in names.values() if len(shared) > 1 for name in shared}
        self.births[device] = {
            one.name: Definition(one.type, one.alias, one.name in twins) for one in message.metrics
        }
        self._aliases[device] = {alias: min(shared) for alias, shared in names.items()}
        self._unborn.discard(device)
        born_ns = now.time_ns if message.time_ns is None else message.time_ns
        yield Event(device, born_ns, tuple(self._seen(device, message, now)), is_birth=True)

    def _ndeath(self, message: Message, now: Now) -> Iterator[Event]:
        bd_seq = _bd_seq(message)
        if not self.is_alive or (None not in {bd_seq, self._bd_seq} and bd_seq != self._bd_seq):
            return  # of a session before this one, or said twice
        self.forget("the node has said that it is gone")
        self.needs_birth = False  # it bears by itself, when it comes back
        yield Event(None, now.time_ns, quality=Quality.BAD_SILENT, note=self.trouble)

    def forget(self, trouble: str) -> None:
        """Know nothing of the node any more: the next that counts is a birth."""
        self.is_alive, self.needs_birth, self.trouble = False, True, trouble
        self.births, self._aliases = {}, {}
        self._held, self._held_bytes, self._last = {}, 0, None
        self._gap_due_ns = self._unborn_due_ns = None
        self._unborn = set()

    def _ask(self, trouble: str) -> None:
        self.needs_birth, self.trouble = True, trouble

    # ---- order

    def _in_order(self, held: _Held, now: Now) -> Iterator[Event]:
        seq = held.message.seq
        if self.is_alive and seq == self._expected:
            yield from self._next(held, now)
            yield from self._release(now)
            return
        if self._last == (held.kind, held.device, held.message):
            return  # sent twice
        before = self._held.pop(seq, None)  # of another session, or what comes once more
        self._held[seq] = held
        self._held_bytes += held.size_bytes - (before.size_bytes if before else 0)
        if self._gap_due_ns is None:
            self._gap_due_ns = now.monotonic_ns + self._reorder_ns
        if len(self._held) > HELD_MAX or self._held_bytes > HELD_BYTES_MAX or not self._reorder_ns:
            yield from self._gap(now)

    def _release(self, now: Now) -> Iterator[Event]:
        """Take what had to wait and is next now."""
        while (held := self._held.pop(self._expected, None)) is not None:
            self._held_bytes -= held.size_bytes
            yield from self._next(held, now)
        if not self._held:
            self._gap_due_ns = None

    def _next(self, held: _Held, now: Now) -> Iterator[Event]:
        if (twin := self._held.pop(held.message.seq, None)) is not None:
            self._held_bytes -= twin.size_bytes  # what came once more, or of another session
        self._expected = (held.message.seq + 1) % SEQUENCE
        self._last = (held.kind, held.device, held.message)
        if held.kind == "DBIRTH":
            yield from self._born(held.device, held.message, now)
        elif held.kind == "DDEATH":
            self.births.pop(held.device, None)
            self._aliases.pop(held.device, None)
            self._unborn.discard(held.device)
            yield Event(held.device, held.message.time_ns or now.time_ns,
                        quality=Quality.BAD_SILENT, note="its node says it is gone")  # fmt: skip
        elif held.device in self.births and held.device not in self._unborn:
            metrics = tuple(self._seen(held.device, held.message, now))
            if metrics:
                yield Event(held.device, now.time_ns, metrics)
        else:
            self._ask(f"{held.device or 'the node'} has sent data without a birth")

    def _gap(self, now: Now) -> Iterator[Event]:
        """Give up on a message that is missing: what followed it may mean something else."""
        was_alive = self.is_alive
        trouble = (
            f"message {self._expected} of the node is missing"
            if was_alive
            else "the node sends, but its birth was not seen"
        )
        self.forget(trouble)
        if was_alive:
            yield Event(None, now.time_ns, quality=Quality.BAD_STALE, note=trouble)

    # ---- metrics

    def _seen(self, device: str, message: Message, now: Now) -> Iterator[Seen]:
        definitions = self.births[device]
        for one in message.metrics[:METRICS_MAX]:
            name = self.resolve(device, one)
            if name is None:
                what = repr(one.name) if one.name else f"alias {one.alias}"
                self._ask(f"{what} of {device or 'the node'} is in no birth")
                continue
            known = definitions[name].type
            if definitions[name].is_twin:
                continue
            if one.type not in {DataType.UNKNOWN, known}:
                self._ask(f"{name!r} was born as {known}, and came as {one.type}")
                continue
            time_ns = one.time_ns if one.time_ns is not None else message.time_ns
            yield Seen(name, known, now.time_ns if time_ns is None else time_ns, one)


def _bd_seq(message: Message) -> float | None:
    """Return the number that a birth and its death have in common; None where there is none."""
    for one in message.metrics:
        if one.name == BD_SEQ:
            try:
                found = value(one, one.type or DataType.INT64)
            except DeviceMalformed:
                return None
            return found if isinstance(found, float) else None
    return None
