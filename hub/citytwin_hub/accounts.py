"""Accounts: people with a password, and the sessions that they open with it (decision 0029).

Passwords are kept as argon2id hashes (RFC 9106), sessions as SHA-256 of their cookies. Whoever
guesses is slowed down: by the name, by the address, and by the work of each guess.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from citytwin.batch import SECOND_NS
from citytwin.errors import StoreError
from citytwin_hub.access import BUSY_S_MAX, AccessError, hashed

PASSWORD_CHARS_MIN: Final = 12
PASSWORD_CHARS_MAX: Final = 256
IDLE_NS_MAX: Final = 3600 * SECOND_NS
"""A session ends when it is not used for so long …"""
SESSION_NS_MAX: Final = 12 * 3600 * SECOND_NS
"""… and in any case after a shift."""
SESSIONS_MAX: Final = 20
"""Of one user; the oldest ends."""
USED_NS: Final = 60 * SECOND_NS
"""So seldom it is written down that a session was used."""
NAME_FAILURES_MAX: Final = 5
"""Wrong passwords for a name before it is locked, for a minute, then twice as long each time."""
SOURCE_FAILURES_MAX: Final = 20
"""Wrong passwords from an address before it has to wait."""
LOCK_NS: Final = 60 * SECOND_NS
LOCK_NS_MAX: Final = 15 * 60 * SECOND_NS
FORGOTTEN_NS: Final = 24 * 3600 * SECOND_NS
"""So long after the last wrong one they are forgotten."""
ATTEMPTS_MAX: Final = 10_000
"""Names and addresses of which wrong passwords are remembered; the oldest go."""
HASHING_MAX: Final = 2
"""Passwords that are looked at at one time: each takes 64 MiB for a tenth of a second."""


class Opened(NamedTuple):
    """A session that was opened: what the cookie has, and what writes must show beside it."""

    cookie: str
    csrf: str


def csrf_of(cookie: str) -> str:
    """Return what writes of a session must show; only who has the cookie can work it out.

    The page is told it, and another site, which can make a browser send the cookie, is not.
    """
    return hashed(f"csrf {cookie}").hex()


class Accounts:
    """Passwords and sessions, in the file of the users; for any thread and several processes."""

    def __init__(self, path: Path, hasher: PasswordHasher | None = None) -> None:
        """Open; ``Access`` has made the file.

        Raises:
            StoreError: it cannot be used.
        """
        self._path, self._lock = path, threading.Lock()
        self._hashing = threading.BoundedSemaphore(HASHING_MAX)
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        try:
            self._db = sqlite3.connect(
                path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise StoreError(f"the accounts in {path} cannot be read: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def set_password(self, name: str, password: str) -> None:
        """Give a user a password, which ends his sessions; empty: he has none any more.

        Raises:
            StoreError: there is no such user, or the password is too short or too long.
        """
        if password and not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
            raise StoreError(
                f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"
            )
        digest = self._hasher.hash(password) if password else ""
        with self._lock:
            if self._run("SELECT 1 FROM people WHERE name = ?", (name,)).fetchone() is None:
                raise StoreError(f"there is no user {name!r}")
            self._run("DELETE FROM passwords WHERE user = ?", (name,))
            self._run("DELETE FROM sessions WHERE user = ?", (name,))
            self._run("DELETE FROM attempts WHERE key = ?", (f"name {name}",))
            if digest:
                self._run("INSERT INTO passwords VALUES (?, ?)", (name, digest))

    def log_in(self, name: str, password: str, source: str, now_ns: int) -> Opened:
        """Open a session; ``source``: the address from which it is asked.

        Raises:
            AccessError: 401 where name and password do not fit, 429 after too many that did not.
        """
        keys = (f"name {name[:80]}", f"from {source}")
        with self._lock:
            self._refuse_locked(keys, now_ns)
            found = self._run(
                "SELECT hash FROM passwords JOIN people ON name = user WHERE user = ?", (name,)
            ).fetchone()
        if not self._fits(found[0] if found else self._nobody, password) or found is None:
            with self._lock:
                for key, most in zip(keys, (NAME_FAILURES_MAX, SOURCE_FAILURES_MAX), strict=True):
                    self._failed(key, most, now_ns)
            raise AccessError(401, "name and password do not fit")
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            self._run("DELETE FROM attempts WHERE key = ?", (keys[0],))
            self._run(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)", (hashed(cookie), name, now_ns, now_ns)
            )
            self._run(
                "DELETE FROM sessions WHERE begun < ? OR used < ? OR (user = ? AND hash NOT IN "
                "(SELECT hash FROM sessions WHERE user = ? "
                "ORDER BY begun DESC, rowid DESC LIMIT ?))",
                (now_ns - SESSION_NS_MAX, now_ns - IDLE_NS_MAX, name, name, SESSIONS_MAX),
            )
        return Opened(cookie, csrf_of(cookie))

    def session(self, cookie: str, now_ns: int) -> str:
        """Return whose session a cookie opens; empty where there is none any more."""
        if not cookie:
            return ""
        with self._lock:
            found = self._run(
                "SELECT user, begun, used FROM sessions JOIN people ON name = user WHERE hash = ?",
                (hashed(cookie),),
            ).fetchone()
            if found is None:
                return ""
            name, begun, used = found
            if now_ns - begun >= SESSION_NS_MAX or now_ns - used >= IDLE_NS_MAX:
                return ""
            if now_ns - used >= USED_NS:
                sql = "UPDATE sessions SET used = ? WHERE hash = ?"
                self._run(sql, (now_ns, hashed(cookie)))
        return str(name)

    def log_out(self, cookie: str) -> None:
        """End a session."""
        with self._lock:
            self._run("DELETE FROM sessions WHERE hash = ?", (hashed(cookie),))

    def _fits(self, digest: str, password: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(digest, password[: PASSWORD_CHARS_MAX + 1])
            except (VerificationError, InvalidHashError):
                return False

    def _refuse_locked(self, keys: Sequence[str], now_ns: int) -> None:
        for key in keys:
            found = self._run("SELECT until FROM attempts WHERE key = ?", (key,)).fetchone()
            if found is not None and found[0] > now_ns:
                wait_s = -(-(found[0] - now_ns) // SECOND_NS)
                raise AccessError(429, f"too many wrong passwords; wait {wait_s} s")

    def _failed(self, key: str, most: int, now_ns: int) -> None:
        """Count a wrong password; lock after too many, each time for twice as long."""
        self._run("DELETE FROM attempts WHERE last < ?", (now_ns - FORGOTTEN_NS,))
        found = self._run("SELECT failures FROM attempts WHERE key = ?", (key,)).fetchone()
        failures = (found[0] if found else 0) + 1
        over = min(failures - most, 10)
        until = now_ns + min(LOCK_NS << over, LOCK_NS_MAX) if over >= 0 else 0
        self._run(
            "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?)", (key, failures, now_ns, until)
        )
        self._run(
            "DELETE FROM attempts WHERE key IN "
            "(SELECT key FROM attempts ORDER BY last DESC LIMIT -1 OFFSET ?)",
            (ATTEMPTS_MAX,),
        )

    def _run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(f"the accounts in {self._path} cannot be used: {error}") from error
