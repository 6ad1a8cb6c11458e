"""Commander: carries out what the hub orders, each command once, under the gateway's own limits.

Every command is in a journal before anything is written to a device. A command that a crash left
begun is reported as failed and never repeated: nobody knows whether the device took it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from citytwin import reasons
from citytwin.command import (
    LIFETIME_NS_MAX,
    REASON_CHARS_MAX,
    Command,
    Outcome,
    OutcomeState,
    Readback,
)
from citytwin.errors import DeviceError, DeviceRefused, StoreError, StoreFull
from citytwin.point import Point, Span

JOURNAL: Final = "commands.db"
"""The journal's name in a gateway's state folder."""
QUEUE_MAX: Final = 100
WRITE_S_MAX: Final = 30.0
BUSY_S_MAX: Final = 5.0
KEEP_NS: Final = 7 * LIFETIME_NS_MAX
"""Ids are remembered for a week: seven times as long as a command can live."""

_log = structlog.get_logger(__name__)


class Interlock(NamedTuple):
    """``target`` may be written only while ``guard``'s latest good value is within ``span``."""

    target: str
    guard: str
    span: Span


class Commander:
    """One gateway's commander; ``offer`` and ``run`` belong to the event loop."""

    def __init__(
        self,
        path: Path,
        points: Mapping[str, Point],
        *,
        write: Callable[[str, float], Awaitable[None]],
        tell: Callable[[Outcome], Awaitable[None]],
        now_ns: Callable[[], int],
        latest: Callable[[str], float | None] = lambda _point: None,
        interlocks: Sequence[Interlock] = (),
        intervals_ns: Mapping[str, int] | None = None,
    ) -> None:
        """Open or create the journal.

        Args:
            path: the journal, an SQLite file.
            points: those of this gateway, by id.
            write: sets a point; raises DeviceError.
            tell: puts an outcome into the outbox.
            now_ns: UTC as the hub has it, so that a wrong clock here does not decide on expiry.
            latest: the latest good value of a point, None when there is none.
            interlocks: what must hold for a point to be written.
            intervals_ns: the shortest time between two commands to a point, by id.

        Raises:
            StoreError: the journal cannot be used.
        """
        self._points, self._write, self._tell = points, write, tell
        self._now_ns, self._latest, self._interlocks = now_ns, latest, interlocks
        self._intervals_ns = intervals_ns or {}
        self._queue: asyncio.Queue[Command] = asyncio.Queue(maxsize=QUEUE_MAX)
        self._asked: dict[str, asyncio.Future[Outcome]] = {}
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS commands (id TEXT PRIMARY KEY, point TEXT NOT NULL, "
                "value REAL NOT NULL, issued_by TEXT NOT NULL, expires_ns INTEGER NOT NULL, "
                "state TEXT NOT NULL, at_ns INTEGER NOT NULL, reason TEXT NOT NULL) STRICT"
            )
        except sqlite3.Error as error:
            raise StoreError(f"the journal of commands {path} cannot be opened: {error}") from error

    def change(
        self,
        points: Mapping[str, Point],
        interlocks: Sequence[Interlock],
        intervals_ns: Mapping[str, int],
    ) -> None:
        """Judge by other points, interlocks and intervals from the next command on."""
        self._points, self._interlocks, self._intervals_ns = points, interlocks, intervals_ns

    def close(self) -> None:
        """Release the journal."""
        self._db.close()

    def offer(self, command: Command) -> bool:
        """Take a command if there is room; one that is not taken will be sent again by the hub."""
        try:
            self._queue.put_nowait(command)
        except asyncio.QueueFull:
            _log.warning("command.queue_full", command=command.id, limit=QUEUE_MAX)
            return False
        return True

    async def ask(self, command: Command) -> Outcome:
        """Have a command of somebody at this gateway carried out in its turn; return the outcome.

        It is journalled, limited and told of like one of the hub's.

        Raises:
            StoreFull: too many wait already.
        """
        asked: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._asked[command.id] = asked
        try:
            if not self.offer(command):
                raise StoreFull(f"{QUEUE_MAX} commands wait already; try again later")
            return await asked
        finally:
            del self._asked[command.id]

    async def run(self) -> None:
        """Report what a crash left begun, then carry out commands, one after the other."""
        try:
            with self._errors():
                begun = self._db.execute("SELECT id FROM commands WHERE state = 'started'")
                left = [number for (number,) in begun.fetchall()]
        except StoreError as error:
            _log.error("command.journal_unreadable", reason=str(error))
            left = []
        for number in left:
            await self._finish(number, OutcomeState.FAILED, reasons.CUT_SHORT.said())
        while True:
            await self.handle(await self._queue.get())

    async def handle(self, command: Command) -> None:
        """Carry out one command, unless it was before, may not be, or has expired."""
        refusal = self._refusal(command)
        try:
            known = self._known(command.id)
            if refusal is None and known is None:
                refusal = self._too_soon(command.point)
            if known is None:
                self._journal(command, "started" if refusal is None else refusal[0].value)
        except StoreError as error:
            # What is not in the journal could be carried out twice: it is not carried out at all.
            await self._finish(command.id, OutcomeState.REFUSED, str(error))
            return
        if known is not None:
            _log.info("command.repeated", command=command.id, state=known.state.value)
            self._answer(known)
            await self._tell(known)
            return
        if refusal is not None:
            await self._finish(command.id, *refusal)
            return
        try:
            async with asyncio.timeout(WRITE_S_MAX):
                await self._write(command.point, command.value)
        except DeviceRefused as error:
            refused = reasons.DEVICE_REFUSED.said(words=error)
            await self._finish(command.id, OutcomeState.FAILED, refused)
        except (DeviceError, OSError, TimeoutError) as error:
            words = str(error) or reasons.NO_ANSWER_WITHIN.said(seconds=f"{WRITE_S_MAX:g}")
            unsure = reasons.NOT_CONFIRMED.said(words=words)
            await self._finish(command.id, OutcomeState.FAILED, unsure)
        else:
            await self._finish(command.id, OutcomeState.EXECUTED, "")

    def last_set(self, point: str) -> float | None:
        """Return what a point was last set to by a command, or by ``secure``."""
        try:
            with self._errors():
                row = self._db.execute(
                    "SELECT value FROM commands WHERE point = ? AND state = ? "
                    "ORDER BY at_ns DESC, rowid DESC LIMIT 1",
                    (point, OutcomeState.EXECUTED.value),
                ).fetchone()
        except StoreError as error:
            _log.error("command.journal_unreadable", reason=str(error))
            return None
        return None if row is None else float(row[0])

    async def secure(self, point: str, value: float) -> bool:
        """Set a point to its fail-safe value, whoever commanded it; returns whether it was taken.

        It is in the journal like a command; the hub, which is not there, is not told.
        """
        now_ns = self._now_ns()
        command = Command(
            id=uuid.uuid4().hex, point=point, value=value, issued_by="failsafe", issued_ns=now_ns,
            expires_ns=now_ns + LIFETIME_NS_MAX,
            readback=Readback(point, value, 0.0, LIFETIME_NS_MAX),
        )  # fmt: skip
        try:
            async with asyncio.timeout(WRITE_S_MAX):
                await self._write(point, value)
        except (DeviceError, OSError, TimeoutError) as error:
            _log.error("failsafe.not_taken", point=point, reason=str(error))
            return False
        try:
            self._journal(command, OutcomeState.EXECUTED.value)
        except StoreError as error:
            _log.error("command.not_journalled", command=command.id, reason=str(error))
        return True

    def _refusal(self, command: Command) -> tuple[OutcomeState, str] | None:
        """Return why a command may not be carried out."""
        point = self._points.get(command.point)
        if point is None:
            return OutcomeState.REFUSED, reasons.NOT_HERE.said(point=repr(command.point))
        if point.writable is None:
            return OutcomeState.REFUSED, reasons.NOT_WRITABLE.said(point=command.point)
        if command.value not in point.writable:
            outside = reasons.OUTSIDE.said(
                value=f"{command.value:g}", **reasons.ends(point.writable)
            )
            return OutcomeState.REFUSED, outside
        if not point.on_step(command.value):
            return OutcomeState.REFUSED, reasons.off_step(point, command.value)
        if self._now_ns() > command.expires_ns:
            return OutcomeState.EXPIRED, reasons.CAME_LATE.said()
        for lock in self._interlocks:
            if lock.target != command.point:
                continue
            value = self._latest(lock.guard)
            if value is None or value not in lock.span:
                reason = reasons.INTERLOCK_BLIND if value is None else reasons.INTERLOCK
                shown = "" if value is None else f"{value:g}"
                said = reason.said(guard=lock.guard, value=shown, **reasons.ends(lock.span))
                return OutcomeState.REFUSED, said
        return None

    def _too_soon(self, point: str) -> tuple[OutcomeState, str] | None:
        """Return why a point may not be set again yet; what a restart cut short counts, too."""
        interval_ns = self._intervals_ns.get(point, 0)
        if not interval_ns:
            return None
        with self._errors():
            (last_ns,) = self._db.execute(
                "SELECT max(at_ns) FROM commands WHERE point = ? AND state IN (?, ?, 'started')",
                (point, OutcomeState.EXECUTED.value, OutcomeState.FAILED.value),
            ).fetchone()
        ago_ns = self._now_ns() - last_ns if last_ns is not None else interval_ns
        if not 0 <= ago_ns < interval_ns:
            return None
        said = reasons.TOO_SOON.said(
            point=point, seconds=f"{ago_ns / 1e9:.0f}", interval=f"{interval_ns / 1e9:g}"
        )
        return OutcomeState.REFUSED, said

    def _known(self, number: str) -> Outcome | None:
        with self._errors():
            row = self._db.execute(
                "SELECT state, at_ns, reason FROM commands WHERE id = ? AND state != 'started'",
                (number,),
            ).fetchone()
        if row is None:
            return None
        return Outcome(command=number, state=OutcomeState(row[0]), at_ns=row[1], reason=row[2])

    def _journal(self, command: Command, state: str) -> None:
        now_ns = self._now_ns()
        row = (
            command.id, command.point, command.value, command.issued_by,
            command.expires_ns, state, now_ns,
        )  # fmt: skip
        with self._errors():
            self._db.execute("DELETE FROM commands WHERE at_ns < ?", (now_ns - KEEP_NS,))
            self._db.execute("INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?, ?, '')", row)

    async def _finish(self, number: str, state: OutcomeState, reason: str) -> None:
        outcome = Outcome(
            command=number, state=state, at_ns=self._now_ns(), reason=reason[:REASON_CHARS_MAX]
        )
        try:
            with self._errors():
                self._db.execute(
                    "UPDATE commands SET state = ?, at_ns = ?, reason = ? WHERE id = ?",
                    (state.value, outcome.at_ns, outcome.reason, number),
                )
        except StoreError as error:
            _log.error("command.not_journalled", command=number, reason=str(error))
        _log.info("command." + state.value, command=number, reason=reason)
        self._answer(outcome)
        await self._tell(outcome)

    def _answer(self, outcome: Outcome) -> None:
        """Tell who asked for it here, if somebody did and still waits."""
        asked = self._asked.get(outcome.command)
        if asked is not None and not asked.done():
            asked.set_result(outcome)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the journal of commands {self._path} fails: {error}") from error
