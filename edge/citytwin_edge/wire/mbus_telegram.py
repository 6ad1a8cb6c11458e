"""M-Bus telegrams: the application layer: header, secondary address, encryption, records.

>>> data = bytes.fromhex("78 56 34 12 2D 2C 08 04 55 00 00 00 04 13 15 31 00 00")
>>> said = telegram(0x72, data)
>>> str(said.meter), said.status, said.block.records[0].quantity
('12345678.KAM.8.4', 0, 'volume')

Source: EN 13757-3:2018, 5 and 6; EN 13757-7:2018, 7.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed, DeviceRefused
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.mbus_fixed import FIXED_BYTES, fixed
from citytwin_edge.wire.mbus_records import Block, headers, records
from citytwin_edge.wire.mbus_security import Config, Sender, config_of, decrypt

MEDIA: Final = {
    0x00: "other", 0x01: "oil", 0x02: "electricity", 0x03: "gas", 0x04: "heat", 0x05: "steam",
    0x06: "warm water", 0x07: "water", 0x08: "heat cost allocator", 0x09: "compressed air",
    0x0A: "cooling (return)", 0x0B: "cooling (flow)", 0x0C: "heat (flow)", 0x0D: "heat and cooling",
    0x0E: "bus", 0x0F: "unknown", 0x14: "calorific value", 0x15: "hot water", 0x16: "cold water",
    0x17: "dual register water", 0x18: "pressure", 0x19: "converter", 0x1A: "smoke detector",
    0x1B: "room sensor", 0x1C: "gas detector", 0x20: "breaker", 0x21: "valve", 0x25: "display",
    0x28: "waste water", 0x29: "garbage", 0x2A: "carbon dioxide", 0x31: "communication controller",
    0x32: "repeater", 0x36: "radio converter", 0x37: "radio converter of a meter",
    0x38: "wired adapter",
}  # fmt: skip
"""By number of the medium, or device type (EN 13757-7, table 13)."""
APPLICATION_ERRORS: Final = {
    0: "an error that it does not name", 1: "CI field not implemented", 2: "buffer too long",
    3: "too many records", 4: "premature end of record", 5: "more than 10 DIFEs",
    6: "more than 10 VIFEs", 8: "application busy", 9: "too many readouts",
}  # fmt: skip
FORMATS_MAX: Final = 16
"""Layouts of compact telegrams that are remembered of one meter."""
_FULL, _FULL_REVERSED, _FIXED, _FIXED_REVERSED = 0x72, 0x76, 0x73, 0x77
LONG: Final = {_FULL, _FULL_REVERSED, 0x6B, 0x6F, 0x75, 0x80}
_SHORT: Final = {0x7A, 0x7B, 0x6A, 0x6E, 0x74, 0x8A}
_BARE: Final = {0x78, 0x79, 0x69, 0x70, 0x71}
_ERRORS: Final = {0x6E, 0x6F, 0x70}
_ALARMS: Final = {0x71, 0x74, 0x75}
_COMPACT: Final = {0x79, 0x7B}
_FORMATS: Final = {0x69, 0x6A, 0x6B}
_CRC: Final = Checksum("crc16-en-13757", "little")


class Meter(NamedTuple):
    """A meter's secondary address.

    Attributes:
        id: its identification, 8 digits as on its label.
        manufacturer: three letters.
        version, medium: numbers; see MEDIA.
    """

    id: str
    manufacturer: str
    version: int
    medium: int

    def __str__(self) -> str:
        return f"{self.id}.{self.manufacturer}.{self.version}.{self.medium}"

    @property
    def kind(self) -> str:
        """What it measures, in words."""
        return MEDIA.get(self.medium, f"medium {self.medium}")


def meter_of(identification: bytes, manufacturer: bytes, version: int, medium: int) -> Meter:
    """Return a meter by its address as sent: lowest byte first."""
    return Meter(
        identification[::-1].hex().upper(),
        letters(int.from_bytes(manufacturer, "little")),
        version,
        medium,
    )


def long_address(data: bytes) -> bytes:
    """Return the address of a long header in the order in which radio sends it."""
    return data[4:6] + data[:4] + data[6:8]


def letters(code: int) -> str:
    """Return a manufacturer's three letters (EN 13757-7, 7.5.2), which FLAG assigns."""
    return "".join(chr(64 + (code >> shift & 0x1F)) for shift in (10, 5, 0))


def code_of(manufacturer: str) -> int:
    """Return the number of three letters.

    Raises:
        ValueError: they are not.
    """
    if len(manufacturer) != 3 or not all("A" <= letter <= "Z" for letter in manufacturer):
        raise ValueError(f"manufacturer {manufacturer!r} is not three capital letters, as KAM")
    high, middle, low = (ord(letter) - 64 for letter in manufacturer)
    return high << 10 | middle << 5 | low


@dataclass(frozen=True, slots=True)
class Telegram:
    """What a meter has sent.

    Attributes:
        meter: who; None where the telegram does not say.
        access: its access number; status: its status byte; None where there is none.
        block: its records.
    """

    meter: Meter | None
    access: int | None
    status: int | None
    block: Block


class Formats:
    """Layouts of compact telegrams, learnt from full ones; the oldest go when there are many."""

    def __init__(self) -> None:
        """Know none."""
        self._known: OrderedDict[bytes, tuple[tuple[bytes, int], ...]] = OrderedDict()

    def learn(self, layout: bytes) -> None:
        """Remember the headers of a telegram's records."""
        self._known[_CRC.of(layout)] = tuple(headers(layout))
        while len(self._known) > FORMATS_MAX:
            self._known.popitem(last=False)

    def learn_from(self, block: Block) -> None:
        """Remember the layout of a full telegram, if it can have a compact one."""
        try:
            self.learn(b"".join(record.header for record in block.records))
        except DeviceMalformed:
            return

    def expand(self, data: bytes) -> bytes:
        """Return what a full telegram would have been.

        Raises:
            DeviceMalformed: the layout is not known, or the checksum says that it is another.
        """
        if len(data) < 4:
            raise DeviceMalformed("the compact telegram has no layout")
        layout = self._known.get(data[:2])
        if layout is None:
            raise DeviceMalformed(
                "the telegram is a compact one, and no full one has told its layout yet"
            )
        full, at = b"", 4
        for header, size in layout:
            full += header + data[at : at + size]
            at += size
        if at != len(data) or _CRC.of(full) != data[2:4]:
            raise DeviceMalformed("the compact telegram does not fit its layout")
        return full


class Envelope(NamedTuple):
    """What is known of a telegram from what is around it.

    Attributes:
        meter: who sent it, where its own header does not say so.
        sender: the same as bytes, and the message counter.
        formats: layouts of the meter's compact telegrams; None on the wired bus, which has none.
        is_opened: it was encrypted as a whole, and is not any more.
    """

    meter: Meter | None = None
    sender: Sender = Sender(bytes(8), 0)
    formats: Formats | None = None
    is_opened: bool = False


_WIRED: Final = Envelope()


def telegram(ci: int, data: bytes, *, key: bytes = b"", around: Envelope = _WIRED) -> Telegram:
    """Return what a telegram says.

    Args:
        ci: its CI field.
        data: what follows it.
        key: the meter's; empty: none. With a key nothing is believed that comes in clear.
        around: what else is known of it.

    Raises:
        DeviceRefused: the meter reports an error instead.
        DeviceMalformed: it cannot be understood, or not without a key.
    """
    formats = around.formats
    if ci in (_FIXED, _FIXED_REVERSED) and formats is None:
        return _fixed(data, is_reversed=ci == _FIXED_REVERSED)
    is_long = ci in LONG or ci == _FIXED  # of radio, where 73 is a compact one
    if not (is_long or ci in _SHORT or ci in _BARE):
        raise DeviceMalformed(f"CI field {ci:02X} is none that is known: {_hint(ci)}")
    head = _head(data, around, is_long=is_long, has_any=ci not in _BARE)
    if key and head.config.is_clear and not around.is_opened:
        raise DeviceMalformed("the telegram is in clear, although a key is set for the meter")
    clear = decrypt(head.config, data[head.size :], key, head.sender)
    if ci in _ERRORS:
        code = clear[0] if clear else 0
        raise DeviceRefused(f"the meter reports {APPLICATION_ERRORS.get(code, f'error {code}')}")
    if ci in _ALARMS:
        raise DeviceRefused("the meter reports an alarm instead of its values")
    if ci in _FORMATS:
        if formats is not None:
            formats.learn(clear[3:])
        return Telegram(head.meter, head.access, head.status, Block(()))
    if ci in _COMPACT or ci == _FIXED:
        block = records((formats or Formats()).expand(clear))
    else:
        block = records(clear, is_reversed=ci == _FULL_REVERSED)
        if formats is not None:
            formats.learn_from(block)
    return Telegram(head.meter, head.access, head.status, block)


class _Head(NamedTuple):
    meter: Meter | None
    access: int | None
    status: int | None
    config: Config
    sender: Sender
    size: int


def _head(data: bytes, around: Envelope, *, is_long: bool, has_any: bool) -> _Head:
    """Return the header of the transport layer, long, short or none."""
    meter, sender, at = around.meter, around.sender, 0
    if not has_any:
        return _Head(meter, None, None, Config(), sender, at)
    if len(data) < (12 if is_long else 4):
        raise DeviceMalformed("the telegram ends within its header")
    if is_long:
        meter = meter_of(data[:4], data[4:6], data[6], data[7])
        sender = sender._replace(address=long_address(data))
        at = 8
    access, status, word = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4], "little")
    at += 4
    extension, is_radio = 0, around.formats is not None
    if config_of(word, is_radio=is_radio).mode == 7:
        if len(data) == at:
            raise DeviceMalformed("the telegram ends within its header")
        extension, at = data[at], at + 1
    config = config_of(word, extension, is_radio=is_radio)
    return _Head(meter, access, status, config, sender._replace(access=access), at)


def _fixed(data: bytes, *, is_reversed: bool) -> Telegram:
    if len(data) != FIXED_BYTES:
        raise DeviceMalformed(
            f"a telegram of fixed layout has {FIXED_BYTES} bytes, not {len(data)}"
        )
    if is_reversed:
        data = data[3::-1] + data[4:8] + data[11:7:-1] + data[15:11:-1]
    medium, found = fixed(data[5], data[6:8], data[8:])
    meter = Meter(data[3::-1].hex().upper(), "", 0, medium)
    return Telegram(meter, data[4], data[5], Block(found))


def _hint(ci: int) -> str:
    if 0xA0 <= ci <= 0xB7:
        return "it is of the manufacturer's own layout"
    return "it carries no values of the standard"
