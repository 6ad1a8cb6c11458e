"""IEC 62056-21: what reader and meter say to each other, as bytes; without I/O.

>>> Identification.parse(b"/LGZ4ZMF100AC.M26").baud("auto"), acknowledge("4")
(4800, b'\\x06040\\r\\n')
>>> command("R1", "VOLTA()", "sum").hex(" ")
'01 52 31 02 56 4f 4c 54 41 28 29 03 5f'
"""

from __future__ import annotations

import functools
import operator
import re
from typing import Final, Literal, NamedTuple

from citytwin.errors import DeviceMalformed

SOH, STX, ETX, EOT, ACK, NAK = b"\x01", b"\x02", b"\x03", b"\x04", b"\x06", b"\x15"
Bcc = Literal["xor", "sum"]
Mode = Literal["auto", "a", "b", "c", "d"]
Kind = Literal["identification", "block", "header", "acknowledged", "refused", "broken"]

IDENTIFICATION_BYTES_MAX: Final = 48
BLOCK_BYTES_MAX: Final = 64 * 1024
SETS_MAX: Final = 2000
BAUD_C: Final = dict(
    zip("0123456789", (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200), strict=True)
)
"""Speeds of mode C by identification character; 7 to 9 are reserved there and used all the same."""
BAUD_B: Final = dict(zip("ABCDEF", (600, 1200, 2400, 4800, 9600, 19200), strict=True))
"""Speeds of mode B (IEC 62056-21, 6.3.14, item 13)."""
_IDENTIFICATION: Final = re.compile(rb"/([A-Za-z]{3})([ -~])((?:[ -~])*)")


def checked(data: bytes, kind: Bcc) -> int:
    """Return the block check character of what follows SOH or STX, ETX included.

    ``xor`` is the standard's (ISO/IEC 1155); ``sum`` that of Energomera: the sum's lower 7 bits.
    """
    return sum(data) & 0x7F if kind == "sum" else functools.reduce(operator.xor, data, 0)


def request(address: str = "") -> bytes:
    """Return the request message (6.3.1) to the meter of that address, or to any."""
    return b"/?" + address.encode("ascii") + b"!\r\n"


def acknowledge(speed: str, option: str = "0") -> bytes:
    """Return the acknowledgement (6.3.3): go on at that speed with data (0) or commands (1)."""
    return ACK + f"0{speed}{option}\r\n".encode("ascii")


def command(name: str, data: str, kind: Bcc) -> bytes:
    """Return a command message of programming mode (6.3.4); ``data`` may be empty."""
    body = name.encode("ascii") + (STX + data.encode("latin-1") if data else b"") + ETX
    return SOH + body + bytes([checked(body, kind)])


def with_parity(data: bytes) -> bytes:
    """Return 7-bit characters with an even parity bit, as bytes of 8 bits."""
    return bytes(one & 0x7F | (one & 0x7F).bit_count() % 2 << 7 for one in data)


def without_parity(data: bytes) -> bytes:
    """Return bytes without their parity bit; a disturbed one becomes NUL, which no message has."""
    return bytes(0 if one.bit_count() % 2 else one & 0x7F for one in data)


class Identification(NamedTuple):
    """What a meter answers to a request (6.3.2).

    Attributes:
        maker: three letters.
        speed: the character that proposes a speed, and with it the mode.
        text: the rest, what the maker calls the meter.
    """

    maker: str
    speed: str
    text: str

    @classmethod
    def parse(cls, line: bytes) -> Identification:
        """Return what a line says, its end left out.

        Raises:
            DeviceMalformed: it is no identification.
        """
        found = _IDENTIFICATION.fullmatch(line)
        if found is None:
            raise DeviceMalformed(f"{line[:40]!r} is not an identification such as /XXX5meter")
        return cls(*(part.decode("ascii") for part in found.groups()))

    def mode(self, wanted: Mode) -> Mode:
        """Return the mode that is spoken: the wanted one, or the one that the speed tells."""
        if wanted != "auto":
            return wanted
        return "c" if self.speed in BAUD_C else "b" if self.speed in BAUD_B else "a"

    def baud(self, wanted: Mode) -> int:
        """Return the speed that is proposed; 0: none, it stays as it is.

        Raises:
            DeviceMalformed: the character is none of the wanted mode.
        """
        mode = self.mode(wanted)
        known = {"b": BAUD_B, "c": BAUD_C}.get(mode)
        if known is None:
            return 0
        if self.speed not in known:
            raise DeviceMalformed(
                f"{self} proposes speed {self.speed!r}, which mode {mode} does not have; mode = "
                '"auto" takes the one it speaks'
            )
        return known[self.speed]

    def __str__(self) -> str:
        return f"/{self.maker}{self.speed}{self.text}"


class Said(NamedTuple):
    """One thing that a meter said.

    Attributes:
        kind: identification; block (STX … ETX) or header (SOH … ETX), checked; acknowledged (ACK);
            refused (NAK); or broken.
        data: what is inside, without the characters around it; of a broken one, why.
    """

    kind: Kind
    data: bytes


class Ear:
    """Cuts what a meter says out of what is heard; the same however the bytes are split.

    What cannot begin anything is left out: NULs, line ends, and the echo of our own request.
    """

    def __init__(self, kind: Bcc = "xor") -> None:
        self._kind: Bcc = kind
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Said]:
        """Take bytes; return what they complete."""
        self._rest += data
        found = []
        while (said := self._next()) is not None:
            found.append(said)
        return found

    def _next(self) -> Said | None:
        rest = self._rest
        while rest and rest[:1] not in (b"/", STX, SOH, ACK, NAK):
            del rest[:1]
        first = bytes(rest[:1])
        if first in (ACK, NAK):
            return self._take(1, "acknowledged" if first == ACK else "refused", b"")
        if first == b"/":
            return self._line()
        return self._block() if first else None

    def _take(self, size: int, kind: Kind, data: bytes) -> Said:
        del self._rest[:size]
        return Said(kind, data)

    def _line(self) -> Said | None:
        end = self._rest.find(b"\n")
        if end < 0:
            if len(self._rest) > IDENTIFICATION_BYTES_MAX:
                return self._take(1, "broken", b"an identification does not end")
            return None
        line = bytes(self._rest[:end]).rstrip(b"\r")
        if line.startswith(b"/?"):  # what we sent ourselves, back from an optical head
            del self._rest[: end + 1]
            return self._next()
        return self._take(end + 1, "identification", line)

    def _block(self) -> Said | None:
        ends = [at for mark in (ETX, EOT) if (at := self._rest.find(mark)) > 0]
        end = min(ends, default=-1)
        if end < 0 or len(self._rest) < end + 2:
            if len(self._rest) > BLOCK_BYTES_MAX:
                return self._take(len(self._rest), "broken", b"a block does not end")
            return None
        body, check = bytes(self._rest[1 : end + 1]), self._rest[end + 1]
        kind: Kind = "block" if self._rest[:1] == STX else "header"
        if not body.isascii():  # the sum does not see the eighth bit
            return self._take(end + 2, "broken", b"a block has other characters than ASCII")
        if checked(body, self._kind) != check:
            return self._take(end + 2, "broken", b"the block check character is wrong")
        return self._take(end + 2, kind, body[:-1])


class DataSet(NamedTuple):
    """One data set: what it is called, and what stands in its brackets."""

    name: str
    groups: tuple[str, ...]


def data_sets(block: bytes, *, closed: bool = False) -> list[DataSet]:
    """Return the data sets of a block; brackets without a name belong to the one before.

    Sets of one name are one: the tariffs or phases of a value, whether its name is repeated or not.

    Args:
        block: data lines; sets may stand in one line, or over several.
        closed: it must end with ``!``, as a readout does.

    Raises:
        DeviceMalformed: it is not written so.
    """
    text = block.decode("latin-1")
    if closed:
        text, end, more = text.rpartition("!")
        if not end or more.strip("\r\n"):
            raise DeviceMalformed("the readout does not end with '!'")
    found: dict[str, list[str]] = {}
    name, place = "", 0
    while place < len(text):
        if text[place] in "\r\n":
            place += 1
            continue
        start, end_at = text.find("(", place), text.find(")", place)
        own = text[place:start].strip()
        if start < 0 or end_at < start or not _is_name(own) or (not own and not found):
            raise DeviceMalformed(f"{text[place : place + 40]!r} is not a data set NAME(value)")
        name = own or name
        group = text[start + 1 : end_at]
        if "(" in group or not group.isprintable():
            raise DeviceMalformed(f"{group[:40]!r} is not a value")
        found.setdefault(name, []).append(group)
        if len(found) > SETS_MAX:
            raise DeviceMalformed(f"there are over {SETS_MAX} data sets")
        place = end_at + 1
    return [DataSet(own, tuple(groups)) for own, groups in found.items()]


def _is_name(text: str) -> bool:
    return text.isprintable() and not set(text) & set("()/!")
