"""Access: who may look and who may act. Users have one token each; only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections import deque
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

from citytwin.batch import SECOND_NS
from citytwin.errors import CityTwinError, StoreError
from citytwin.files import replace
from citytwin.identity import segment

BUSY_S_MAX: Final = 5.0
TOKEN_BYTES: Final = 24
START: Final = "ct_"
"""So that a token never begins with a dash, which a command line would take for an option."""
USERS_MAX: Final = 10_000
FAILURES_MAX: Final = 50
FAILURES_NS: Final = 60 * SECOND_NS
LOCAL_ADMIN: Final = "local-admin"
"""The user of the command line on the hub's own machine; its token lies in the state folder."""


class Role(IntEnum):
    """What a user may do; each includes those before it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class User(NamedTuple):
    """A user's name and role."""

    name: str
    role: Role


class AccessError(CityTwinError):
    """Somebody may not do this; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        """Refuse with a status of 401, 403 or 429."""
        super().__init__(message)
        self.status = status


class Access:
    """Users in one SQLite file; the command line changes it while the hub runs."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS users "
                "(name TEXT PRIMARY KEY, role INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE) STRICT"
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the users in {path} cannot be read: {error}") from error
        self._failures: deque[int] = deque(maxlen=FAILURES_MAX)

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def add(self, name: str, role: Role) -> str:
        """Give a user a role and a new token, which is returned once; an old token ends."""
        segment(name, "user")
        (count,) = self._db.execute("SELECT count(*) FROM users").fetchone()
        if count >= USERS_MAX:
            raise StoreError(f"there are {USERS_MAX} users already")
        token = START + secrets.token_urlsafe(TOKEN_BYTES)
        self._db.execute(
            "INSERT INTO users (name, role, hash) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET role = excluded.role, hash = excluded.hash",
            (name, int(role), _hash(token)),
        )
        return token

    def remove(self, name: str) -> bool:
        """End a user's token; return whether there was such a user."""
        return self._db.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount == 1

    def users(self) -> list[User]:
        """Return every user, by name."""
        rows = self._db.execute("SELECT name, role FROM users ORDER BY name")
        return [User(name, Role(role)) for name, role in rows]

    def role(self, name: str) -> Role | None:
        """Return the role that a user has; None if there is no such user."""
        row = self._db.execute("SELECT role FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else Role(row[0])

    def user(self, token: str, now_ns: int, least: Role = Role.VIEWER) -> User:
        """Return whose token it is.

        Raises:
            AccessError: 401 for no or a wrong token, 403 for too small a role, 429 for a wrong one
                after many wrong ones.
            StoreError: the users cannot be read.
        """
        # Looking up a hash of a random token tells nothing by the time it takes.
        try:
            found = self._db.execute(
                "SELECT name, role FROM users WHERE hash = ?", (_hash(token),)
            ).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"the users cannot be read: {error}") from error
        if found is None:
            # A right token still opens: one script with an old one must not lock everybody out.
            if len(self._failures) == FAILURES_MAX and now_ns - self._failures[0] < FAILURES_NS:
                raise AccessError(429, "too many wrong tokens; wait a minute")
            if token:
                self._failures.append(now_ns)
            raise AccessError(401, "a valid token is needed: Authorization: Bearer TOKEN")
        user = User(found[0], Role(found[1]))
        if user.role < least:
            raise AccessError(
                403, f"{user.name} is {user.role.name.lower()}; this needs {least.name.lower()}"
            )
        return user


def local_token(access: Access, path: Path) -> str:
    """Return the token of the machine's own administrator, new at each start of the hub."""
    token = access.add(LOCAL_ADMIN, Role.ADMIN)
    replace(path, lambda file: file.write(token.encode()), mode=0o600)
    return token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
