"""Fields: where a number lies in a device's registers or frame, and how it is written there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

ADDRESSES: Final = 65_536
STRING_REGISTERS_MAX: Final = 125
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
ORDERS: Final[tuple[str, ...]] = get_args(Order)
"""Byte orders, named after a 32-bit number: ABCD high byte first; CDAB words exchanged; BADC bytes
exchanged inside each register; DCBA both. 16-bit numbers have bytes only; in 64-bit numbers all
four words change places."""


class Table(StrEnum):
    """The four address spaces of a Modbus device, and the bytes of another instrument's frame."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"
    FRAME = "frame"

    @property
    def of_bits(self) -> bool:
        """Whether an address holds one bit rather than a 16-bit register."""
        return self in {Table.COIL, Table.DISCRETE}

    @property
    def of_bytes(self) -> bool:
        """Whether an address holds one byte."""
        return self is Table.FRAME


_BYTES: Final = {
    "bool": 2, "bit": 2, "uint16": 2, "uint32": 4, "uint64": 8, "int16": 2, "int32": 4, "int64": 8,
    "float32": 4, "float64": 8, "bcd16": 2, "bcd32": 4, "bcd64": 8,
}  # fmt: skip
_IN_FRAMES: Final = {"bool": 1, "bit": 1, "uint8": 1, "int8": 1, "bcd8": 1}
"""A frame has bytes, not registers: what one of them can hold has its size."""
Type = Literal[
    "bool", "bit", "uint16", "uint32", "uint64", "int16", "int32", "int64",
    "float32", "float64", "bcd16", "bcd32", "bcd64", "string",
]  # fmt: skip
FrameType = Literal[Type, "uint8", "int8", "bcd8"]
TYPES: Final[tuple[str, ...]] = get_args(Type)
FRAME_TYPES: Final[tuple[str, ...]] = get_args(FrameType)


@dataclass(frozen=True, slots=True)
class Field:
    """Where a number lies in a device and how it is written there.

    Attributes:
        table: address space.
        address: protocol address of the first bit or register, or byte of a frame, from 0.
        type: one of TYPES, in a frame of FRAME_TYPES; ``bit`` is another name of ``bool``. A bool
            in a register or byte is true when that (or its ``bits``) is not zero.
        order: one of ORDERS.
        length: registers, or bytes of a frame, of a string; else 0.
        bits: lowest and highest bit that count, 0 being the lowest of the whole number; for bool
            and the unsigned types in registers.
        digits: how many of a BCD number's digits count, from the lowest; 0 for all.
        sentinel: raw numbers (all bits of the field, unsigned or negative) that mean "no value".

    Raises:
        ValueError: the attributes do not fit together; the text says which and what is allowed.
    """

    table: Table
    address: int
    type: str = "uint16"
    order: str = "ABCD"
    length: int = 0
    bits: tuple[int, int] | None = None
    digits: int = 0
    sentinel: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        known = FRAME_TYPES if self.table.of_bytes else TYPES
        if self.type not in known:
            raise ValueError(f"type {self.type!r} is unknown; known are {', '.join(known)}")
        if self.order not in ORDERS:
            raise ValueError(f"order {self.order!r} is unknown; known are {', '.join(ORDERS)}")
        if self.type == "string" and not 1 <= self.length <= STRING_REGISTERS_MAX:
            parts = "bytes" if self.table.of_bytes else "registers"
            raise ValueError(
                f"a string needs length = its number of {parts}, 1 to {STRING_REGISTERS_MAX}"
            )
        if self.type != "string" and self.length:
            raise ValueError(f"length is for type string only, a {self.type} has its own")
        if self.table.of_bits and not self.is_bool:
            raise ValueError(f"a {self.table} holds one bit: its type is bool, not {self.type}")
        if not 0 <= self.address <= ADDRESSES - self.size:
            raise ValueError(
                f"address {self.address} is outside 0 to {ADDRESSES - self.size}; addresses are "
                "those of the protocol, counted from 0"
            )
        self._check_bits()
        self._check_digits()
        self._check_sentinel()

    def _check_bits(self) -> None:
        if self.bits is None:
            return
        if self.table.of_bits or not (self.is_bool or self.type.startswith("uint")):
            raise ValueError("bits are for bool and the uint types in registers and bytes only")
        low, high = self.bits
        if not 0 <= low <= high < self.width:
            raise ValueError(
                f"bits [{low}, {high}] must be [lowest, highest] within 0 to {self.width - 1}"
            )

    def _check_digits(self) -> None:
        digits_max = self.width // 4
        if self.digits and not self.type.startswith("bcd"):
            raise ValueError(f"digits are for the bcd types only, not for {self.type}")
        if not 0 <= self.digits <= digits_max:
            raise ValueError(f"a {self.type} has 1 to {digits_max} digits, not {self.digits}")

    def _check_sentinel(self) -> None:
        if self.sentinel and (self.is_bool or self.type == "string"):
            raise ValueError(f"a sentinel is for numbers, not for {self.type}")
        for raw in self.sentinel:
            if not -(1 << self.width - 1) <= raw < 1 << self.width:
                raise ValueError(f"sentinel {raw} does not fit into {self.width} bits")

    @property
    def is_bool(self) -> bool:
        """Whether it is true or false."""
        return self.type in {"bool", "bit"}

    @property
    def size(self) -> int:
        """Addresses it takes: bits in a bit table, bytes in a frame, else registers."""
        return 1 if self.table.of_bits else self.size_bytes // (1 if self.table.of_bytes else 2)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole number; 1 in a bit table."""
        if self.table.of_bits:
            return 1
        if self.table.of_bytes:
            return self.length or _IN_FRAMES.get(self.type) or _BYTES[self.type]
        return 2 * self.length or _BYTES[self.type]

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.address + self.size

    @property
    def width(self) -> int:
        """Bits of the whole number."""
        return 1 if self.table.of_bits else 8 * self.size_bytes

    @property
    def span(self) -> tuple[int, int]:
        """Shift and mask of the bits that count, of the whole number."""
        if self.bits is not None:
            return self.bits[0], (1 << self.bits[1] - self.bits[0] + 1) - 1
        if self.digits:
            return 0, (1 << 4 * self.digits) - 1
        return 0, (1 << self.width) - 1

    @property
    def partial(self) -> bool:
        """Whether its registers hold other bits too: to write it they must be read first."""
        return not self.table.of_bits and self.span[1] != (1 << self.width) - 1

    def byte_order(self) -> list[int]:
        """Return for each byte of the number, highest first, its place on the line.

        The words of a string stay in order: it is no number.
        """
        if self.size_bytes == 1 or (self.table.of_bytes and self.type == "string"):
            return list(range(self.size_bytes))
        words = range(self.size_bytes // 2)
        if self.order in {"CDAB", "DCBA"} and self.type != "string":
            words = words[::-1]
        high, low = (1, 0) if self.order in {"BADC", "DCBA"} else (0, 1)
        return [2 * word + byte for word in words for byte in (high, low)]
