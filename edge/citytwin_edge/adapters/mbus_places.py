"""M-Bus places: what a technician writes about where a point is in a meter's telegrams."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from citytwin_edge.wire.mbus_records import Record
from citytwin_edge.wire.mbus_vif import QUANTITIES
from citytwin_edge.wire.mbus_vife import QUALIFIERS

HeaderField = Literal[
    "status", "access-number", "identification", "manufacturer", "version", "medium"
]


class RecordSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record by what it is.

    Attributes:
        quantity: what is measured: one of :data:`citytwin_edge.wire.mbus_vif.QUANTITIES`.
        unit: unit in which the meter tells it (W.h, J, m3, …), where it tells it in two.
        storage: storage number, as the meter counts them; 0: the current value.
        tariff: tariff number, as the meter counts them; 0: all together.
        subunit: subunit number, as the meter counts them.
        function: whether it is the value itself, its highest or lowest, or that of an error.
        qualifiers: in which way it is meant, all of them, in any order.
    """

    quantity: str
    unit: str = ""
    storage: Annotated[int, msgspec.Meta(ge=0, lt=2**41)] = 0
    tariff: Annotated[int, msgspec.Meta(ge=0, lt=2**20)] = 0
    subunit: Annotated[int, msgspec.Meta(ge=0, lt=2**10)] = 0
    function: Literal["instantaneous", "maximum", "minimum", "error"] = "instantaneous"
    qualifiers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that no record has (ValueError)."""
        if self.quantity not in QUANTITIES:
            raise ValueError(f"quantity {self.quantity!r} is none; {_near(self.quantity)}")
        for word in self.qualifiers:
            if word not in QUALIFIERS and not word.startswith(("manufacturer ", "reserved ")):
                raise ValueError(f"qualifiers: {word!r} is none; docs/guides/mbus.md lists them")

    def fits(self, record: Record) -> bool:
        """Tell whether a record is the one, whatever its function."""
        return (
            record.quantity == self.quantity
            and record.storage == self.storage
            and record.tariff == self.tariff
            and record.subunit == self.subunit
            and (not self.unit or record.told.unit == self.unit)
            and sorted(record.told.qualifiers) == sorted(self.qualifiers)
        )


def _near(name: str) -> str:
    import difflib  # for mistakes only

    near = difflib.get_close_matches(name, QUANTITIES, 1, 0.5)
    return f'did you mean "{near[0]}"?' if near else "docs/guides/mbus.md lists them"


class MbusPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is in a meter's telegrams: exactly one of the first four.

    Attributes:
        record: a record, by what it is.
        dif_vif: a record, by the bytes of its header, as ``probe`` shows them: ``"04 13"``.
        header: not a record, but a field of the telegram's header.
        index: a record, by its place among all, from 0; the last resort, since it may move.
        bits: [lowest, highest] bit of a whole number that counts, or [bit].
        sentinel: raw numbers that mean "no value".
    """

    record: RecordSettings | None = None
    dif_vif: str = ""
    header: HeaderField | None = None
    index: Annotated[int, msgspec.Meta(ge=0, le=2047)] | None = None
    bits: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    sentinel: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        ways = [self.record is not None, bool(self.dif_vif), self.header is not None,
                self.index is not None]  # fmt: skip
        if sum(ways) != 1:
            raise ValueError(
                "a point needs exactly one of record, dif_vif, header and index: record = "
                '{ quantity = "volume" }, say'
            )
        self.key()
        if self.bits and not 0 <= self.bits[0] <= self.bits[-1] <= 63:
            raise ValueError(f"bits {list(self.bits)} are not [lowest, highest] of 0 to 63")

    def key(self) -> bytes:
        """Return the bytes of ``dif_vif`` (ValueError)."""
        try:
            return bytes.fromhex(self.dif_vif)
        except ValueError:
            raise ValueError(
                f"dif_vif {self.dif_vif!r} is not bytes in hexadecimal digits"
            ) from None
