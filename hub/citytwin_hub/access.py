"""Access: who there is, in which roles, and by which tokens; only hashes of tokens are kept."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from citytwin.batch import SECOND_NS
from citytwin.errors import CityTwinError, StoreError
from citytwin.files import replace
from citytwin.identity import segment

BUSY_S_MAX: Final = 5.0
TOKEN_BYTES: Final = 24
START: Final = "ct_"
"""So that a token never begins with a dash, which a command line would take for an option."""
USERS_MAX: Final = 10_000
TOKENS_MAX: Final = 100
"""Of one user."""
ROLES_MAX: Final = 20
"""Of one user."""
FAILURES_MAX: Final = 50
FAILURES_NS: Final = 60 * SECOND_NS
LOCAL_ADMIN: Final = "local-admin"
"""The user of the command line on the hub's own machine; its token lies in the state folder."""
FIRST: Final = "first"
"""The token that a user gets with the name."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, roles TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    hash BLOB PRIMARY KEY, user TEXT NOT NULL, label TEXT NOT NULL, expires INTEGER NOT NULL,
    UNIQUE (user, label)
) STRICT;
CREATE TABLE IF NOT EXISTS passwords (user TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    hash BLOB PRIMARY KEY, user TEXT NOT NULL, begun INTEGER NOT NULL, used INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS attempts (
    key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last INTEGER NOT NULL, until INTEGER NOT NULL
) STRICT;
"""
"""Also of ``accounts.py``, so that nothing is left of a user who is removed."""


class Role(StrEnum):
    """The roles that every hub has; a policy has more (``policy/document.py``)."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class User(NamedTuple):
    """A user's name and roles."""

    name: str
    roles: tuple[str, ...]


class Token(NamedTuple):
    """A token of a user: what it is called, and when it ends (UTC nanoseconds; 0: never)."""

    user: str
    label: str
    expires_ns: int


class AccessError(CityTwinError):
    """Somebody may not do this; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        """Refuse with a status of 401, 403 or 429."""
        super().__init__(message)
        self.status = status


class Access:
    """Users in one SQLite file; the command line changes it while the hub runs. For any thread."""

    def __init__(self, path: Path) -> None:
        """Open or create; what a hub before 0.1 wrote is taken over.

        Raises:
            StoreError: the file cannot be used.
        """
        self._path, self._lock = path, threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(_TABLES)
            self._take_over()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the users in {path} cannot be read: {error}") from error
        self._failures: deque[int] = deque(maxlen=FAILURES_MAX)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def add(self, name: str, roles: str | Sequence[str], now_ns: int = 0) -> str:
        """Give a user roles and a new first token, which is returned once; the old one ends."""
        self.put(name, roles)
        return self.issue(name, FIRST, now_ns, replace=True)

    def put(self, name: str, roles: str | Sequence[str]) -> None:
        """Give a user roles, in the place of those that he had.

        Raises:
            IdentityError: it cannot be a user's name.
            StoreError: there are too many users or roles.
        """
        segment(name, "user")
        given = (roles,) if isinstance(roles, str) else tuple(dict.fromkeys(roles))
        if not 0 < len(given) <= ROLES_MAX:
            raise StoreError(f"a user has 1 to {ROLES_MAX} roles")
        with self._lock:
            (count,) = self._run("SELECT count(*) FROM people").fetchone()
            if count >= USERS_MAX and not self._roles(name):
                raise StoreError(f"there are {USERS_MAX} users already")
            self._run(
                "INSERT INTO people (name, roles) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET roles = excluded.roles",
                (name, " ".join(given)),
            )

    def remove(self, name: str) -> bool:
        """End a user with all tokens; return whether there was such a user."""
        with self._lock:
            for table in ("tokens", "passwords", "sessions"):
                self._run(f"DELETE FROM {table} WHERE user = ?", (name,))  # noqa: S608  # ours
            return self._run("DELETE FROM people WHERE name = ?", (name,)).rowcount == 1

    def users(self) -> list[User]:
        """Return every user, by name."""
        with self._lock:
            rows = self._run("SELECT name, roles FROM people ORDER BY name").fetchall()
        return [User(name, tuple(roles.split())) for name, roles in rows]

    def roles(self, name: str) -> tuple[str, ...]:
        """Return the roles of a user; none where there is no such user."""
        with self._lock:
            return self._roles(name)

    def issue(
        self, name: str, label: str, now_ns: int, *, life_ns: int = 0, replace: bool = False
    ) -> str:
        """Return a new token of a user; it is shown this once.

        Args:
            name: whose.
            label: what it is called, for people: the machine that has it.
            now_ns: UTC.
            life_ns: how long it opens; 0: for ever.
            replace: whether a token of that name may be there, which ends.

        Raises:
            IdentityError: it cannot be called that.
            StoreError: there is no such user, or too many tokens, or one that is called so.
        """
        segment(label, "token")
        token = START + secrets.token_urlsafe(TOKEN_BYTES)
        with self._lock:
            if not self._roles(name):
                raise StoreError(f"there is no user {name!r}")
            labels = [one for (one,) in self._run(
                "SELECT label FROM tokens WHERE user = ?", (name,))]  # fmt: skip
            if label in labels and not replace:
                raise StoreError(f"{name} has a token {label!r} already: name another")
            if len(labels) >= TOKENS_MAX and label not in labels:
                raise StoreError(f"{name} has {TOKENS_MAX} tokens already")
            self._run(
                "INSERT OR REPLACE INTO tokens (hash, user, label, expires) VALUES (?, ?, ?, ?)",
                (hashed(token), name, label, now_ns + life_ns if life_ns else 0),
            )
        return token

    def revoke(self, name: str, label: str) -> bool:
        """End a token; return whether there was one."""
        with self._lock:
            sql = "DELETE FROM tokens WHERE user = ? AND label = ?"
            return self._run(sql, (name, label)).rowcount == 1

    def tokens(self) -> list[Token]:
        """Return all tokens, without what opens."""
        with self._lock:
            rows = self._run("SELECT user, label, expires FROM tokens ORDER BY user, label")
            return [Token(*row) for row in rows]

    def user(self, token: str, now_ns: int) -> User:
        """Return whose token it is.

        Raises:
            AccessError: 401 for no or a wrong token, 429 for a wrong one after many wrong ones.
            StoreError: the users cannot be read.
        """
        # Looking up a hash of a random token tells nothing by the time it takes.
        with self._lock:
            found = self._run(
                "SELECT name, roles FROM tokens JOIN people ON name = user "
                "WHERE hash = ? AND (expires = 0 OR expires > ?)",
                (hashed(token), now_ns),
            ).fetchone()
            if found is not None:
                return User(found[0], tuple(found[1].split()))
            # A right token still opens: one script with an old one must not lock everybody out.
            if len(self._failures) == FAILURES_MAX and now_ns - self._failures[0] < FAILURES_NS:
                raise AccessError(429, "too many wrong tokens; wait a minute")
            if token:
                self._failures.append(now_ns)
        raise AccessError(401, "a valid token is needed: Authorization: Bearer TOKEN")

    def _roles(self, name: str) -> tuple[str, ...]:
        found = self._run("SELECT roles FROM people WHERE name = ?", (name,)).fetchone()
        return tuple(found[0].split()) if found else ()

    def _run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(f"the users in {self._path} cannot be used: {error}") from error

    def _take_over(self) -> None:
        """Take over users with one token and a role of three, as they were kept at first."""
        old = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'users'"
        if self._db.execute(old).fetchone() is None:
            return
        names = {number: role.value for number, role in enumerate(Role, start=1)}
        self._db.execute("BEGIN IMMEDIATE")
        for name, role, digest in self._db.execute("SELECT name, role, hash FROM users").fetchall():
            self._db.execute("INSERT OR IGNORE INTO people VALUES (?, ?)", (name, names[role]))
            self._db.execute(
                "INSERT OR IGNORE INTO tokens VALUES (?, ?, ?, 0)", (digest, name, FIRST)
            )
        self._db.execute("DROP TABLE users")
        self._db.execute("COMMIT")


def local_token(access: Access, path: Path) -> str:
    """Return the token of the machine's own administrator, new at each start of the hub."""
    token = access.add(LOCAL_ADMIN, Role.ADMIN)
    replace(path, lambda file: file.write(token.encode()), mode=0o600)
    return token


def hashed(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
