"""Checksums: the number that an instrument adds to a message, by which a disturbed one is known.

>>> Checksum("crc16-modbus", order="little").of(b"123456789").hex()
'374b'
>>> Checksum("crc", crc=Crc(8, 0x31, 0xFF)).of(b"123456789").hex()
'f7'
"""

from __future__ import annotations

import binascii
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

Kind = Literal[
    "sum8", "sum8-inverted", "lrc", "sum16", "xor8",
    "crc8-smbus", "crc8-maxim", "crc8-nrsc5", "crc8-rohc", "crc8-itu", "crc8-j1850",
    "crc8-autosar", "crc8-cdma2000", "crc8-dvb-s2",
    "crc16-modbus", "crc16-arc", "crc16-usb", "crc16-maxim", "crc16-umts",
    "crc16-ccitt", "crc16-xmodem", "crc16-aug-ccitt", "crc16-genibus", "crc16-gsm",
    "crc16-x25", "crc16-kermit", "crc16-mcrf4xx", "crc16-dnp", "crc16-en-13757",
    "crc32", "crc32-bzip2", "crc32-mpeg2", "crc32-iscsi",
    "crc",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = tuple(one for one in get_args(Kind) if one != "crc")
"""What has a name. The CRCs are those of the "catalogue of parametrised CRC algorithms" called
SMBUS, MAXIM-DOW, NRSC-5, ROHC, I-432-1, SAE-J1850, AUTOSAR, CDMA2000, DVB-S2; MODBUS, ARC, USB,
MAXIM-DOW, UMTS, IBM-3740 (CCITT-FALSE), XMODEM, SPI-FUJITSU, GENIBUS, GSM, IBM-SDLC (X-25), KERMIT,
MCRF4XX, DNP, EN-13757; ISO-HDLC, BZIP2, MPEG-2, ISCSI, in this order. Any other one is "crc"."""


@dataclass(frozen=True, slots=True)
class Crc:
    """A CRC by its parameters, as the catalogue gives them.

    Attributes:
        width: bits: 8, 16, 24 or 32.
        poly: the polynomial, highest power left out, highest bit first even where reflected.
        init: what it begins with, as the catalogue writes it.
        reflected: the lowest bit of each byte goes first, and the result is turned round.
        xor_out: with what the result is changed in the end.

    Raises:
        ValueError: a parameter does not fit into the width.
    """

    width: int
    poly: int
    init: int = 0
    reflected: bool = False
    xor_out: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no CRC."""
        if self.width not in {8, 16, 24, 32}:
            raise ValueError(f"a CRC is 8, 16, 24 or 32 bits wide, not {self.width}")
        for name in ("poly", "init", "xor_out"):
            if not 0 <= getattr(self, name) < 1 << self.width:
                raise ValueError(f"{name} does not fit into {self.width} bits")
        if not self.poly & 1:
            raise ValueError(f"poly {self.poly:#x} is none: the lowest bit of a polynomial is set")

    def of(self, data: bytes) -> int:
        """Return the CRC of bytes."""
        table, width = _table(self.width, self.poly, self.reflected), self.width
        if self.reflected:
            crc = _turned(self.init, width)
            for byte in data:
                crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
        else:
            crc, shift, kept = self.init, width - 8, (1 << width - 8) - 1
            for byte in data:
                crc = (crc & kept) << 8 ^ table[crc >> shift ^ byte]
        return crc ^ self.xor_out


def _turned(number: int, width: int) -> int:
    return int(f"{number:0{width}b}"[::-1], 2)


@functools.lru_cache(maxsize=64)
def _table(width: int, poly: int, reflected: bool) -> tuple[int, ...]:
    """Return what each byte makes of a CRC that is 0."""
    table = []
    top, mask, turned = 1 << width - 1, (1 << width) - 1, _turned(poly, width)
    for byte in range(256):
        crc = byte if reflected else byte << width - 8
        for _ in range(8):
            if reflected:
                crc = crc >> 1 ^ (turned if crc & 1 else 0)
            else:
                crc = (crc << 1 ^ (poly if crc & top else 0)) & mask
        table.append(crc)
    return tuple(table)


_SUMS: Final[dict[str, tuple[int, Callable[[bytes], int]]]] = {
    "sum8": (1, lambda data: sum(data) & 0xFF),
    "sum8-inverted": (1, lambda data: ~sum(data) & 0xFF),
    # Two's complement of the sum (Modbus over Serial Line 1.02, 2.5.2.2).
    "lrc": (1, lambda data: -sum(data) & 0xFF),
    "sum16": (2, lambda data: sum(data) & 0xFFFF),
    "xor8": (1, lambda data: functools.reduce(operator.xor, data, 0)),
    # These the library calculates, too, and faster.
    "crc16-ccitt": (2, lambda data: binascii.crc_hqx(data, 0xFFFF)),
    "crc16-xmodem": (2, lambda data: binascii.crc_hqx(data, 0)),
    "crc32": (4, binascii.crc32),
}
_CRCS: Final = {
    "crc8-smbus": Crc(8, 0x07),
    "crc8-maxim": Crc(8, 0x31, reflected=True),
    "crc8-nrsc5": Crc(8, 0x31, 0xFF),
    "crc8-rohc": Crc(8, 0x07, 0xFF, reflected=True),
    "crc8-itu": Crc(8, 0x07, xor_out=0x55),
    "crc8-j1850": Crc(8, 0x1D, 0xFF, xor_out=0xFF),
    "crc8-autosar": Crc(8, 0x2F, 0xFF, xor_out=0xFF),
    "crc8-cdma2000": Crc(8, 0x9B, 0xFF),
    "crc8-dvb-s2": Crc(8, 0xD5),
    "crc16-modbus": Crc(16, 0x8005, 0xFFFF, reflected=True),
    "crc16-arc": Crc(16, 0x8005, reflected=True),
    "crc16-usb": Crc(16, 0x8005, 0xFFFF, reflected=True, xor_out=0xFFFF),
    "crc16-maxim": Crc(16, 0x8005, reflected=True, xor_out=0xFFFF),
    "crc16-umts": Crc(16, 0x8005),
    "crc16-aug-ccitt": Crc(16, 0x1021, 0x1D0F),
    "crc16-genibus": Crc(16, 0x1021, 0xFFFF, xor_out=0xFFFF),
    "crc16-gsm": Crc(16, 0x1021, xor_out=0xFFFF),
    "crc16-x25": Crc(16, 0x1021, 0xFFFF, reflected=True, xor_out=0xFFFF),
    "crc16-kermit": Crc(16, 0x1021, reflected=True),
    "crc16-mcrf4xx": Crc(16, 0x1021, 0xFFFF, reflected=True),
    "crc16-dnp": Crc(16, 0x3D65, reflected=True, xor_out=0xFFFF),
    "crc16-en-13757": Crc(16, 0x3D65, xor_out=0xFFFF),
    "crc32-bzip2": Crc(32, 0x04C11DB7, 0xFFFFFFFF, xor_out=0xFFFFFFFF),
    "crc32-mpeg2": Crc(32, 0x04C11DB7, 0xFFFFFFFF),
    "crc32-iscsi": Crc(32, 0x1EDC6F41, 0xFFFFFFFF, reflected=True, xor_out=0xFFFFFFFF),
}


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum and what it covers.

    Attributes:
        kind: one of KINDS, or ``crc``.
        order: big or little: which byte of it comes first on the line.
        first: the first byte of the message that it covers, from 0.
        mark: what stands before it and is not covered, such as ``*``.
        in_text: it is written as hexadecimal digits, as in messages of text.
        after_end: it follows the message's end and covers that too.
        crc: which one, of kind ``crc``.

    Raises:
        ValueError: kind and crc do not go together.
    """

    kind: str
    order: str = "big"
    first: int = 0
    mark: bytes = b""
    in_text: bool = False
    after_end: bool = False
    crc: Crc | None = None

    def __post_init__(self) -> None:
        """Refuse a CRC without parameters, and parameters without one."""
        if (self.kind == "crc") != (self.crc is not None):
            raise ValueError('width, poly, init, reflected and xor_out go with kind = "crc"')

    @property
    def _size(self) -> int:
        crc = self.crc or _CRCS.get(self.kind)
        return _SUMS[self.kind][0] if crc is None else crc.width // 8

    @property
    def size(self) -> int:
        """Bytes that it takes on the line, without the mark."""
        return self._size * (2 if self.in_text else 1)

    def of(self, covered: bytes) -> bytes:
        """Return the checksum of the bytes that it covers, as it stands on the line."""
        crc = self.crc or _CRCS.get(self.kind)
        value = _SUMS[self.kind][1](covered) if crc is None else crc.of(covered)
        number = value.to_bytes(self._size, "little" if self.order == "little" else "big")
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
