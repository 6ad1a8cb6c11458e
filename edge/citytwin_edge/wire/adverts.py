"""Advertisements: what a Bluetooth device says to everybody, and what a format makes of it.

An advertisement has sections (Core Specification 5.4, Vol 3, Part C, 11): "service data" under a
16-bit service, "manufacturer data" under a company. A format knows some of them and says which
fields they have; what it cannot vouch for is never a number.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from citytwin.errors import DeviceMalformed
from citytwin.point import Kind
from citytwin.quality import Quality

SECTION_BYTES_MAX: Final = 254
"""Of one section's data; what is longer cannot have been on the air."""
ADDRESS_BYTES: Final = 6
Of = Literal["company", "service", "characteristic"]


class Section(NamedTuple):
    """One section.

    Attributes:
        of: whose number it is: a company's or a service's. What a connected device tells of a
            characteristic has the same form.
        number: 16-bit company identifier or service UUID; of a characteristic, which one it is.
        data: what follows the number.
    """

    of: Of
    number: int
    data: bytes

    @property
    def key(self) -> tuple[Of, int]:
        """By what it is told from the other sections of its device."""
        return self.of, self.number

    def __str__(self) -> str:
        return f"{self.of}:{self.number:04x}"


class Told(NamedTuple):
    """What an advertisement says of one field.

    Attributes:
        value: NaN unless the quality is good.
        quality: a :class:`citytwin.quality.Quality` code.
        text: of a field of Kind.TEXT; its value is then 0.
    """

    value: float
    quality: int = Quality.GOOD
    text: str = ""


VOID: Final = Told(math.nan, Quality.BAD_NOT_A_NUMBER)
"""The device says that it has no value."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A field of a format.

    Attributes:
        unit: UCUM code of its values.
        low, high: what the device can measure, after its maker; beyond it nothing is a value.
        kind: what its numbers mean.
        is_event: it says that something happens now, so that a repeat is no second event.
    """

    unit: str = "1"
    low: float = -math.inf
    high: float = math.inf
    kind: Kind = Kind.ANALOG
    is_event: bool = False

    def told(self, value: float) -> Told:
        """Judge a number by what can be measured at all."""
        if math.isnan(value):
            return VOID
        if not self.low <= value <= self.high:
            return Told(math.nan, Quality.BAD_OUT_OF_RANGE)
        return Told(value)


@dataclass(frozen=True, slots=True)
class Telegram:
    """What one section says.

    Attributes:
        values: by name of the field; only those that the section has.
        counter: by which a repeat is known; None where the format counts nothing.
        counts: what is counted, where a device counts more than one thing.
    """

    values: Mapping[str, Told] = field(default_factory=dict)
    counter: int | None = None
    counts: int = 0


class Decoder(Protocol):
    """One device's telegrams in one format; keeps what is needed to refuse replayed ones."""

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; None where it says nothing of this format.

        Raises:
            DeviceMalformed: it should be one of this format, and cannot be understood or trusted.
        """
        ...


class Format(ABC):
    """A kind of telegrams, described by its maker.

    Attributes:
        name: as a technician writes it.
        quantities: its fields by name; see also :meth:`quantity`.
        sections: under which numbers it comes.
        answers_only: its values stand in the scan response: the scanner must ask for it.
    """

    name: str
    quantities: Mapping[str, Quantity]
    sections: frozenset[tuple[Of, int]]
    answers_only: bool = False

    def quantity(self, name: str) -> Quantity | None:
        """Return a field; None where the format has none of this name."""
        return self.quantities.get(name)

    @abstractmethod
    def recognises(self, section: Section, name: str) -> bool:
        """Tell whether a section is likely to be of this format; ``name``: the device's own."""

    @abstractmethod
    def decoder(self, address: bytes, key: bytes) -> Decoder:
        """Return what decodes one device's telegrams.

        Args:
            address: 6 bytes, as written.
            key: what its telegrams are encrypted with; empty: they are not.

        Raises:
            ValueError: the format has no such key.
        """


def check_address(said: bytes, address: bytes) -> None:
    """Refuse a telegram with another device's address in it (DeviceMalformed)."""
    if said != address[-len(said) :]:
        raise DeviceMalformed(f"it has another device's address in it: {said.hex(':')}")


def no_key(key: bytes, whose: str) -> None:
    """Refuse a key where nothing is encrypted (ValueError)."""
    if key:
        raise ValueError(f"{whose} telegrams are not encrypted: leave key out")


def signed(data: bytes, order: Literal["big", "little"]) -> int:
    """Return a number in two's complement."""
    return int.from_bytes(data, order, signed=True)


def address_bytes(text: str) -> bytes:
    """Return the bytes of ``AA:BB:CC:DD:EE:FF``.

    Raises:
        ValueError: it is none.
    """
    parts = text.split(":")
    try:
        if len(parts) != ADDRESS_BYTES or any(len(part) != 2 for part in parts):
            raise ValueError
        return bytes.fromhex("".join(parts))
    except ValueError:
        raise ValueError(f"address {text!r} is not one such as A4:C1:38:5A:20:7F") from None
