"""BTHome: telegrams of many makers' sensors (Shelly BLU among them), version 2, encrypted or not.

Source: "BTHome format" and "BTHome encryption", version 2 (bthome.io).
"""

from __future__ import annotations

import math
from typing import Final

from citytwin.errors import DeviceMalformed
from citytwin.quality import Quality
from citytwin_edge.wire.adverts import (
    ADDRESS_BYTES,
    Format,
    Quantity,
    Section,
    Telegram,
    Told,
    check_address,
)
from citytwin_edge.wire.bthome_objects import (
    BUTTON,
    COMMANDS_MAX,
    HOLD,
    HOLD_OF_OLD,
    LEFT,
    OBJECTS,
    PACKET_ID,
    QUANTITIES,
    RIGHT,
    Thing,
)
from citytwin_edge.wire.ccm import CHECK_BYTES, NOT_ENCRYPTED, Counter, checked_key, opened

SERVICE: Final = 0xFCD2
OF_ONE_NAME_MAX: Final = 9
"""Fields of one name: "temperature", "temperature-2" … "temperature-9"."""
_VERSION: Final = 2
_ENCRYPTED, _WITH_ADDRESS = 0x01, 0x02
_COUNTER_BYTES: Final = 4
_RESTARTS_BELOW: Final = 100
_DIGITS: Final = 9  # as fine as the finest factor, and finer


class BTHome(Format):
    """The format."""

    name = "bthome"
    quantities = QUANTITIES
    sections = frozenset({("service", SERVICE)})

    def quantity(self, name: str) -> Quantity | None:
        """Return a field; the second of a name is "temperature-2"."""
        base, _, number = name.rpartition("-")
        if base and number.isdecimal() and 2 <= int(number) <= OF_ONE_NAME_MAX:
            return QUANTITIES.get(base)
        return QUANTITIES.get(name)

    def recognises(self, section: Section, name: str) -> bool:  # noqa: ARG002  # the contract's
        """Tell whether a section is of this version."""
        return (
            section.key in self.sections
            and section.data[:1] != b""
            and section.data[0] >> 5 == _VERSION
        )

    def decoder(self, address: bytes, key: bytes) -> BTHomeDecoder:
        """Return a decoder of one device's telegrams."""
        return BTHomeDecoder(address, checked_key(key) if key else b"")


class BTHomeDecoder:
    """One device."""

    def __init__(self, address: bytes, key: bytes) -> None:
        """Decode for the device with this address; an empty key: it does not encrypt."""
        self._address, self._key = address, key
        self._counter = Counter(restarts_below=_RESTARTS_BELOW)

    def decode(self, section: Section) -> Telegram | None:
        """Return what a section says; see :class:`citytwin_edge.wire.adverts.Decoder`."""
        if section.key != ("service", SERVICE):
            return None
        data = section.data
        if not data:
            raise DeviceMalformed("it is empty")
        information, body = data[0], data[1:]
        if information >> 5 != _VERSION:
            raise DeviceMalformed(
                f"version {information >> 5} of BTHome is not known, only {_VERSION}"
            )
        if information & _WITH_ADDRESS:
            said, body = body[:ADDRESS_BYTES][::-1], body[ADDRESS_BYTES:]
            check_address(said, self._address)
        if information & _ENCRYPTED:
            counter, body = self._opened(information, body)
            values, _ = parsed(body)
            return Telegram(values, counter, counts=1)
        if self._key:
            raise DeviceMalformed(NOT_ENCRYPTED)
        values, packet = parsed(body)
        return Telegram(values, packet)

    def _opened(self, information: int, body: bytes) -> tuple[int, bytes]:
        end = len(body) - CHECK_BYTES - _COUNTER_BYTES
        if end < 1:
            raise DeviceMalformed(f"{len(body)} bytes are too few to be encrypted ones")
        count, check = body[end : end + _COUNTER_BYTES], body[end + _COUNTER_BYTES :]
        nonce = self._address + SERVICE.to_bytes(2, "little") + bytes([information]) + count
        plain = opened(self._key, nonce, body[:end] + check)
        counter = int.from_bytes(count, "little")
        self._counter.check(counter)
        return counter, plain


def parsed(body: bytes) -> tuple[dict[str, Told], int | None]:
    """Return the fields of a telegram and its packet id.

    Objects stand in order of their ids, so that a receiver that does not know the later ones yet
    reads those before them.

    Raises:
        DeviceMalformed: the first object is not known already, one is cut off, or there are more of
            a name than there may be.
    """
    values: dict[str, Told] = {}
    counts: dict[str, int] = {}
    packet: int | None = None
    at = 0
    while at < len(body):
        thing = OBJECTS.get(body[at])
        if thing is None:
            if at:
                break
            raise DeviceMalformed(f"object 0x{body[at]:02x} is not one of BTHome's table")
        start, size = at + 1, thing.size
        if not size:
            if start >= len(body):
                raise DeviceMalformed(f"object {thing.name} is cut off")
            size = (body[start] & 0x1F) + 1 if thing.shape == "command" else body[start]
            start += 1
        own = body[start : start + size]
        if len(own) < size:
            raise DeviceMalformed(f"object {thing.name} is cut off")
        if body[at] == PACKET_ID:
            packet = own[0]
        counts[thing.name] = number = counts.get(thing.name, 0) + 1
        if number > OF_ONE_NAME_MAX:
            raise DeviceMalformed(f"it has over {OF_ONE_NAME_MAX} objects {thing.name}")
        told = _told(thing, own)
        if told is not None:
            values[thing.name if number == 1 else f"{thing.name}-{number}"] = told
        at = start + size
    return values, packet


def _told(thing: Thing, own: bytes) -> Told | None:
    """Return what an object says; None where it says that nothing happened."""
    quantity = QUANTITIES[thing.name]
    if thing.shape in {"unsigned", "signed"}:
        raw = int.from_bytes(own, "little", signed=thing.shape == "signed")
        return quantity.told(round(raw * thing.factor, _DIGITS))
    if thing.shape == "event":
        press = HOLD if own[0] == HOLD_OF_OLD else own[0]
        return _event(press, press in BUTTON, is_none=press == 0)
    if thing.shape == "command":
        return _event(own[0], own[0] <= COMMANDS_MAX, is_none=False)
    if thing.shape == "steps":
        steps = -own[1] if own[0] == LEFT else own[1]
        return _event(steps, own[0] in {LEFT, RIGHT}, is_none=own[0] == 0)
    if thing.shape == "id":
        return Told(float(int.from_bytes(own, "little")))
    if thing.shape == "version":
        return Told(0.0, text=".".join(str(part) for part in own[::-1]))
    if thing.shape == "raw":
        return Told(0.0, text=own.hex())
    try:
        text = own.decode().strip("\0")
    except UnicodeDecodeError:
        return Told(math.nan, Quality.BAD_MALFORMED)
    return Told(0.0, text=text)


def _event(number: int, is_known: bool, *, is_none: bool) -> Told | None:
    if is_none:
        return None
    return Told(float(number)) if is_known else Told(math.nan, Quality.BAD_MALFORMED)


FORMAT: Final = BTHome()
