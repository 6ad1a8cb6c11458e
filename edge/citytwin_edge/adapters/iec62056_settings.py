"""IEC 62056-21 settings: what a technician writes about a meter and its points.

docs/guides/iec62056.md explains each of them.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec

from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.meter_values import ObisSettings
from citytwin_edge.adapters.places import Hours
from citytwin_edge.wire.iec62056 import Bcc, Mode
from citytwin_edge.wire.iec62056_dialogue import Plan, split_request
from citytwin_edge.wire.texts import TextField

Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]
Baud = Annotated[int, msgspec.Meta(ge=50, le=4_000_000)]
Parity = Literal["software", "port", "none"]
Clock = Literal["gateway", "meter"]
_ADDRESS: Final = re.compile(r"[A-Za-z0-9 ]{0,32}")
_PASSWORD: Final = re.compile(r"[^()\x00-\x1f\x7f-\uffff]{0,32}")
PUSHED_BAUD: Final = 2400
"""The one speed of mode D (IEC 62056-21, 6.4.4)."""
BEGIN_BAUD: Final = 300


class LineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a meter's line ends, for all adapters of meters.

    Attributes:
        serial: its port; or ``host`` and ``port``.
        host: a serial server that passes bytes on.
        port: TCP port of that serial server.
        parity: where characters of 7 bits with even parity are made and checked: in software, on a
            port of 8 bits, which every port can be; by the port; or none: 8N1, or a serial server
            that does it. By default software at a port, none behind a server.
        connect_timeout_s: how long making the connection may take.
    """

    serial: str = ""
    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 4001
    parity: Parity | None = None
    connect_timeout_s: Seconds = 3.0

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        if bool(self.serial) == bool(self.host):
            raise ValueError(
                'a meter needs either serial, its port (serial = "/dev/ttyUSB0"), or host and port '
                "of a serial server"
            )
        if self.host and self.parity == "port":
            raise ValueError('parity = "port" is for a port of this machine; a server has its own')

    def line(self, transport: str, baud: int) -> Endpoint:
        """Return where its line ends."""
        if self.host:
            return Endpoint(
                transport,
                host=self.host,
                port=self.port,
                connect_timeout_s=self.connect_timeout_s,
            )
        seven = self.parity == "port"
        return Endpoint(
            transport,
            serial=self.serial,
            baud=baud,
            data_bits=7 if seven else 8,
            parity="even" if seven else "none",
            connect_timeout_s=self.connect_timeout_s,
        )

    @property
    def is_software(self) -> bool:
        """Whether the parity is made and checked here."""
        return self.parity == "software" or (self.parity is None and bool(self.serial))


class IecDevice(LineSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meter's own settings, besides those of its line.

    Attributes:
        mode: auto, the one that its identification tells; a, b, c; or d: it speaks by itself.
        address: its device address; empty: the only meter on the line.
        baud: the speed to begin with; 300, in mode d 2400.
        baud_max: the highest speed that is agreed to.
        bcc: how blocks are checked: xor, as the standard says, or sum (Energomera).
        password: for points with ``request``, where the meter wants one.
        quick: points with ``request`` are read without a session (Energomera).
        wake_up_s: how long NULs are sent before each request, for meters with a battery.
        reply_timeout_s: how long it may be silent before its answer, and within it.
        readout_s_max: how long a whole dialogue may take.
        pause_s: how long the line must be quiet before a request.
        clock: stamps are the gateway's, or the meter's (0.9.1 and 0.9.2).
        utc_offset_h: by how many hours the meter's clock is ahead of UTC.
    """

    mode: Mode = "auto"
    address: str = ""
    baud: Baud | None = None
    baud_max: Baud = 19_200
    bcc: Bcc = "xor"
    password: str = ""
    quick: bool = False
    wake_up_s: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.0
    reply_timeout_s: Seconds = 2.0
    readout_s_max: Annotated[float, msgspec.Meta(gt=0, le=600)] = 120.0
    pause_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.1
    clock: Clock = "gateway"
    utc_offset_h: Hours | None = None

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        super().__post_init__()
        if not _ADDRESS.fullmatch(self.address):
            raise ValueError("address has at most 32 letters, digits and blanks")
        if not _PASSWORD.fullmatch(self.password):
            raise ValueError("password has at most 32 characters, and no brackets")
        if self.clock == "meter" and self.utc_offset_h is None:
            raise ValueError(
                'clock = "meter" needs utc_offset_h: the meter\'s time names no offset'
            )
        if self.mode == "d" and (self.address or self.password or self.quick or self.wake_up_s):
            raise ValueError(
                'mode "d" speaks by itself: address, password, quick and wake_up_s do not go with '
                "it"
            )

    def endpoint(self) -> Endpoint:
        """Return where its line ends."""
        if self.mode == "d":
            return self.line("iec62056 mode d", self.baud or PUSHED_BAUD)
        return self.line("iec62056", self.begin_baud)

    @property
    def begin_baud(self) -> int:
        """The speed to begin with."""
        return self.baud or BEGIN_BAUD

    def plan(self) -> Plan:
        """Return how it is spoken to."""
        return Plan(
            self.address, self.mode, self.bcc, self.begin_baud, self.baud_max,
            bool(self.serial), self.password, self.quick,
        )  # fmt: skip

    def __repr__(self) -> str:
        """Return where it is; a password is nobody's business."""
        return f"IecDevice(at {self.serial or self.host}, address {self.address!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """Return the same for pretty printing."""
        return [("at", self.serial or self.host)]


class IecPoint(ObisSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which value of a meter a point is, besides its code and how it is written.

    Attributes:
        group: in which pair of brackets behind the code it is, from 1, counted over lines.
        request: the value is asked for by name, such as ``VOLTA()``, rather than in the readout.
        pattern: takes a part of what is in the brackets; a regular expression.
    """

    group: Annotated[int, msgspec.Meta(ge=1, le=200)] = 1
    request: str = ""
    pattern: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        if not self.obis and not self.request:
            raise ValueError(
                'a point needs obis (obis = "1.8.0"), or request (request = "ET0PE()")'
            )
        if self.request:
            split_request(self.request)
        TextField(pattern=self.pattern)

    @property
    def label(self) -> str:
        """What it is called to people."""
        return self.obis or self.request
