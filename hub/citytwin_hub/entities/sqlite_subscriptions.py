"""SqliteSubscriptions: the subscriptions of one tenant, and how far each subscriber was told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from citytwin_hub.entities.database import Database
from citytwin_hub.entities.errors import AlreadyExists
from citytwin_hub.entities.subscriptions import Progress, Subscription

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS subscription (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL, progress BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS passed (
    only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS passed_live (
    only INTEGER PRIMARY KEY CHECK (only = 1), received INTEGER NOT NULL) STRICT;
"""
"""``passed`` is the last record of the evolution that every subscription without a cursor of its
own was told of; ``passed_live`` when the last sample of a point was received that it was told of.
"""

_encode: Final = msgspec.json.Encoder().encode
_subscription: Final = msgspec.json.Decoder(Subscription).decode
_progress: Final = msgspec.json.Decoder(Progress).decode


class Kept(NamedTuple):
    """A subscription, and how far its subscriber was told."""

    subscription: Subscription
    progress: Progress


class Passed(NamedTuple):
    """How far every subscriber without a cursor of his own was told.

    Attributes:
        number: the last record of the evolution.
        received_ns: when the newest sample of a point was received; None: no points were followed.
    """

    number: int
    received_ns: int | None = None


class SqliteSubscriptions:
    """Subscriptions in the order in which they were made. What was put is durable."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        self._database = Database(path, SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def all(self) -> list[Kept]:
        """Return every subscription, the oldest first."""
        rows = self._database.reader.execute(
            "SELECT body, progress FROM subscription ORDER BY number"
        )
        return [Kept(_subscription(body), _progress(progress)) for body, progress in rows]

    def passed(self) -> Passed | None:
        """Return what ``save`` was last given; None before the first time."""
        row = self._database.reader.execute(
            "SELECT number, received FROM passed LEFT JOIN passed_live USING (only)"
        ).fetchone()
        return None if row is None else Passed(*row)

    def add(self, subscription: Subscription, progress: Progress) -> None:
        """Keep a new subscription.

        Raises:
            AlreadyExists: there is one with this identifier.
            StoreError: the file cannot be written.
        """
        with self._database.writing() as db:
            added = db.execute(
                "INSERT OR IGNORE INTO subscription (id, body, progress) VALUES (?, ?, ?)",
                (subscription.id, _encode(subscription), _encode(progress)),
            )
            if not added.rowcount:
                raise AlreadyExists(f"there is a subscription {subscription.id} already")

    def put(self, subscription: Subscription, progress: Progress) -> None:
        """Put a subscription in the place of that with its identifier."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE subscription SET body = ?, progress = ? WHERE id = ?",
                (_encode(subscription), _encode(progress), subscription.id),
            )

    def remove(self, subscription_id: str) -> None:
        """Forget a subscription."""
        with self._database.writing() as db:
            db.execute("DELETE FROM subscription WHERE id = ?", (subscription_id,))

    def save(self, progress: Mapping[str, Progress], passed: Passed) -> Passed:
        """Keep how far some subscribers were told, and all others; return ``passed``.

        Raises:
            StoreError: the file cannot be written; nothing of it was kept.
        """
        with self._database.writing() as db:
            db.executemany(
                "UPDATE subscription SET progress = ? WHERE id = ?",
                ((_encode(one), subscription_id) for subscription_id, one in progress.items()),
            )
            db.execute(
                "INSERT OR REPLACE INTO passed (only, number) VALUES (1, ?)", (passed.number,)
            )
            if passed.received_ns is not None:
                db.execute(
                    "INSERT OR REPLACE INTO passed_live (only, received) VALUES (1, ?)",
                    (passed.received_ns,),
                )
        return passed
