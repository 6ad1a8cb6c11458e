"""Mutation: bytes as a disturbed line, a foreign device or a broken one would give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

_INSERTED_BYTES_MAX: Final = 8


class Mutator:
    """Changes frames; the same seed changes the same frames in the same way.

    >>> Mutator(7).mutate(b"level=2.431") == Mutator(7).mutate(b"level=2.431")
    True
    >>> Mutator(7).mutate(b"level=2.431") == b"level=2.431"
    False
    """

    def __init__(self, seed: int) -> None:
        """Begin with a seed."""
        self._random = np.random.default_rng(seed)
        self._kinds: tuple[Callable[[bytearray], bytes], ...] = (
            self._flip, self._flip, self._overwrite, self._overwrite, self._burst, self._cut,
            self._cut, self._drop, self._insert, self._double, self._swap, self._noise, self._same,
        )  # fmt: skip

    def mutate(self, data: bytes) -> bytes:
        """Return other bytes; possibly none. Of no bytes, one."""
        if not data:
            return bytes([self._below(256)])
        kind = self._kinds[self._below(len(self._kinds))]
        changed = kind(bytearray(data))
        return changed if changed != data else self._flip(bytearray(data))

    def _below(self, end: int) -> int:
        return int(self._random.integers(end))

    def _flip(self, data: bytearray) -> bytes:
        data[self._below(len(data))] ^= 1 << self._below(8)
        return bytes(data)

    def _overwrite(self, data: bytearray) -> bytes:
        data[self._below(len(data))] = self._below(256)
        return bytes(data)

    def _burst(self, data: bytearray) -> bytes:
        start, count = self._below(len(data)), 1 + self._below(4)
        data[start : start + count] = self._random.bytes(len(data[start : start + count]))
        return bytes(data)

    def _cut(self, data: bytearray) -> bytes:
        return bytes(data[: self._below(len(data))])

    def _drop(self, data: bytearray) -> bytes:
        start = self._below(len(data))
        del data[start : start + 1 + self._below(4)]
        return bytes(data)

    def _insert(self, data: bytearray) -> bytes:
        start = self._below(len(data) + 1)
        data[start:start] = self._random.bytes(1 + self._below(_INSERTED_BYTES_MAX))
        return bytes(data)

    def _double(self, data: bytearray) -> bytes:
        start = self._below(len(data))
        return bytes(data[:start] + data[start:] + data[start:])

    def _swap(self, data: bytearray) -> bytes:
        start = self._below(len(data))
        return bytes(data[start:] + data[:start])

    def _noise(self, data: bytearray) -> bytes:
        return self._random.bytes(len(data))

    def _same(self, data: bytearray) -> bytes:
        """All bits low or high: a line that is shorted, or open."""
        return (b"\0" if self._below(2) else b"\xff") * len(data)
