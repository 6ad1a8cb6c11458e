"""Checksums: the number that an instrument adds to a message, by which a disturbed one is known.

>>> Checksum("crc16-modbus", order="little").of(b"123456789").hex()
'374b'
"""

from __future__ import annotations

import binascii
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


def _sum8(data: bytes) -> int:
    return sum(data) & 0xFF


def _lrc(data: bytes) -> int:
    """Two's complement of the sum (Modbus over Serial Line 1.02, 2.5.2.2)."""
    return -sum(data) & 0xFF


def _xor8(data: bytes) -> int:
    return functools.reduce(operator.xor, data, 0)


def _reflected(polynomial: int) -> tuple[int, ...]:
    """Return the table of a CRC-16 that takes the lowest bit first."""
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_MODBUS: Final = _reflected(0xA001)
_X25: Final = _reflected(0x8408)


def _unreflected(polynomial: int) -> tuple[int, ...]:
    """Return the table of a CRC-16 that takes the highest bit first."""
    table = []
    for crc in range(0, 0x10000, 0x100):
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & 0x8000 else 0)) & 0xFFFF
        table.append(crc)
    return tuple(table)


_EN13757: Final = _unreflected(0x3D65)


def _crc16_en13757(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 ^ _EN13757[crc >> 8 ^ byte]) & 0xFFFF
    return crc ^ 0xFFFF


def _crc16(table: tuple[int, ...], data: bytes, crc: int = 0xFFFF) -> int:
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


_KINDS: Final[dict[str, tuple[int, Callable[[bytes], int]]]] = {
    "sum8": (1, _sum8),
    "xor8": (1, _xor8),
    "lrc": (1, _lrc),
    "crc16-modbus": (2, lambda data: _crc16(_MODBUS, data)),
    "crc16-ccitt": (2, lambda data: binascii.crc_hqx(data, 0xFFFF)),
    "crc16-xmodem": (2, lambda data: binascii.crc_hqx(data, 0)),
    "crc16-arc": (2, lambda data: _crc16(_MODBUS, data, 0)),
    "crc16-x25": (2, lambda data: _crc16(_X25, data) ^ 0xFFFF),
    "crc16-en13757": (2, _crc16_en13757),
    "crc32": (4, binascii.crc32),
}
KINDS: Final = tuple(_KINDS)
"""Size in bytes and calculation by name; the CRCs are those of the "catalogue of parametrised CRC
algorithms" called MODBUS, IBM-3740 (or CCITT-FALSE), XMODEM, ARC, IBM-SDLC (or X-25), EN-13757 and
ISO-HDLC."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum and what it covers.

    Attributes:
        kind: one of KINDS.
        order: big or little: which byte of it comes first on the line.
        first: the first byte of the message that it covers, from 0.
        mark: what stands before it and is not covered, such as ``*``.
        in_text: it is written as hexadecimal digits, as in messages of text.
        after_end: it follows the message's end and covers that too.
    """

    kind: str
    order: str = "big"
    first: int = 0
    mark: bytes = b""
    in_text: bool = False
    after_end: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes on the line, without the mark."""
        return _KINDS[self.kind][0] * (2 if self.in_text else 1)

    def of(self, covered: bytes) -> bytes:
        """Return the checksum of the bytes that it covers, as it stands on the line."""
        size, calculate = _KINDS[self.kind]
        number = calculate(covered).to_bytes(size, "little" if self.order == "little" else "big")
        return number.hex().upper().encode() if self.in_text else number

    def after(self, message: bytes) -> bytes:
        """Return the checksum that follows a message so far; its mark, if any, stands there."""
        return self.of(message[self.first :].removesuffix(self.mark))

    def fits(self, message: bytes) -> bool:
        """Tell whether a message ends with its mark and its own checksum; digits of any case."""
        body, said = message[: -self.size], message[-self.size :]
        if len(body) < self.first + len(self.mark) or not body.endswith(self.mark):
            return False
        return (said.upper() if self.in_text else said) == self.after(body)
