"""ContextStore: the @contexts that the hub hosts, has fetched or has made, in one SQLite file.

ETSI GS CIM 009, clause 5.13.1. Every tenant sees its own only (clause 5.5.10).
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from citytwin_hub.entities.database import Database
from citytwin_hub.entities.errors import TooManyResults

HOSTED_MAX: Final = 1_000
"""@contexts that clients of one tenant may have hosted; one more is refused."""
CACHED_MAX: Final = 1_000
"""Of one tenant; over it, the one that was not used for the longest time goes."""
IMPLICIT_MAX: Final = 10_000
"""Of one tenant; over it, the one that was not used for the longest time goes."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS context (
    number INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, id TEXT NOT NULL,
    kind TEXT NOT NULL, url TEXT NOT NULL, body BLOB NOT NULL, created_ns INTEGER NOT NULL,
    used_ns INTEGER, hits INTEGER NOT NULL DEFAULT 0, expires_ns INTEGER,
    UNIQUE (tenant, id)) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS context_url ON context (tenant, url) WHERE url <> '';
"""
_COLUMNS: Final = "id, kind, url, body, created_ns, used_ns, hits, expires_ns"


class Kind(StrEnum):
    """Why an @context is kept."""

    HOSTED = "Hosted"
    CACHED = "Cached"
    IMPLICIT = "ImplicitlyCreated"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One @context that is kept (immutable).

    Attributes:
        id: unique in its tenant, a URI.
        kind: why it is kept.
        url: where it was fetched; empty where it was not.
        body: the value of its @context member.
        created_ns: since when it is kept as it is (UTC).
        used_ns: when it was last found here; None: never.
        hits: how often it was found here.
        expires_ns: when it is fetched anew; None: never.
    """

    id: str
    kind: Kind
    url: str = ""
    body: Any = None
    created_ns: int = 0
    used_ns: int | None = None
    hits: int = 0
    expires_ns: int | None = None


class ContextStore:
    """May be used from any thread."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        self._database = Database(path, _SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def get(self, tenant: str, name: str) -> Entry | None:
        """Return an @context by its local id, or a Cached one by its URL too."""
        row = self._database.reader.execute(
            f"SELECT {_COLUMNS} FROM context WHERE tenant = ? AND (id = ? OR url = ?)",  # noqa: S608  # our words
            (tenant, name, name or None),
        ).fetchone()
        return None if row is None else _entry(row)

    def listed(self, tenant: str, kind: Kind | None = None) -> list[Entry]:
        """Return a tenant's @contexts, the newest first."""
        rows = self._database.reader.execute(
            f"SELECT {_COLUMNS} FROM context WHERE tenant = ? AND (? IS NULL OR kind = ?) "  # noqa: S608  # our words
            "ORDER BY number DESC",
            (tenant, kind, kind),
        )
        return [_entry(row) for row in rows]

    def host(self, tenant: str, body: Any, now_ns: int) -> str:
        """Keep an @context for a client; return its local id.

        Raises:
            TooManyResults: there are as many as there may be.
            StoreError: the file cannot be written.
        """
        with self._database.writing() as writer:
            (number,) = writer.execute(
                "SELECT count(*) FROM context WHERE tenant = ? AND kind = ?", (tenant, Kind.HOSTED)
            ).fetchone()
            if number >= HOSTED_MAX:
                raise TooManyResults(
                    f"{HOSTED_MAX} @contexts are hosted, and no more may be: delete some"
                )
            entry = Entry(id=uuid.uuid4().urn, kind=Kind.HOSTED, body=body, created_ns=now_ns)
            _put(writer, tenant, entry)
        return entry.id

    def make(self, tenant: str, body: Any, now_ns: int) -> str:
        """Keep an @context that an answer must refer to; the same one has the same local id."""
        text = msgspec.json.encode(body, order="deterministic").decode()
        local_id = uuid.uuid5(uuid.NAMESPACE_OID, text).urn
        if self.get(tenant, local_id) is None:
            entry = Entry(id=local_id, kind=Kind.IMPLICIT, body=body, created_ns=now_ns)
            with self._database.writing() as writer:
                _put(writer, tenant, entry)
                _shrink(writer, tenant, Kind.IMPLICIT, IMPLICIT_MAX)
        return local_id

    def cache(self, tenant: str, url: str, body: Any, now_ns: int, expires_ns: int) -> None:
        """Keep what was fetched, in place of what was fetched before; its uses stay counted."""
        entry = Entry(
            id=uuid.uuid5(uuid.NAMESPACE_URL, url).urn,
            kind=Kind.CACHED,
            url=url,
            body=body,
            created_ns=now_ns,
            expires_ns=expires_ns,
        )
        with self._database.writing() as writer:
            _put(writer, tenant, entry)
            _shrink(writer, tenant, Kind.CACHED, CACHED_MAX)

    def used(self, uses: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Add to what was used: by tenant and local id how often, and when last (UTC)."""
        with self._database.writing() as writer:
            writer.executemany(
                "UPDATE context SET hits = hits + ?, used_ns = ? WHERE tenant = ? AND id = ?",
                [(*counted, *key) for key, counted in uses.items()],
            )

    def delete(self, tenant: str, local_id: str) -> None:
        """Forget an @context."""
        with self._database.writing() as writer:
            writer.execute("DELETE FROM context WHERE tenant = ? AND id = ?", (tenant, local_id))


def _put(writer: sqlite3.Connection, tenant: str, entry: Entry) -> None:
    writer.execute(
        "INSERT INTO context (tenant, id, kind, url, body, created_ns, expires_ns) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET "
        "body = excluded.body, created_ns = excluded.created_ns, expires_ns = excluded.expires_ns",
        (
            tenant,
            entry.id,
            entry.kind,
            entry.url,
            msgspec.json.encode(entry.body),
            entry.created_ns,
            entry.expires_ns,
        ),
    )


def _shrink(writer: sqlite3.Connection, tenant: str, kind: Kind, kept_max: int) -> None:
    writer.execute(
        "DELETE FROM context WHERE number IN (SELECT number FROM context "
        "WHERE tenant = ? AND kind = ? "
        "ORDER BY coalesce(used_ns, created_ns) DESC, number DESC LIMIT -1 OFFSET ?)",
        (tenant, kind, kept_max),
    )


def _entry(row: Iterable[Any]) -> Entry:
    local_id, kind, url, body, created_ns, used_ns, hits, expires_ns = row
    return Entry(
        id=local_id,
        kind=Kind(kind),
        url=url,
        body=msgspec.json.decode(body),
        created_ns=created_ns,
        used_ns=used_ns,
        hits=hits,
        expires_ns=expires_ns,
    )
