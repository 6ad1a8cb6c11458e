"""Numbering: the numbers by which this gateway names points and texts on the wire, for ever.

A number keeps its meaning: a point whose unit or kind changes gets a new one, so that what was read
before is never taken for what is read now, however long it waits in the outbox.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np

from citytwin.batch import Int32
from citytwin.errors import StoreError, StoreFull
from citytwin.point import Point
from citytwin_protos.codec import point_from_bytes, point_to_bytes

TEXTS_MAX: Final = 10_000
TEXT_CHARS_MAX: Final = 256
POINTS_MAX: Final = 100_000
"""What may be announced in one session (docs/specs/link.md)."""
_TOLD: Final = "gone"


class Announcement(NamedTuple):
    """What the hub must know before the first entry: points and texts by number, a digest."""

    points: dict[int, Point]
    texts: dict[int, str]
    digest: bytes
    gone: frozenset[int]
    """Numbers of points that this gateway has no more; old entries may still hold them."""


class Numbering:
    """Persistent numbers in the outbox's file; a number, once given, keeps its meaning.

    Attributes:
        gone: numbers whose points this gateway has no more, as ``use`` said last.
        version: grows when a point is added, changed, or no longer in use.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use the outbox's database.

        Raises:
            StoreError: it cannot be read.
        """
        self._db = connection
        try:
            self._points = {
                number: point_from_bytes(data)
                for number, data in connection.execute(
                    "SELECT number, point FROM points ORDER BY number"
                )
            }
            self._texts: dict[str, int] = dict(
                connection.execute("SELECT text, number FROM texts").fetchall()
            )
            told = connection.execute("SELECT value FROM counters WHERE name = ?", (_TOLD,))
            (packed,) = told.fetchone() or (b"",)
        except sqlite3.Error as error:
            raise StoreError(f"the point numbers cannot be read: {error}") from error
        self._told_gone = frozenset(np.frombuffer(packed, "<i4").tolist())
        self.gone: frozenset[int] = frozenset()
        self._changed: dict[int, int] = {}
        self.version = 0
        self._numbers = {point.id: number for number, point in self._points.items()}
        self._last_text = max(self._texts.values(), default=0)

    def numbers(self, points: Sequence[Point]) -> Int32:
        """Return the numbers of points, int32, shape (n,).

        A changed descriptor keeps its number, unless the unit or the kind has changed.

        Raises:
            StoreError: new ones cannot be written; then nothing has changed.
        """
        fresh: dict[int, Point] = {}
        with self._transaction():
            for point in points:
                number = self._numbers.get(point.id, -1)
                known = self._points.get(number)
                if known == point:
                    continue
                if known is not None and (known.unit, known.kind) != (point.unit, point.kind):
                    self._db.execute(
                        "UPDATE points SET id = id || '#' || number WHERE number = ?", (number,)
                    )
                row = self._db.execute(
                    "INSERT INTO points (id, point) VALUES (?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET point = excluded.point RETURNING number",
                    (point.id, point_to_bytes(point)),
                ).fetchone()
                fresh[row[0]] = point
        if fresh:
            self._points |= fresh
            self._numbers |= {point.id: number for number, point in fresh.items()}
            self._note(fresh)
        return np.array([self._numbers[point.id] for point in points], np.int32)

    def use(self, numbers: Int32) -> None:
        """Say which numbers are in use from now on: the points of all others are gone."""
        used = frozenset(numbers.tolist())
        before, self.gone = self.gone, frozenset(self._points) - used
        if moved := before ^ self.gone:
            self._note(moved)

    def untold(self) -> Int32:
        """Return the numbers that have gone and of which no last sample has said so, sorted."""
        return np.array(sorted(self.gone - self._told_gone), np.int32)

    def told(self) -> None:
        """Note that the last samples of all that have gone are kept.

        Raises:
            StoreError: it cannot be written; they may be told of again.
        """
        gone = self.gone
        if gone == self._told_gone:
            return
        packed = np.array(sorted(gone), "<i4").tobytes()
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)", (_TOLD, packed)
            )
        self._told_gone = gone

    @property
    def size(self) -> int:
        """One more than the highest number."""
        return max(self._points, default=-1) + 1

    def changed_after(self, version: int) -> dict[int, Point]:
        """Return the points that were added, changed or dropped after a version, by number."""
        if version >= self.version:
            return {}
        return {
            number: self._points[number]
            for number, changed in self._changed.items()
            if changed > version
        }

    def intern(self, text: str) -> int:
        """Return the number that stands for a text, new ones kept; over-long ones are cut.

        Raises:
            StoreFull: the dictionary has TEXTS_MAX texts.
            StoreError: it cannot be written.
        """
        text = text[:TEXT_CHARS_MAX]
        if text in self._texts:
            return self._texts[text]
        if len(self._texts) >= TEXTS_MAX:
            raise StoreFull(f"the gateway's dictionary has {TEXTS_MAX} texts already")
        try:
            cursor = self._db.execute("INSERT INTO texts (text) VALUES (?)", (text,))
        except sqlite3.Error as error:
            raise StoreError(f"a text cannot be written: {error}") from error
        self._texts[text] = self._last_text = int(cursor.lastrowid or 0)
        return self._texts[text]

    def point(self, number: int) -> Point | None:
        """Return a point by its number."""
        return self._points.get(number)

    def text(self, number: int) -> str:
        """Return a text by its number; empty when there is none."""
        return next((text for text, found in self._texts.items() if found == number), "")

    def texts_after(self, number: int) -> dict[int, str]:
        """Return the texts with a number above this one, by number; costs nothing without any."""
        if number >= self._last_text:
            return {}
        return {found: text for text, found in self._texts.items() if found > number}

    def announcement(self) -> Announcement:
        """Return what was ever numbered, since old entries may still need it; at most POINTS_MAX.

        Beyond that the oldest of the points that have gone are left out.
        """
        gone = self.gone
        spare = sorted(gone)[: max(0, len(self._points) - POINTS_MAX)]
        points = {number: self._points[number] for number in self._points.keys() - set(spare)}
        texts = {number: text for text, number in self._texts.items()}
        digest = hashlib.sha256()
        for number in sorted(points):
            digest.update(number.to_bytes(4, "big") + point_to_bytes(points[number]))
            digest.update(b"-" if number in gone else b"+")
        for number in sorted(texts):
            digest.update(number.to_bytes(4, "big") + texts[number].encode())
        ordered = {number: points[number] for number in sorted(points)}
        return Announcement(ordered, texts, digest.digest(), gone & points.keys())

    def _note(self, numbers: Iterable[int]) -> None:
        self.version += 1
        self._changed |= dict.fromkeys(numbers, self.version)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreError(f"the point numbers cannot be written: {error}") from error
