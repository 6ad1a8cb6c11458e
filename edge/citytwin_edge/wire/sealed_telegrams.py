"""Sealed telegrams: P1 telegrams inside general-glo-ciphering (Luxembourg, parts of Austria)."""

from __future__ import annotations

from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.dlms import GENERAL_GLO, Keys, decipher, seal_of
from citytwin_edge.wire.messages import Message
from citytwin_edge.wire.telegrams import TELEGRAM_BYTES_MAX, TelegramCutter

_START: Final = bytes([GENERAL_GLO, 8])
_HEADER: Final = 13
"""Tag, length of the system title, the title, 0x82, and two bytes of length."""
_LONG: Final = 0x82


class SealedTelegramCutter:
    """Cuts ciphered telegrams and opens them; see :class:`citytwin_edge.wire.messages.Cutter`.

    A telegram that was told once, or is older than one that was, is broken: somebody repeats it.
    """

    def __init__(self, keys: Keys, *, crc: bool) -> None:
        """Begin; what is inside has a CRC or none."""
        self._keys, self._crc = keys, crc
        self._rest = bytearray()
        self._counter = -1
        self.skipped = 0

    @property
    def is_within(self) -> bool:
        """Whether a telegram has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the telegrams that end in them, opened."""
        self._rest += data
        found: list[Message] = []
        while self._find_start() and len(self._rest) >= _HEADER:
            size = int.from_bytes(self._rest[11:13])
            if self._rest[10] != _LONG or not 17 < size <= TELEGRAM_BYTES_MAX:
                self._leave_out(1)
                continue
            if len(self._rest) < _HEADER + size:
                break
            sealed = bytes(self._rest[: _HEADER + size])
            try:
                found += self._opened(sealed)
            except DeviceMalformed as error:
                # The length may be what is wrong, and another telegram have begun inside it.
                found.append(Message(b"", str(error)))
                self._leave_out(len(_START))
            else:
                del self._rest[: _HEADER + size]
        return found

    def _find_start(self) -> bool:
        start = self._rest.find(_START)
        if start < 0:
            is_begun = self._rest.endswith(_START[:1])
            self._leave_out(len(self._rest) - is_begun)
            return False
        self._leave_out(start)
        return True

    def _leave_out(self, size: int) -> None:
        self.skipped += size
        del self._rest[:size]

    def _opened(self, data: bytes) -> list[Message]:
        sealed = seal_of(data)
        plain = decipher(sealed, self._keys)
        found = TelegramCutter(crc=self._crc).feed(plain)
        if len(found) != 1:
            raise DeviceMalformed("no telegram is inside (a wrong key?)")
        if sealed.counter <= self._counter and not found[0].broken:
            raise DeviceMalformed("the telegram was sent before: its counter does not grow")
        self._counter = max(self._counter, sealed.counter) if not found[0].broken else self._counter
        return found
