"""Numbering: the numbers by which this gateway names points and texts on the wire, for ever."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from citytwin.batch import Int32
from citytwin.errors import StoreError, StoreFull
from citytwin.point import Point
from citytwin_protos.codec import point_from_bytes, point_to_bytes

TEXTS_MAX: Final = 10_000
TEXT_CHARS_MAX: Final = 256


class Announcement(NamedTuple):
    """What the hub must know before the first entry: points and texts by number, a digest."""

    points: dict[int, Point]
    texts: dict[int, str]
    digest: bytes


class Numbering:
    """Persistent numbers in the outbox's file; a number, once given, keeps its meaning."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use the outbox's database.

        Raises:
            StoreError: it cannot be read.
        """
        self._db = connection
        try:
            self._points = {
                number: point_from_bytes(data)
                for number, data in connection.execute("SELECT number, point FROM points")
            }
            self._texts: dict[str, int] = dict(
                connection.execute("SELECT text, number FROM texts").fetchall()
            )
        except sqlite3.Error as error:
            raise StoreError(f"the point numbers cannot be read: {error}") from error
        self._numbers = {point.id: number for number, point in self._points.items()}
        self._last_text = max(self._texts.values(), default=0)

    def numbers(self, points: Sequence[Point]) -> Int32:
        """Return the numbers of points, int32, shape (n,); a changed descriptor keeps its number.

        Raises:
            StoreError: new ones cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for point in points:
                if self._points.get(self._numbers.get(point.id, -1)) == point:
                    continue
                row = self._db.execute(
                    "INSERT INTO points (id, point) VALUES (?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET point = excluded.point RETURNING number",
                    (point.id, point_to_bytes(point)),
                ).fetchone()
                self._numbers[point.id] = row[0]
                self._points[row[0]] = point
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"the point numbers cannot be written: {error}") from error
        return np.array([self._numbers[point.id] for point in points], np.int32)

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

    def texts_after(self, number: int) -> dict[int, str]:
        """Return the texts with a number above this one, by number; costs nothing without any."""
        if number >= self._last_text:
            return {}
        return {found: text for text, found in self._texts.items() if found > number}

    def announcement(self) -> Announcement:
        """Return everything that was ever numbered: old entries may still need it."""
        texts = {number: text for text, number in self._texts.items()}
        digest = hashlib.sha256()
        for number in sorted(self._points):
            digest.update(number.to_bytes(4, "big") + point_to_bytes(self._points[number]))
        for number in sorted(texts):
            digest.update(number.to_bytes(4, "big") + texts[number].encode())
        return Announcement(dict(self._points), texts, digest.digest())
