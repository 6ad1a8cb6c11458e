"""Commands: from somebody's wish to a read-back, each step in a durable journal.

scheduled → submitted → sent → executed → settled | contradicted | unverified; or refused, canceled,
expired, failed. What was wished never reaches the twin, which changes when the value is read back.
"""

from __future__ import annotations

import math
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

from citytwin import reasons
from citytwin.batch import SECOND_NS
from citytwin.command import Command, Outcome, OutcomeState
from citytwin.errors import StoreError
from citytwin.quality import Severity, severity
from citytwin_hub.command_checks import (
    LIFE_S,
    CommandRefused,
    Wish,
    command_of,
    known_point,
    refused,
)
from citytwin_hub.messages import reason_text
from citytwin_hub.policy.grants import Act
from citytwin_hub.policy.permit import Permit
from citytwin_hub.readers import Entry, outcome_of
from citytwin_hub.registry import Registry
from citytwin_protos.codec import command_from_bytes, command_to_bytes

OPEN_MAX: Final = 10_000
LISTED_MAX: Final = 500
BUSY_S_MAX: Final = 5.0
GRACE_NS: Final = 10 * SECOND_NS
"""An outcome may still be on its way when the command has expired at the gateway."""
HISTORY_MAX: Final = 100
KEPT_MAX: Final = 1_000_000
"""So many commands are kept on disk, the newest."""
REPEATED: Final = "repeated"
"""A note between the states: the same id was given again, and not sent again."""
FINAL: Final = frozenset(
    {"settled", "contradicted", "unverified", "refused", "canceled", "expired", "failed"}
)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tracked:
    """A command and what has become of it: (state, UTC nanoseconds, reason), newest last.

    Attributes:
        saved: how many of these are on disk.
    """

    command: Command
    row: int
    history: list[tuple[str, int, str]] = field(default_factory=list)
    saved: int = 0
    executed_ns: int = 0
    last_read: float = math.nan

    @property
    def state(self) -> str:
        """The newest state."""
        return self.newest[0]

    @property
    def newest(self) -> tuple[str, int, str]:
        """The newest state, when, and why."""
        return next(step for step in reversed(self.history) if step[0] != REPEATED)


class Commands:
    """Submits, follows and settles. Belongs to the event loop."""

    def __init__(
        self,
        path: Path,
        registry: Registry,
        send: Callable[[str, Command], bool],
        permit_of: Callable[[str], Permit | None] = lambda _name: None,
        allows: Callable[[Permit, int], bool] = lambda _permit, _row: True,
    ) -> None:
        """Open or create the journal and take up what is not final.

        Args:
            path: the journal.
            registry: what points there are.
            send: hands a command to a gateway; tells whether it could.
            may: tells whether a user may command a point now, None if he may none (any more):
                asked when a scheduled command is due.
        """
        self._registry, self._send = registry, send
        self._permit_of, self._allows = permit_of, allows
        self._open: dict[str, Tracked] = {}
        self._watchers: list[Callable[[dict[str, Any]], None]] = []
        self.counts: dict[str, int] = {}
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(
                "CREATE TABLE IF NOT EXISTS commands (id TEXT PRIMARY KEY, row INTEGER NOT NULL, "
                "command BLOB NOT NULL, issued_ns INTEGER NOT NULL) STRICT;"
                "CREATE TABLE IF NOT EXISTS steps (number INTEGER PRIMARY KEY AUTOINCREMENT, "
                "id TEXT NOT NULL, state TEXT NOT NULL, at_ns INTEGER NOT NULL, "
                "reason TEXT NOT NULL) STRICT;"
                "CREATE INDEX IF NOT EXISTS steps_id ON steps (id);"
                "CREATE INDEX IF NOT EXISTS commands_row ON commands (row, issued_ns);"
            )
            ended = f"SELECT id FROM steps WHERE state IN {tuple(sorted(FINAL))}"  # noqa: S608  # constants
            for tracked in self._stored(f"WHERE id NOT IN ({ended})", OPEN_MAX):
                self._open[tracked.command.id] = tracked
            (self._kept,) = self._db.execute("SELECT count(*) FROM commands").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the commands in {path} cannot be read: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def watch(self, watcher: Callable[[dict[str, Any]], None]) -> None:
        """Call ``watcher`` with every command whose state has changed."""
        self._watchers.append(watcher)

    def submit(
        self,
        user: Permit,
        point_id: str,
        value: float,
        now_ns: int,
        *,
        expires_s: float = LIFE_S,
        command_id: str = "",
        reason: str = "",
        at_ns: int | None = None,
    ) -> Tracked:
        """Check a wish, journal it and send it on; refusals and repeats are journalled too.

        With ``at_ns``, a moment to come, it is checked again and sent on then.

        Raises:
            CommandRefused: it may not be done; the text says why.
            StoreError: it cannot be journalled; then it was not sent.
        """
        if command_id and (known := self.find(command_id)):
            same = known.command.point == point_id and known.command.value == value
            given = reasons.GIVEN_AGAIN if same else reasons.GIVEN_AGAIN_ELSE
            if len(known.history) < HISTORY_MAX:
                said = given.said(user=user.name, point=point_id[:200], value=f"{value:g}")
                self._step(known, REPEATED, now_ns, said)
            if same:
                return known
            raise CommandRefused(409, reasons.GIVEN_FOR_ELSE.said(id=command_id))
        wish = Wish(user, point_id, value, expires_s, at_ns)
        tracked = self._checked(wish, command_id or uuid.uuid4().hex, now_ns)
        self._open[tracked.command.id] = tracked
        refusal = refused(self._registry, self.may(user, tracked.row), tracked.command)
        if refusal is not None:
            self._step(tracked, "refused", now_ns, str(refusal))
            raise refusal
        later = tracked.command.issued_ns > now_ns
        self._step(tracked, "scheduled" if later else "submitted", now_ns, reason)
        if not tracked.saved:
            del self._open[tracked.command.id]
            raise StoreError("the command cannot be journalled, so it was not sent; see the log")
        if not later:
            self._try_to_send(tracked, now_ns)
        return tracked

    def may(self, permit: Permit | None, row: int) -> bool | None:
        """Tell whether somebody may command a point; None: he may command none."""
        if permit is None or not permit.may(Act.COMMAND):
            return None
        return self._allows(permit, row)

    def cancel(self, user: Permit, tracked: Tracked, now_ns: int) -> None:
        """Withdraw a command that was not sent yet.

        Raises:
            CommandRefused: he may not, or it is too late.
        """
        if not user.may(Act.COMMAND):
            raise CommandRefused(403, reasons.LOOKER.said(user=user.name))
        if tracked.state not in {"scheduled", "submitted"}:
            raise CommandRefused(409, reasons.TOO_LATE.said(id=tracked.command.id))
        self._step(tracked, "canceled", now_ns, reasons.CANCELED_BY.said(user=user.name))

    def open_on(self, point_id: str) -> list[Tracked]:
        """Return the commands to a point of which it is not known yet what becomes of them."""
        return [
            one
            for one in self._open.values()
            if one.command.point == point_id and one.state not in FINAL
        ]

    def _begin(self, tracked: Tracked, now_ns: int) -> None:
        """Send on what was scheduled, if it still may be done."""
        permit = self._permit_of(tracked.command.issued_by)
        refusal = refused(self._registry, self.may(permit, tracked.row), tracked.command)
        if refusal is not None:
            self._step(tracked, "refused", now_ns, str(refusal))
            return
        self._step(tracked, "submitted", now_ns, "")
        self._try_to_send(tracked, now_ns)

    def _try_to_send(self, tracked: Tracked, now_ns: int) -> None:
        """Send a command; journal that it was, if it was and this is new."""
        if self._send(tracked.command.point.split("/")[0], tracked.command) and (
            tracked.state == "submitted"
        ):
            self._step(tracked, "sent", now_ns, "")

    def _checked(self, wish: Wish, command_id: str, now_ns: int) -> Tracked:
        """Return a wish as a command; raises for what is none."""
        if len(self._open) >= OPEN_MAX:
            raise CommandRefused(429, reasons.TOO_MANY.said(limit=OPEN_MAX))
        row, point = known_point(self._registry, wish.point)
        return Tracked(command_of(wish, point, command_id, now_ns), row)

    def find(self, command_id: str) -> Tracked | None:
        """Return a command, however old."""
        if command_id in self._open:
            return self._open[command_id]
        return next(iter(self._stored("WHERE id = ?", 1, command_id)), None)

    def listed(self, row: int | None = None) -> list[Tracked]:
        """Return the newest commands, newest first: of all points, or to that of a row."""
        if row is None:
            stored = self._stored("ORDER BY issued_ns DESC", LISTED_MAX)
        else:
            stored = self._stored("WHERE row = ? ORDER BY issued_ns DESC", LISTED_MAX, row)
        return [self._open.get(tracked.command.id, tracked) for tracked in stored]

    def connected(self, gateway: str, now_ns: int) -> None:
        """Send a gateway that has come what still waits for it; it carries each out once."""
        for tracked in list(self._open.values()):
            mine = tracked.command.point.startswith(gateway + "/")
            if mine and tracked.state in {"submitted", "sent"}:
                self._try_to_send(tracked, now_ns)

    def entry(self, entry: Entry) -> None:
        """Take outcomes and read-backs from a journal record."""
        outcome = outcome_of(entry)
        if outcome is not None:
            self._outcome(outcome, entry.record.gateway)
            return
        for tracked in list(self._open.values()):
            waits = tracked.executed_ns and tracked.state not in FINAL
            if waits and tracked.row in entry.batch.point:
                self._readback(tracked, entry)

    def check(self, now_ns: int) -> None:
        """Send what could not be sent yet, end what has waited too long; about once a second."""
        for tracked in list(self._open.values()):
            command = tracked.command
            if tracked.saved < len(tracked.history):
                self._save(tracked)
            if tracked.state in FINAL:
                continue
            if tracked.state == "scheduled":
                if now_ns >= command.issued_ns:
                    self._begin(tracked, now_ns)
            elif tracked.state == "submitted" and now_ns <= command.expires_ns:
                self._try_to_send(tracked, now_ns)
            elif tracked.state in {"submitted", "sent"} and now_ns > command.expires_ns + GRACE_NS:
                sent = tracked.state == "sent"
                why = reasons.NO_ANSWER if sent else reasons.NOT_REACHED
                self._step(tracked, "expired", now_ns, why.said())
            elif tracked.executed_ns and now_ns > tracked.executed_ns + command.readback.within_ns:
                if math.isnan(tracked.last_read):
                    self._step(tracked, "unverified", now_ns, reasons.NOT_READ.said())
                else:
                    read, wanted = f"{tracked.last_read:g}", f"{command.value:g}"
                    words = reasons.READ_OTHER.said(read=read, wanted=wanted)
                    self._step(tracked, "contradicted", now_ns, words)

    def described(self, tracked: Tracked) -> dict[str, Any]:
        """Return a command as the APIs show it (docs/architecture.md)."""
        command = tracked.command
        return {
            "id": command.id,
            "point": command.point,
            "row": tracked.row,
            "value": command.value,
            "state": tracked.state,
            "issued_by": command.issued_by,
            "issued_ms": tracked.history[0][1] // 1_000_000,
            "due_ms": command.issued_ns // 1_000_000,
            "expires_ms": command.expires_ns // 1_000_000,
            "reason": reason_text(tracked.newest[2]),
            "history": [
                {"state": state, "at_ms": at_ns // 1_000_000, "reason": reason_text(reason)}
                for state, at_ns, reason in tracked.history
            ],
        }

    def _outcome(self, outcome: Outcome, gateway: str) -> None:
        tracked = self._open.get(outcome.command)
        if tracked is None or not tracked.command.point.startswith(gateway + "/"):
            return
        if tracked.executed_ns or tracked.state in FINAL:
            return  # told again after a reconnect
        if outcome.state == OutcomeState.EXECUTED:
            tracked.executed_ns = outcome.at_ns
        self._step(tracked, outcome.state.value, outcome.at_ns, outcome.reason)

    def _readback(self, tracked: Tracked, entry: Entry) -> None:
        batch, wanted = entry.batch, tracked.command.readback
        mine = (batch.point == tracked.row) & (batch.time_ns >= tracked.executed_ns)
        good = mine & (severity(batch.quality) != Severity.BAD)
        if not good.any():
            return
        newest = int(np.flatnonzero(good)[np.argmax(batch.time_ns[good])])
        tracked.last_read = float(batch.value[newest])
        if abs(tracked.last_read - wanted.value) <= wanted.tolerance:
            read = reasons.READ_BACK.said(read=f"{tracked.last_read:g}")
            self._step(tracked, "settled", int(batch.time_ns[newest]), read)

    def _step(self, tracked: Tracked, state: str, at_ns: int, reason: str) -> None:
        command = tracked.command
        tracked.history.append((state, at_ns, reason))
        self._save(tracked)
        self.counts[state] = self.counts.get(state, 0) + 1
        _log.info(
            "command." + state,
            command=command.id,
            point=command.point,
            value=command.value,
            by=command.issued_by,
            reason=reason,
        )
        for watcher in self._watchers:
            watcher(self.described(tracked))

    def _save(self, tracked: Tracked) -> None:
        """Journal the steps that are not on disk yet; what the disk refuses is tried again."""
        command = tracked.command
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                if not tracked.saved:
                    self._db.execute(
                        "INSERT INTO commands (id, row, command, issued_ns) VALUES (?, ?, ?, ?)",
                        (command.id, tracked.row, command_to_bytes(command), command.issued_ns),
                    )
                self._db.executemany(
                    "INSERT INTO steps (id, state, at_ns, reason) VALUES (?, ?, ?, ?)",
                    [(command.id, *step) for step in tracked.history[tracked.saved :]],
                )
                if self._kept >= KEPT_MAX:
                    self._forget()
        except sqlite3.Error as error:
            _log.error("command.unsaved", command=command.id, reason=str(error))
            return
        self._kept += not tracked.saved
        tracked.saved = len(tracked.history)
        if tracked.state in FINAL:
            self._open.pop(command.id, None)

    def _forget(self) -> None:
        oldest = "SELECT id FROM commands ORDER BY issued_ns LIMIT ?"
        many = (KEPT_MAX // 100 + 1,)
        self._db.execute(f"DELETE FROM steps WHERE id IN ({oldest})", many)  # noqa: S608  # constant
        gone = self._db.execute(f"DELETE FROM commands WHERE id IN ({oldest})", many)  # noqa: S608  # constant
        self._kept -= gone.rowcount

    def _stored(self, clause: str, limit: int, *given: Any) -> list[Tracked]:
        found = []
        rows = self._db.execute(
            f"SELECT id, row, command FROM commands {clause} LIMIT {limit}",  # noqa: S608  # constants
            given,
        ).fetchall()
        for number, row, data in rows:
            tracked = Tracked(command_from_bytes(data), row)
            tracked.history = [
                (state, at_ns, reason)
                for state, at_ns, reason in self._db.execute(
                    "SELECT state, at_ns, reason FROM steps WHERE id = ? ORDER BY number", (number,)
                )
            ]
            tracked.saved = len(tracked.history)
            for state, at_ns, _ in tracked.history:
                if state == "executed":
                    tracked.executed_ns = at_ns
            if tracked.history:
                found.append(tracked)
        return found
