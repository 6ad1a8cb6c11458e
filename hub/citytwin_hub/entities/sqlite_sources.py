"""SqliteSources: the context sources that registered with one tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from citytwin_hub.entities.database import Database
from citytwin_hub.entities.errors import AlreadyExists
from citytwin_hub.entities.sources import Source

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS source (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;
"""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Source).decode


class SqliteSources:
    """Sources in the order in which they registered. What was put is durable."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            StoreError: the file cannot be used.
        """
        self._database = Database(path, SCHEMA)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def all(self) -> list[Source]:
        """Return every source, the oldest first."""
        rows = self._database.reader.execute("SELECT body FROM source ORDER BY number")
        return [_decode(body) for (body,) in rows]

    def add(self, source: Source) -> None:
        """Keep a new source.

        Raises:
            AlreadyExists: there is one with this identifier.
            StoreError: the file cannot be written.
        """
        with self._database.writing() as db:
            added = db.execute(
                "INSERT OR IGNORE INTO source (id, body) VALUES (?, ?)",
                (source.id, _encode(source)),
            )
            if not added.rowcount:
                raise AlreadyExists(f"there is a context source registration {source.id} already")

    def put(self, source: Source) -> None:
        """Put a source in the place of that with its identifier."""
        with self._database.writing() as db:
            db.execute("UPDATE source SET body = ? WHERE id = ?", (_encode(source), source.id))

    def remove(self, source_id: str) -> None:
        """Forget a source."""
        with self._database.writing() as db:
            db.execute("DELETE FROM source WHERE id = ?", (source_id,))
