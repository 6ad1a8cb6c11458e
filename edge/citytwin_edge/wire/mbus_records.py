"""M-Bus records: the data of a telegram, cut into records and told what each of them says.

>>> block = records(bytes.fromhex("04 13 15 31 00 00 0C 78 78 56 34 12"))
>>> [(one.key, one.quantity, one.seen.value) for one in block.records]
[('04 13', 'volume', 12565), ('0c 78', 'fabrication-number', 12345678)]
>>> block.records[0].in_unit
Fraction(2513, 200)

Source: EN 13757-3:2018, 6.3 (data header), 6.4 (value information).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Final, NamedTuple

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.mbus_values import (
    NEITHER,
    SIZES,
    VARIABLE,
    Seen,
    moment,
    number,
    text,
    variable_size,
)
from citytwin_edge.wire.mbus_vif import ValueInformation, value_information

EXTENSIONS_MAX: Final = 10
"""DIFEs, and VIFEs, of one record (EN 13757-3, 6.3.5)."""
RECORDS_MAX: Final = 512
LABEL_CHARS_MAX: Final = 80
_IDLE, _END, _END_MORE, _ALL = 0x2F, 0x0F, 0x1F, 0x7F


class Function(IntEnum):
    """What a value is over time (bits 4 and 5 of the DIF)."""

    INSTANTANEOUS = 0
    MAXIMUM = 1
    MINIMUM = 2
    ERROR = 3
    """The value as it was while the meter was in error."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        header: DIF, DIFEs, VIF, its text if any, and VIFEs, as sent.
        data: its bytes; of a variable one with the length byte.
        function, storage, tariff, subunit: of the DIF and its DIFEs.
        told: what its VIF says.
        seen: what its bytes hold.
    """

    header: bytes
    data: bytes
    function: Function
    storage: int
    tariff: int
    subunit: int
    told: ValueInformation
    seen: Seen

    @property
    def key(self) -> str:
        """The header as hexadecimal digits."""
        return self.header.hex(" ")

    @property
    def quantity(self) -> str:
        """What is measured."""
        return self.told.quantity

    @property
    def in_unit(self) -> Fraction | None:
        """The number in the unit that the VIF names, exactly; None where there is none."""
        value = self.seen.value
        if not isinstance(value, int | float):
            return None
        return Fraction(value) * self.told.factor + self.told.addend


class Block(NamedTuple):
    """All records of one telegram.

    Attributes:
        records: in their order.
        manufacturer_data: what follows DIF 0F or 1F.
        more: the meter has more, in the next telegram (DIF 1F).
    """

    records: tuple[Record, ...]
    manufacturer_data: bytes = b""
    more: bool = False


class _Cursor:
    """Bytes, taken one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int, what: str) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise DeviceMalformed(f"the telegram ends within {what} of a record")
        self.at += count
        return taken

    def extended(self, first: int, what: str) -> bytes:
        """Return what follows a code with its extension bit: codes up to one without."""
        codes = b""
        while (codes[-1] if codes else first) & 0x80:
            if len(codes) == EXTENSIONS_MAX:
                raise DeviceMalformed(f"a record has over {EXTENSIONS_MAX} {what}s")
            codes += self.take(1, f"the {what}s")
        return codes


def records(data: bytes, *, is_reversed: bool = False) -> Block:
    """Return the records that stand in a telegram behind its header.

    Args:
        data: the bytes.
        is_reversed: numbers stand highest byte first (CI field 76).

    Raises:
        DeviceMalformed: the bytes are not records.
    """
    cursor = _Cursor(data)
    found: list[Record] = []
    while cursor.at < len(data):
        dif = data[cursor.at]
        if dif == _IDLE:
            cursor.at += 1
        elif dif in (_END, _END_MORE):
            return Block(tuple(found), data[cursor.at + 1 :], dif == _END_MORE)
        else:
            if len(found) == RECORDS_MAX:
                raise DeviceMalformed(f"the telegram has over {RECORDS_MAX} records")
            found.append(_record(cursor, is_reversed=is_reversed))
    return Block(tuple(found))


def headers(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield header and bytes of data of each record, as a format frame lists them: headers only.

    Raises:
        DeviceMalformed: the bytes are not headers, or one of a variable record is among them.
    """
    cursor = _Cursor(data)
    while cursor.at < len(data):
        start = cursor.at
        dif, _, _, _ = _header(cursor)
        size = SIZES[dif & 0x0F]
        if size < 0:
            raise DeviceMalformed("a compact telegram cannot have records of variable length")
        yield data[start : cursor.at], size


def _header(cursor: _Cursor) -> tuple[int, bytes, bytes, str]:
    """Take DIF, DIFEs, VIF with VIFEs, and the text of a plain-text VIF."""
    dif = cursor.take(1, "the DIF")[0]
    if dif & 0x0F == 0x0F:
        raise DeviceMalformed(
            "the telegram has a global readout request" if dif == _ALL else f"DIF {dif:02X} is none"
        )
    difes = cursor.extended(dif, "DIFE")
    vif = cursor.take(1, "the VIF")
    label = ""
    if vif[0] & 0x7F == 0x7C:
        count = cursor.take(1, "the unit's text")[0]
        if count > LABEL_CHARS_MAX:
            raise DeviceMalformed(f"the unit's text has {count} characters")
        label = text(cursor.take(count, "the unit's text"))
    return dif, difes, vif + cursor.extended(vif[0], "VIFE"), label


def _record(cursor: _Cursor, *, is_reversed: bool) -> Record:
    start = cursor.at
    dif, difes, codes, label = _header(cursor)
    header = cursor.data[start : cursor.at]
    size = SIZES[dif & 0x0F]
    if dif & 0x0F == VARIABLE:
        lvar = cursor.take(1, "the length")[0]
        size = variable_size(lvar)
        if size < 0:
            raise DeviceMalformed(f"a record of variable length has the reserved length {lvar:02X}")
        data = bytes([lvar]) + cursor.take(size, "the data")
    else:
        data = cursor.take(size, "the data")
        if is_reversed:
            data = data[::-1]
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    for n, dife in enumerate(difes):
        storage |= (dife & 0x0F) << 1 + 4 * n
        tariff |= (dife >> 4 & 3) << 2 * n
        subunit |= (dife >> 6 & 1) << n
    told = value_information(codes, label)
    function = Function(dif >> 4 & 3)
    return Record(header, data, function, storage, tariff, subunit, told, _seen(dif, data, told))


def _seen(dif: int, data: bytes, told: ValueInformation) -> Seen:
    coding = dif & 0x0F
    if told.is_time and coding not in (VARIABLE, *NEITHER):
        return moment(data)
    return number(dif, data, is_unsigned=told.is_unsigned)
