"""Remote: takes a configuration that the hub pushes, on trial, and gives it back if need be.

docs/specs/config.md has the rules. A push is taken only when the hub's authority has signed it,
when it is right as a whole, when it changes nothing that the technician has kept for himself, and
when what runs here is what the hub believes. It stays only when an entry that was made under it has
been acknowledged within the trial; else the one before runs again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
import structlog

from citytwin.errors import CityTwinError, ConfigError, EnrolmentError, StoreError
from citytwin_edge.config import load
from citytwin_edge.gateway import GatewayConfig, Remote, digest
from citytwin_edge.push_store import ConfigStore, Push, State, ended
from citytwin_edge.reload import Answer, Reloader, refuse_fixed
from citytwin_edge.remote_limits import forbidden
from citytwin_protos.config_order import (
    ConfigOrder,
    deflated,
    inflated,
    order_from_bytes,
    signed_bytes,
)
from citytwin_protos.session import ConfigAsked, ConfigPushed, ConfigReported

WAITING_MAX: Final = 4
"""Pushes that may wait for the one before them; the hub sends one at a time."""
LOOK_S: Final = 0.2

_log = structlog.get_logger(__name__)


class Road(Protocol):
    """The way to the hub: what proves a configuration."""

    connected: bool
    connects: int

    @property
    def durable_through(self) -> int:
        """The highest number of an entry that the hub has acknowledged."""
        ...

    def tell_config(self, report: ConfigReported | None = None) -> None:
        """Report to the hub what runs, or something else about it, if it is there."""
        ...


class RemoteConfig:
    """One gateway's; belongs to the event loop."""

    def __init__(
        self,
        store: ConfigStore,
        reloader: Reloader,
        road: Road,
        *,
        authority: Callable[[], bytes],
        is_signed: Callable[[bytes, bytes, bytes], Awaitable[bool]],
        last_number: Callable[[], Awaitable[int]],
        now_ns: Callable[[], int],
    ) -> None:
        """Begin where the files say that it stands.

        Args:
            store: remembers the push.
            reloader: lets a configuration take the place of another.
            road: proves it.
            authority: the certificate (PEM) of the hub's authority, as enrolment kept it.
            is_signed: tells whether (authority, data, signature) fit together.
            last_number: the number of the newest entry in the outbox.
            now_ns: UTC.
        """
        self._store, self._reloader, self._road = store, reloader, road
        self._authority, self._is_signed = authority, is_signed
        self._last_number, self._now_ns = last_number, now_ns
        self._push = store.push()
        self._waiting: asyncio.Queue[ConfigPushed] = asyncio.Queue(maxsize=WAITING_MAX)

    @property
    def _current(self) -> GatewayConfig:
        return self._reloader.current

    # ---- what the uplink asks and brings
    def report(self) -> ConfigReported:
        """Return what the hub is told."""
        push, config = self._push, self._current
        state = "trial" if push.state in {"taking", "rolling-back"} else push.state
        return ConfigReported(
            config.digest, config.remote.value, push.number, state, push.reason, push.at_ns
        )

    def asked(self, _asked: ConfigAsked) -> ConfigReported:
        """Return the same with the text of what runs, unless the technician keeps it to himself."""
        report = self.report()
        if self._current.remote is Remote.OFF:
            return report
        try:
            return msgspec.structs.replace(report, text=deflated(self._current.raw))
        except CityTwinError as error:
            _log.warning("config.too_large_to_tell", reason=str(error))
            return report

    def pushed(self, push: ConfigPushed) -> None:
        """Take a push if there is room; one that is not taken will be sent again by the hub."""
        try:
            self._waiting.put_nowait(push)
        except asyncio.QueueFull:
            _log.warning("config.too_many_pushes", limit=WAITING_MAX)

    async def run(self) -> None:
        """End the trial that a restart has cut short, then take pushes, one after the other."""
        if self._push.state == "trial":
            self._reloader.result = "trial"
            await self._try_out(self._push, self._road.connects)
        while True:
            pushed = await self._waiting.get()
            try:
                await self._take(pushed)
            except StoreError as error:
                _log.error("config.not_kept", reason=str(error))

    # ---- a push
    async def _take(self, pushed: ConfigPushed) -> None:
        try:
            order = await self._signed(pushed)
        except (CityTwinError, OSError) as error:
            # Who made it is not known: it is no push, and nothing of it is remembered.
            _log.error("config.forged", reason=str(error))
            self._road.tell_config(_refusal(self.report(), pushed, str(error)))
            return
        if order.number <= self._push.seen:
            _log.info("config.repeated", push=order.number, newest=self._push.seen)
            self._road.tell_config()
            return
        _log.info("config.pushed", push=order.number, by=order.issued_by, why=order.why)
        push = Push(
            number=order.number, seen=order.number, old=self._current.digest,
            trial_ns=self._current.trial_ns,
        )  # fmt: skip
        try:
            raw = inflated(order.text)
            await self._check(order, raw)
            push = msgspec.structs.replace(push, new=digest(raw))
            await asyncio.to_thread(self._begin, push, raw)
        except CityTwinError as error:
            await self._end(push, "refused", str(error))
            return
        connects = self._road.connects
        hub = self._current.hub
        answer = await self._reloader.apply(raw)
        if answer.result != "applied":
            await self._give_back(push, answer.text, refused=True)
            return
        self._reloader.result = "trial"
        elsewhere = self._current.hub != hub
        push = await self._note(msgspec.structs.replace(self._push, state="trial"))
        self._road.tell_config()
        await self._try_out(push, connects + 1 if elsewhere else 0)

    async def _signed(self, pushed: ConfigPushed) -> ConfigOrder:
        """Return the order of a push that the hub's authority has signed for this gateway.

        Raises:
            EnrolmentError, WireError: it has not.
        """
        data = signed_bytes(pushed.order)
        if not await self._is_signed(self._authority(), data, pushed.signature):
            raise EnrolmentError("the signature is not that of the hub this gateway is enrolled at")
        order = order_from_bytes(pushed.order)
        if order.gateway != self._current.name:
            raise EnrolmentError(f"it is signed for gateway {order.gateway!r}")
        return order

    async def _check(self, order: ConfigOrder, raw: bytes) -> None:
        """Refuse what may not be, or is not right.

        Raises:
            CityTwinError: why, in one sentence.
        """
        before = self._current
        if before.remote is Remote.OFF:
            raise ConfigError(forbidden(before, before))
        here = await asyncio.to_thread(self._store.digest)
        if order.base and (order.base != before.digest or here != before.digest):
            what = "runs" if order.base != before.digest else "is in the file, not yet taken,"
            raise ConfigError(
                f"another configuration {what} on the gateway than the hub knows: somebody changed "
                "it on the spot; look at the difference (citytwin-hub config GATEWAY diff), then "
                "push with --force or take over what runs"
            )
        after = await asyncio.to_thread(load, before.path, raw)
        refuse_fixed(before, after)
        why = forbidden(before, after)
        if why:
            raise ConfigError(why)

    def _begin(self, push: Push, raw: bytes) -> None:
        """Make every step durable before the next; see :mod:`citytwin_edge.push_store`."""
        now_ns = self._now_ns()
        self._store.keep_previous(self._current.raw)
        taking = msgspec.structs.replace(
            push, state="taking", at_ns=now_ns, deadline_ns=now_ns + push.trial_ns
        )
        self._push = self._store.note(taking)
        self._store.put(raw)

    # ---- the trial
    async def _try_out(self, push: Push, connects: int) -> None:
        """Wait for the proof; confirm, or roll back when there is none in time."""
        left_ns = min(max(push.deadline_ns - self._now_ns(), 0), push.trial_ns)
        wanted = await self._last_number() + 1
        _log.info("config.trial", push=push.number, seconds=left_ns / 1e9)
        try:
            async with asyncio.timeout(left_ns / 1e9):
                while not self._is_proven(wanted, connects):
                    if self._current.digest != push.new:
                        await self._end(push, "rolled-back", "somebody changed the configuration "
                                        "on the spot during the trial")  # fmt: skip
                        return
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            held = f"{push.trial_ns / 1e9:g} s"
            why = "it was not connected" if not self._road.connected else "it acknowledged nothing"
            await self._give_back(push, f"the hub did not prove it within {held}: {why}")
            return
        self._reloader.result = "applied"
        await self._end(push, "confirmed", "")

    def _is_proven(self, wanted: int, connects: int) -> bool:
        road = self._road
        return road.connected and road.connects >= connects and road.durable_through >= wanted

    async def _give_back(self, push: Push, reason: str, *, refused: bool = False) -> None:
        """Let the configuration before run again."""
        state: State = "refused" if refused else "rolled-back"
        if await asyncio.to_thread(self._store.digest) != push.new:
            await self._end(push, state, f"{reason} (the file was changed on the spot meanwhile)")
            return
        await self._note(ended(push, "rolling-back", reason, self._now_ns()))
        previous = await asyncio.to_thread(self._store.previous)
        await asyncio.to_thread(self._store.put, previous)
        if not refused:
            answer: Answer = await self._reloader.apply(previous)
            if answer.result != "applied":
                reason += f"; the one before could not be taken again: {answer.text}"
            self._reloader.result = "rolled-back"
        await self._end(push, state, reason)

    async def _end(self, push: Push, state: State, reason: str) -> None:
        told = _log.info if state == "confirmed" else _log.warning
        told("config." + state.replace("-", "_"), push=push.number, reason=reason)
        await self._note(ended(push, state, reason, self._now_ns()))
        self._road.tell_config()

    async def _note(self, push: Push) -> Push:
        self._push = await asyncio.to_thread(self._store.note, push)
        return self._push


def _refusal(report: ConfigReported, pushed: ConfigPushed, reason: str) -> ConfigReported:
    """Return what is told of a push that nobody has signed; its number is what it says it is."""
    try:
        number = order_from_bytes(pushed.order).number
    except CityTwinError:
        return report
    return msgspec.structs.replace(report, push=number, state="refused", reason=reason)
