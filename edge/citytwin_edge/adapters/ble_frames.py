"""BLE frames: what was once heard of a device, or read from it, decoded without the device.

The request of an exchange says where the bytes were: ``A4:C1:38:5A:20:7F service:fcd2`` (or
``company:0499``, or ``characteristic:2a6e``), and, if it was noted, ``rssi:-67`` behind it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from citytwin.adapter import Exchange
from citytwin.errors import DeviceMalformed
from citytwin_edge.adapters.ble_settings import uuid_of
from citytwin_edge.wire.adverts import Of, Section, address_bytes


class Frame(NamedTuple):
    """One exchange, understood.

    Attributes:
        address: the device's.
        section: what it said; empty where it was asked for a characteristic.
        uuid: of the characteristic; empty where the device spoke by itself.
        rssi: dBm; NaN where nobody noted it.
        data: the bytes.
    """

    address: str
    section: Section | None
    uuid: str
    rssi: float
    data: bytes


def frames(exchanges: Sequence[Exchange]) -> list[Frame]:
    """Return exchanges of one device.

    Raises:
        DeviceMalformed: a request does not say where its bytes were, or another device is meant.
    """
    found = [_frame(one) for one in exchanges]
    others = {one.address for one in found}
    if len(others) > 1:
        raise DeviceMalformed(
            f"these are exchanges of several devices: {', '.join(sorted(others))}"
        )
    return found


def _frame(exchange: Exchange) -> Frame:
    text = exchange.request.decode("ascii", "replace")
    words = text.split()
    try:
        if len(words) not in {2, 3}:
            raise ValueError
        address, place, rssi = words[0].upper(), words[1], math.nan
        address_bytes(address)
        of, _, name = place.partition(":")
        if len(words) == 3:
            what, _, number = words[2].partition(":")
            if what != "rssi":
                raise ValueError
            rssi = float(int(number))
        if of == "characteristic":
            return Frame(address, None, uuid_of(name), rssi, exchange.response)
        if of not in {"company", "service"} or len(name) != 4:
            raise ValueError
        whose: Of = "company" if of == "company" else "service"
        section = Section(whose, int(name, 16), exchange.response)
        return Frame(address, section, "", rssi, exchange.response)
    except ValueError:
        raise DeviceMalformed(
            f'the request "{text}" is not one such as "A4:C1:38:5A:20:7F service:fcd2 rssi:-67"'
        ) from None
