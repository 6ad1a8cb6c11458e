"""M-Bus settings: what a technician writes about a meter on the wired bus.

docs/guides/mbus.md explains each of them.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.places import Hours
from citytwin_edge.wire.mbus_frames import NOBODY_KNOWN, PRIMARY_MAX, SELECTED, select
from citytwin_edge.wire.mbus_security import KEY_BYTES
from citytwin_edge.wire.mbus_telegram import Meter, code_of

Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
_ANSWER_BITS: Final = 330
_ANSWER_S: Final = 0.05
"""A meter answers within so many bit times and 50 ms (EN 13757-2, 5.5.1.3) …"""
_CONVERTER_S: Final = 0.15
_NETWORK_S: Final = 0.5
"""… and converters, and networks, add so much to it."""
_EIGHT: Final = re.compile(r"[0-9A-F]{8}")
_WILDCARD: Final = "F"


class Which(NamedTuple):
    """Which meters are meant, by their secondary address; an F in ``id`` is any digit.

    Attributes:
        id, manufacturer, version, medium: empty or None: any.
    """

    id: str = ""
    manufacturer: str = ""
    version: int | None = None
    medium: int | None = None

    def check(self) -> None:
        """Refuse what is no address (ValueError)."""
        if self.id and not _EIGHT.fullmatch(self.id):
            raise ValueError(
                f'id {self.id!r} is not 8 digits as on the meter, "06855817"; an F stands for any'
            )
        if self.manufacturer:
            code_of(self.manufacturer)

    def __bool__(self) -> bool:
        return bool(self.id or self.manufacturer) or not (self.version is self.medium is None)

    def fits(self, meter: Meter) -> bool:
        """Tell whether a meter is meant."""
        return (
            all(one in (_WILDCARD, own) for one, own in zip(self.id, meter.id, strict=False))
            and self.manufacturer in ("", meter.manufacturer)
            and self.version in (None, meter.version)
            and self.medium in (None, meter.medium)
        )

    def __str__(self) -> str:
        words = [self.id or "any id", self.manufacturer]
        words += [f"{name} {number}" for name, number in (("version", self.version),
                  ("medium", self.medium)) if number is not None]  # fmt: skip
        return " ".join(word for word in words if word)


def key_of(digits: str) -> bytes:
    """Return a meter's key (ValueError, whose text does not show it)."""
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b"?"
    if len(key) not in (0, KEY_BYTES):
        raise ValueError("key must be 32 hexadecimal digits, the meter's AES-128 key")
    return key


class MbusDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meter's own settings.

    Attributes:
        serial: port of the level converter; or ``host`` and ``port``.
        host: a level converter in the network.
        port: TCP port of that converter.
        baud: speed of the bus.
        parity: parity of the bus.
        stop_bits: stop bits of the bus.
        address: primary address, 0 to 250, or 254 where there is one meter only.
        id: secondary address: the 8 digits on the meter; F stands for any digit.
        manufacturer: secondary address: its three letters; empty: any.
        version: secondary address: generation of the meter; any when left out.
        medium: secondary address: what it measures, as a number; any when left out.
        fabrication: fabrication number, to tell meters of one secondary address apart.
        key: of a meter that encrypts; 32 hexadecimal digits.
        initialise: begin each reading with SND_NKE.
        application_reset: subcode of an application reset before each reading, where needed.
        telegrams_max: so many telegrams are asked of one meter in a reading.
        reply_timeout_s: how long an answer may take to begin, and pause; by default what the
            standard allows at this baud rate.
        retries: how often a request is sent again.
        echo: what is sent comes back before the answer.
        time: whose clock stamps the samples.
        utc_offset_h: by how many hours the meter's clock is ahead of UTC.
        connect_timeout_s: how long a TCP connection may take.
        scan: which addresses a scan tries.
        scan_s_max: how long a scan may take.
    """

    serial: str = ""
    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 10001
    baud: Annotated[int, msgspec.Meta(ge=300, le=115_200)] = 2400
    parity: Literal["none", "even", "odd"] = "even"
    stop_bits: Literal[1, 2] = 1
    address: Annotated[int, msgspec.Meta(ge=0, le=254)] | None = None
    id: str = ""
    manufacturer: str = ""
    version: Byte | None = None
    medium: Byte | None = None
    fabrication: str = ""
    key: str = ""
    initialise: bool = True
    application_reset: Byte | None = None
    telegrams_max: Annotated[int, msgspec.Meta(ge=1, le=64)] = 16
    reply_timeout_s: Seconds | None = None
    retries: Annotated[int, msgspec.Meta(ge=0, le=5)] = 2
    echo: bool = False
    time: Literal["gateway", "meter"] = "gateway"
    utc_offset_h: Hours | None = None
    connect_timeout_s: Seconds = 3.0
    scan: Literal["all", "primary", "secondary"] = "all"
    scan_s_max: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 600.0

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        if bool(self.serial) == bool(self.host):
            raise ValueError(
                "a bus needs either serial, the port of its level converter (serial = "
                '"/dev/ttyUSB0"), or host and port of one in the network'
            )
        if self.address is not None and PRIMARY_MAX < self.address < NOBODY_KNOWN:
            raise ValueError(
                f"address {self.address} is no meter's; primary addresses are 0 to {PRIMARY_MAX}, "
                f"and {NOBODY_KNOWN} where there is one meter only"
            )
        self.which().check()
        if self.fabrication and not _EIGHT.fullmatch(self.fabrication):
            raise ValueError(f"fabrication {self.fabrication!r} is not 8 digits")
        if self.fabrication and self.address is not None:
            raise ValueError("fabrication selects a meter by secondary address; leave out address")
        if self.time == "meter" and self.utc_offset_h is None:
            raise ValueError('time = "meter" needs utc_offset_h: a meter\'s clock has no offset')
        key_of(self.key)

    def __repr__(self) -> str:
        return f"MbusDevice({self.where()})"  # not the key

    def which(self) -> Which:
        """Return which meters are meant."""
        return Which(self.id, self.manufacturer, self.version, self.medium)

    def endpoint(self) -> Endpoint:
        """Return where the bus ends."""
        if self.host:
            return Endpoint(
                "mbus", host=self.host, port=self.port, connect_timeout_s=self.connect_timeout_s
            )
        return Endpoint(
            "mbus",
            serial=self.serial,
            baud=self.baud,
            parity=self.parity,
            stop_bits=self.stop_bits,
            connect_timeout_s=self.connect_timeout_s,
        )

    def timeout_s(self) -> float:
        """Return how long an answer may take to begin."""
        if self.reply_timeout_s is not None:
            return self.reply_timeout_s
        slack_s = _NETWORK_S if self.host else _CONVERTER_S
        return _ANSWER_BITS / self.baud + _ANSWER_S + slack_s

    @property
    def link_address(self) -> int:
        """The address of its frames."""
        return SELECTED if self.address is None else self.address

    def selection(self) -> bytes:
        """Return the frame that selects it; empty where its primary address does."""
        if self.address is not None:
            return b""
        return select(
            self.id or _WILDCARD * 8,
            code_of(self.manufacturer) if self.manufacturer else 0xFFFF,
            0xFF if self.version is None else self.version,
            0xFF if self.medium is None else self.medium,
            self.fabrication,
        )

    def where(self) -> str:
        """Return which meter it is, for people."""
        if self.address is not None:
            return f"meter {self.address} at {self.endpoint()}"
        number = f" fabrication number {self.fabrication}" if self.fabrication else ""
        return f"meter {self.which()}{number} at {self.endpoint()}"
