"""Heads: the highest entry number of every stream, by which a repeat is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

STREAMS_MAX: Final = 50_000
"""A gateway whose state folder is lost begins a new stream. One that does so again and again must
not fill journal and manifest; what is forgotten first is the stream that has been still longest."""

_log = structlog.get_logger(__name__)


class Heads:
    """A bounded map from stream (16 bytes) to number, in the order in which they grew."""

    def __init__(self, saved: Mapping[str, int] | None = None) -> None:
        """Take up what ``saved`` has returned.

        Raises:
            ValueError: a name is not hexadecimal.
        """
        self._numbers = {bytes.fromhex(name): number for name, number in (saved or {}).items()}

    def __getitem__(self, stream: bytes) -> int:
        """Return the highest number of a stream; 0 if there is none."""
        return self._numbers.get(stream, 0)

    def grow(self, stream: bytes, number: int) -> bool:
        """Note a number; tell whether it is above all before it."""
        if number <= self[stream]:
            return False
        self._numbers.pop(stream, None)
        self._numbers[stream] = number
        if len(self._numbers) > STREAMS_MAX:
            still = next(iter(self._numbers))
            del self._numbers[still]
            _log.warning("heads.forgotten", stream=still.hex(), limit=STREAMS_MAX)
        return True

    def saved(self) -> dict[str, int]:
        """Return all of them, for a file: stream in hexadecimal to number."""
        return {stream.hex(): number for stream, number in self._numbers.items()}
