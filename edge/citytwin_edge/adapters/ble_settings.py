"""BLE settings: what a technician writes about a Bluetooth device and its points.

docs/guides/ble.md explains each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from citytwin.adapter import Binding
from citytwin.conversion import Scale, between
from citytwin.errors import UnitError
from citytwin.point import Kind, Point
from citytwin_edge.adapters.places import Decimal, Separator, ValueSettings
from citytwin_edge.wire.adverts import Format, Of, Quantity, address_bytes
from citytwin_edge.wire.fields import Order
from citytwin_edge.wire.formats import FORMATS, OwnLayout
from citytwin_edge.wire.payload import PayloadField
from citytwin_edge.wire.registers import Single

KEY_DIGITS_MAX: Final = 64
RSSI: Final = "rssi"
NAME: Final = "name"
RECEPTION: Final = Quantity("dB[mW]", -127, 20)
"""How strong a device is heard: a field of every format. Core Specification, HCI, LE Advertising
Report: 127 stands for none."""
SPECIAL: Final = {RSSI: RECEPTION, NAME: Quantity(kind=Kind.TEXT)}
"""Fields of every format: how it is heard, and the name that the device has given itself."""
_BASE: Final = "-0000-1000-8000-00805f9b34fb"
"""The end of every UUID that has a short form (Core Specification 5.4, Vol 3, Part B, 2.5.1)."""
AS_IT_IS: Final = Scale(1.0, 0.0)

Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]
FormatName = Literal[
    "auto", "ruuvi", "bthome", "mibeacon", "atc", "govee", "eddystone-tlm", "bytes"
]  # fmt: skip


class BleDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's own settings.

    Attributes:
        address: its Bluetooth address, as ``scan`` shows it.
        hci: the gateway's Bluetooth adapter that hears it.
        mode: its values are in what it says to everybody (advertised), or in characteristics that
            are read (polled) or that it tells of by itself (notified).
        format: of its advertisements; auto: whichever fits.
        key: what they are encrypted with, in hexadecimal digits.
        key_file: a file that holds the key alone, instead of ``key``.
        section: with format "bytes", which advertisement: ``company:0499`` or ``service:181a``.
        match: with format "bytes", the hexadecimal bytes with which that section begins.
        scan: whether to ask devices for a second part of what they say (active).
        repeat_s: a value without a counter that is heard again counts again after so long.
        scan_s: how long a scan lasts.
        order: byte order of numbers that name none; Bluetooth sends the low byte first.
        separator: between the columns of text in characteristics.
        decimal: decimal point or comma of text in characteristics.
        keep_connected: do not part after each poll.
        connect_timeout_s: how long finding and connecting it may take.
    """

    address: str
    hci: Annotated[str, msgspec.Meta(pattern="^hci[0-9]{1,2}$")] = "hci0"
    mode: Literal["advertised", "polled", "notified"] = "advertised"
    format: FormatName = "auto"
    key: Annotated[str, msgspec.Meta(max_length=KEY_DIGITS_MAX)] = ""
    key_file: str = ""
    section: str = ""
    match: str = ""
    scan: Literal["auto", "passive", "active"] = "auto"
    repeat_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10.0
    scan_s: Seconds = 10.0
    order: Order = "DCBA"
    separator: Separator = ","
    decimal: Decimal = "."
    keep_connected: bool = False
    connect_timeout_s: Seconds = 8.0

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        address_bytes(self.address)
        _bytes("key", self.key)
        if self.key and self.key_file:
            raise ValueError("key and key_file exclude each other")
        if self.mode != "advertised" and (
            self.format != "auto" or self.key or self.key_file or self.section or self.match
        ):
            raise ValueError(
                "format, key, section and match belong to advertisements, not to "
                f'mode = "{self.mode}"'
            )
        if (self.format == "bytes") != bool(self.section):
            raise ValueError(
                'section and format = "bytes" go together: section = "company:0499" says which '
                "advertisement is described"
            )
        if self.section:
            self.own_section()
        if self.match and not self.section:
            raise ValueError('match goes with section, of format = "bytes"')
        if self.keep_connected and self.mode != "polled":
            raise ValueError('keep_connected goes with mode = "polled"')

    @property
    def place(self) -> str:
        """The address as BlueZ writes it."""
        return self.address.upper()

    def secret(self) -> bytes:
        """Return the key; empty where there is none.

        Raises:
            ValueError: the file cannot be read, or holds no key.
        """
        if not self.key_file:
            return _bytes("key", self.key)
        try:
            text = Path(self.key_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not ASCII"
            raise ValueError(f"key_file {self.key_file} cannot be read: {why}") from None
        return _bytes("key_file", text[: KEY_DIGITS_MAX + 1])

    def own_section(self) -> tuple[Of, int, bytes]:
        """Return whose a described section is, its number and first bytes (ValueError)."""
        of, _, number = self.section.partition(":")
        try:
            if of not in {"company", "service"} or len(number) != 4:
                raise ValueError
            value = int(number, 16)
        except ValueError:
            raise ValueError(
                f'section {self.section!r} is not one such as "company:0499" or "service:181a"'
            ) from None
        return ("company" if of == "company" else "service"), value, _bytes("match", self.match)

    def formats(self, bindings: Sequence[Binding]) -> list[Format]:
        """Return the formats that come into question (ValueError)."""
        if self.format != "bytes":
            return list(FORMATS.values()) if self.format == "auto" else [FORMATS[self.format]]
        singles = {
            str(index): Single(address.in_bytes(self.order))
            for index, (_, address) in enumerate(bindings)
            if address.at is not None
        }
        return [OwnLayout(*self.own_section(), singles)]


class BlePoint(ValueSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is: a field of the format, or bytes of an advertisement or a characteristic.

    Attributes:
        field: which value of the device's format it is, or ``rssi`` or ``name``.
        characteristic: UUID of what is read, of 4 hexadecimal digits or whole.
    """

    field: str = ""
    characteristic: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        if self.field and (self.characteristic or self.at is not None):
            raise ValueError("field is a value of the format; it excludes characteristic and at")
        if self.characteristic:
            uuid_of(self.characteristic)

    def problem(self, point: Point, device: BleDevice) -> str:
        """Return why the point does not fit its device; empty when it does."""
        if device.mode != "advertised":
            if not self.characteristic:
                return f'mode = "{device.mode}" needs characteristic, the UUID of what is read'
            return ""
        if self.characteristic:
            return 'characteristic needs mode = "polled" or "notified" of the device'
        if point.writable is not None:
            return "an advertisement cannot be written; a characteristic perhaps can"
        if self.field in SPECIAL or (self.field and device.format != "bytes"):
            return ""
        if device.format == "bytes":
            if self.field or self.at is None:
                return 'format = "bytes" needs at, the place of the value in the advertisement'
            return ""
        return 'needs field, such as "temperature"; docs/guides/ble.md has them all'

    def scale(self, point: Point, formats: Sequence[Format]) -> Scale:
        """Return how the field's values become the point's unit.

        Raises:
            ValueError: no format has the field, or its unit measures something else.
        """
        found = SPECIAL.get(self.field) or _quantity(self.field, formats)
        if (found.kind == Kind.TEXT) != (point.kind == Kind.TEXT):
            raise ValueError(
                f'field {self.field}: kind = "text" goes with texts, and only with them'
            )
        if found.kind == Kind.TEXT:
            return AS_IT_IS
        try:
            return between(found.unit, point.unit)
        except UnitError:
            raise ValueError(
                f'field {self.field} is measured in {found.unit}: write unit = "{found.unit}", or '
                f"another unit of the same; {point.unit} is none"
            ) from None

    def payload(self, point: Point, device: BleDevice) -> PayloadField:
        """Return where the value is in a characteristic (ValueError)."""
        self.check(point.kind)
        return PayloadField(
            place=self.in_text(device.separator),
            numeral=self.numeral(point, device.decimal),
            field=None if self.at is None else self.in_bytes(device.order),
            is_text=point.kind == Kind.TEXT,
        )


def _quantity(name: str, formats: Sequence[Format]) -> Quantity:
    for one in formats:
        if (found := one.quantity(name)) is not None:
            return found
    names = sorted({name for one in formats for name in one.quantities} | SPECIAL.keys())
    whose = formats[0].name if len(formats) == 1 else "any format"
    raise ValueError(f"field {name!r} is none of {whose}; there are {', '.join(names)}")


def uuid_of(text: str) -> str:
    """Return a whole UUID in lower case.

    Raises:
        ValueError: it is none.
    """
    lower = text.lower()
    digits = lower.replace("-", "")
    if len(lower) == 4:
        lower, digits = f"0000{lower}{_BASE}", "0" * 28 + lower
    if len(lower) != 36 or len(digits) != 32 or set(digits) - set("0123456789abcdef"):
        raise ValueError(
            f"characteristic {text!r} is not a UUID such as 2a6e or all 32 digits of it"
        )
    return lower


def short_number(uuid: str) -> int | None:
    """Return the 16-bit number of a UUID that has one."""
    if uuid.startswith("0000") and uuid.endswith(_BASE) and len(uuid) == 36:
        return int(uuid[4:8], 16)
    return None


def _bytes(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"{name} is not hexadecimal digits, two for each byte") from None
