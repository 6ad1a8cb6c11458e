"""P1 settings: what a technician writes about a meter with a DSMR P1 port and about its points.

docs/guides/dlms.md explains each of them.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.iec62056_settings import Baud, Clock, LineSettings, Parity, Seconds
from citytwin_edge.adapters.meter_values import ObisSettings
from citytwin_edge.adapters.places import Hours
from citytwin_edge.wire.dlms import Keys

HexKey = Annotated[str, msgspec.Meta(pattern="^([0-9A-Fa-f]{32})?$")]
"""16 bytes as hexadecimal digits, or nothing."""


def keys_of(key: str, authentication_key: str) -> Keys:
    """Return the keys that two fields are (ValueError)."""
    if authentication_key and not key:
        raise ValueError("authentication_key goes with key")
    return Keys(bytes.fromhex(key), bytes.fromhex(authentication_key))


class P1Device(LineSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meter's own settings, besides those of its line.

    Attributes:
        baud: speed of the port; 115200, of meters before DSMR 4: 9600.
        parity: none (8N1), of meters before DSMR 4: software (7E1).
        crc: telegrams have a CRC, as all have since DSMR 4.
        channel: a gas, water or heat meter behind the meter, at this channel of its M-Bus; codes
            that name no channel are of this one.
        key: opens ciphered telegrams (Luxembourg, Austria); 32 hexadecimal digits.
        authentication_key: checks who sent them; 32 hexadecimal digits.
        clock: stamps are the gateway's, or the meter's, and of sub meters their own.
        utc_offset_h: by how many hours the meter's clock is ahead of UTC in winter.
        reply_timeout_s: a telegram that pauses for longer is given up.
    """

    baud: Baud = 115_200
    parity: Parity | None = "none"
    crc: bool = True
    channel: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0
    key: HexKey = ""
    authentication_key: HexKey = ""
    clock: Clock = "gateway"
    utc_offset_h: Hours | None = None
    reply_timeout_s: Seconds = 2.0

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        super().__post_init__()
        self.keys()
        if self.clock == "meter" and self.utc_offset_h is None:
            raise ValueError('clock = "meter" needs utc_offset_h: 1 where winter time is UTC+1')

    def endpoint(self) -> Endpoint:
        """Return where its line ends."""
        return self.line("p1", self.baud)

    def keys(self) -> Keys:
        """Return what opens its telegrams."""
        return keys_of(self.key, self.authentication_key)

    def __repr__(self) -> str:
        """Return where it is; keys are nobody's business."""
        return f"P1Device(at {self.serial or self.host})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """Return the same for pretty printing."""
        return [("at", self.serial or self.host)]


class P1Point(ObisSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which value of a telegram a point is, besides its code and how it is written.

    Attributes:
        group: in which pair of brackets it is, from 1; 0: the last one behind a time, else the
            first.
    """

    group: Annotated[int, msgspec.Meta(ge=0, le=200)] = 0

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        if not self.obis:
            raise ValueError('a point needs obis, its code: obis = "1-0:1.8.1"')
