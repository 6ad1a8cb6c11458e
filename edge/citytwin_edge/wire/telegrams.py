r"""Telegrams: text that a meter sends by itself, "/…!" with a CRC (DSMR P1) or without (mode D).

>>> cutter = TelegramCutter(crc=True)
>>> cutter.feed(b"/NWA-X\r\n\r\n1-0:1.8.1(000004.426*kWh)\r\n!BE7D\r\n")
[Message(data=b'/NWA-X\r\n\r\n1-0:1.8.1(000004.426*kWh)\r\n!', broken='')]
"""

from __future__ import annotations

import datetime
import re
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.iec62056 import DataSet, data_sets
from citytwin_edge.wire.messages import Message

TELEGRAM_BYTES_MAX: Final = 8192
_ARC: Final = Checksum("crc16-arc")
_END: Final = re.compile(rb"(?:^|\n)!([^\r\n]*)\r?\n")
_START: Final = re.compile(rb"(?:\A|(?<=[^ -~]))/")
_TST: Final = re.compile(r"(\d{12})([SW]?)")
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  # differences only
SECOND_NS: Final = 1_000_000_000


class TelegramCutter:
    """Cuts telegrams; see :class:`citytwin_edge.wire.messages.Cutter`.

    A telegram runs from ``/`` at the beginning of a line to ``!`` at the beginning of another.
    """

    def __init__(self, *, crc: bool) -> None:
        """Begin.

        Args:
            crc: each telegram has a CRC behind its ``!`` (DSMR P1 Companion Standard 5.0.2, 6.2);
                one without is broken. Else nothing may stand there.
        """
        self._crc = crc
        self._rest = bytearray()
        self.skipped = 0

    @property
    def is_within(self) -> bool:
        """Whether a telegram has begun and not ended."""
        return self._rest.startswith(b"/")

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the telegrams that end in them."""
        self._rest += data
        found: list[Message] = []
        while self._find_start():
            end = _END.search(self._rest)
            if end is None:
                break
            found.append(self._judged(bytes(self._rest[: end.end()]), end))
            del self._rest[: end.end()]
        if len(self._rest) > TELEGRAM_BYTES_MAX:
            found.append(Message(b"", f"no telegram ends within {TELEGRAM_BYTES_MAX} bytes"))
            self.skipped += len(self._rest)
            self._rest.clear()
        return found

    def _find_start(self) -> bool:
        """Leave out what precedes a start; return whether there is one."""
        found = _START.search(self._rest)
        # Two bytes are kept, so that a slash inside a line is not taken for one at its beginning.
        start = found.start() if found else max(0, len(self._rest) - 2)
        self.skipped += start
        del self._rest[:start]
        return found is not None

    def _judged(self, telegram: bytes, end: re.Match[bytes]) -> Message:
        body, said = telegram[: end.start(1)], end[1].strip()
        if not self._crc:
            return self._from(
                body, body.rfind(b"\n/") + 1, "something is behind its end" if said else ""
            )
        if not said:
            return Message(body, "it has no CRC; crc = false is for meters that have none")
        # A telegram that was cut off is followed by another one, which may be whole.
        start = 0
        while start >= 0:
            if _has_crc(body[start:], said):
                return self._from(body, start, "")
            start = body.find(b"/", start + 1)
        return Message(body, "the CRC is wrong")

    def _from(self, body: bytes, start: int, broken: str) -> Message:
        self.skipped += start
        return Message(body[start:], broken)


def _has_crc(body: bytes, said: bytes) -> bool:
    try:
        number = int(said, 16)  # some meters leave out the zeros before it
    except ValueError:
        return False
    return number == int.from_bytes(_ARC.of(body)) and said.isalnum() and len(said) <= 4


def telegram_sets(telegram: bytes) -> tuple[str, list[DataSet]]:
    """Return a telegram's first line without its ``/``, and the data sets of the rest.

    Raises:
        DeviceMalformed: it is not written so.
    """
    head, _, body = telegram.partition(b"\n")
    return head.rstrip(b"\r")[1:].decode("latin-1"), data_sets(body, closed=True)


def is_moment(text: str) -> bool:
    """Tell whether a text is written as a time."""
    return _TST.fullmatch(text) is not None


def moment(text: str, utc_offset_h: float) -> int:
    """Return UTC nanoseconds of a time YYMMDDhhmmssX, X being S in summer time, W or nothing else.

    Raises:
        DeviceMalformed: it is none, or one that never was set.
    """
    found = _TST.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        local = datetime.datetime.strptime(found[1], "%y%m%d%H%M%S")  # noqa: DTZ007  # see below
    except ValueError:
        raise DeviceMalformed(f"{text[:20]!r} is not a time YYMMDDhhmmss with S or W") from None
    ahead = datetime.timedelta(hours=utc_offset_h + (found[2] == "S"))
    return int((local - ahead - _EPOCH).total_seconds()) * SECOND_NS
