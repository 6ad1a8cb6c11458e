"""DLMS settings: what a technician writes about a meter that pushes DLMS messages.

docs/guides/dlms.md explains each of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec

from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.iec62056_settings import Baud, Clock, Seconds
from citytwin_edge.adapters.meter_values import ObisSettings
from citytwin_edge.adapters.p1_settings import HexKey, keys_of
from citytwin_edge.adapters.places import Hours
from citytwin_edge.wire.dlms import Keys
from citytwin_edge.wire.dlms_cutters import MbusCutter, WrapperCutter
from citytwin_edge.wire.hdlc import HdlcCutter
from citytwin_edge.wire.messages import Cutter
from citytwin_edge.wire.obis import Code

Framing = Literal["hdlc", "wrapper", "mbus"]
CUTTERS: Final[dict[str, Callable[[], Cutter]]] = {
    "hdlc": HdlcCutter, "wrapper": WrapperCutter, "mbus": MbusCutter,
}  # fmt: skip
PUSH_PORT: Final = 4059
"""The port of DLMS on TCP and UDP (IEC 62056-47)."""
TITLE_HEX: Final = "^([0-9A-Fa-f]{16})?$"


class DlmsDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A meter's own settings.

    Attributes:
        serial: the port at which it is heard; or ``host`` and ``port``, or ``listen``.
        host: a serial server or radio gateway to connect to.
        port: TCP or UDP port of ``host`` or of ``bind``.
        listen: wait for meters that connect (tcp) or send (udp) to ``bind`` and ``port``.
        bind: the address of this machine to wait at; 0.0.0.0 for all that it has.
        peer: the IP address from which this meter is heard, where several share a port.
        system_title: 16 hexadecimal digits by which its ciphered messages are known, or else left
            alone.
        framing: hdlc, mbus (M-Bus frames of Austria), or wrapper (TCP and UDP); wrapper with
            ``listen``, else hdlc.
        baud: speed of the serial port.
        parity: parity of the serial port; eight data bits.
        stop_bits: stop bits of the serial port.
        key: the global unicast key that opens its messages; 32 hexadecimal digits.
        authentication_key: what checks who sent them; 32 hexadecimal digits.
        clock: whose clock stamps the samples.
        utc_offset_h: by how many hours the meter's clock is ahead of UTC in winter; needed where
            its times name no offset.
        reply_timeout_s: a message that pauses for longer is given up.
        connect_timeout_s: how long making the connection may take.
    """

    serial: str = ""
    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = PUSH_PORT
    listen: Literal["", "tcp", "udp"] = ""
    bind: str = ""
    peer: str = ""
    system_title: Annotated[str, msgspec.Meta(pattern=TITLE_HEX)] = ""
    framing: Framing | None = None
    baud: Baud = 2400
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    key: HexKey = ""
    authentication_key: HexKey = ""
    clock: Clock = "gateway"
    utc_offset_h: Hours | None = None
    reply_timeout_s: Seconds = 2.0
    connect_timeout_s: Seconds = 3.0

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        if sum(map(bool, (self.serial, self.host, self.listen))) != 1:
            raise ValueError(
                'a meter needs one of serial, its port (serial = "/dev/ttyUSB0"), host and port of '
                'a serial server, or listen = "tcp" or "udp"'
            )
        if self.listen and self.cutter_name != "wrapper":
            raise ValueError('listen goes with framing = "wrapper", which TCP and UDP have')
        if self.serial and self.cutter_name == "wrapper":
            raise ValueError('a serial port has framing = "hdlc" or "mbus"')
        if bool(self.listen) != bool(self.bind) or (self.peer and not self.listen):
            raise ValueError(
                'listen needs bind, the address of this machine to wait at ("0.0.0.0": all that '
                "it has); bind and peer go with listen only"
            )
        for name in ("bind", "peer"):
            address = getattr(self, name)
            try:
                ipaddress.ip_address(address or "::")
            except ValueError:
                raise ValueError(f"{name} {address!r} must be an IP address") from None
        self.keys()

    @property
    def cutter_name(self) -> str:
        """How messages are framed."""
        return self.framing or ("wrapper" if self.listen else "hdlc")

    def cutter(self) -> Cutter:
        """Return a new cutter of its messages."""
        return CUTTERS[self.cutter_name]()

    def keys(self) -> Keys:
        """Return what opens its messages (ValueError)."""
        return keys_of(self.key, self.authentication_key)

    def endpoint(self) -> Endpoint:
        """Return where its line ends; not for ``listen``."""
        if self.host:
            return Endpoint(
                "dlms", host=self.host, port=self.port, connect_timeout_s=self.connect_timeout_s
            )
        return Endpoint(
            "dlms",
            serial=self.serial,
            baud=self.baud,
            parity=self.parity,
            stop_bits=self.stop_bits,
            connect_timeout_s=self.connect_timeout_s,
        )

    @property
    def where(self) -> str:
        """Where it is heard, for people."""
        if not self.listen:
            return str(self.endpoint())
        return f"{self.listen} {self.bind}:{self.port}"

    def __repr__(self) -> str:
        """Return where it is; keys are nobody's business."""
        return f"DlmsDevice(at {self.where})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """Return the same for pretty printing."""
        return [("at", self.where)]


class DlmsPoint(ObisSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which value of a pushed message a point is, by its code or by its place.

    Attributes:
        index: its place in a list without codes, from 1; 0: it is found by its code.
        of: how many elements such a list has; empty: any number.
    """

    index: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 0
    of: tuple[Annotated[int, msgspec.Meta(ge=1, le=4096)], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        if bool(self.obis) == bool(self.index):
            raise ValueError(
                'a point needs obis, its code (obis = "1-0:1.8.0"), or index, its place in a list '
                "without codes"
            )
        if self.obis and not isinstance(self.name, Code):
            raise ValueError(f'obis {self.obis!r} is not an OBIS code such as "1-0:1.8.0"')
        if self.of and not self.index:
            raise ValueError("of goes with index")
        if self.of and max(self.of) < self.index:
            raise ValueError(f"index {self.index} is in no list of {max(self.of)} elements")
