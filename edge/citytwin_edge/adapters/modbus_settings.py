"""Modbus settings: what a technician writes about a device and its points, and what it means."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.wire.blocks import Limits
from citytwin_edge.wire.fields import Field, Order, Table, Type

Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]


class ModbusDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device's own settings.

    Attributes:
        transport: ``tcp``, ``rtu`` (serial line) or ``rtu-over-tcp`` (transparent converter); by
            default ``rtu`` with a serial port and ``tcp`` with a host.
        host: name or address of the two TCP transports.
        port: TCP port of that host.
        serial: serial port, of RTU.
        baud: speed of the serial line.
        parity: parity of the serial line; eight data bits.
        stop_bits: stop bits of the serial line.
        unit: unit id; 1 to 247 on RTU, 0 to 255 on TCP.
        one_based: addresses are counted from 1, as in many manuals.
        order: byte order of points that name none.
        gap_registers: registers between two points that may be read along to save a request.
        block_registers: the most registers in one request.
        gap_bits: coils or discrete inputs that may be read along to save a request.
        block_bits: the most coils or discrete inputs in one request.
        reply_timeout_s: how long one answer may take, its transmission not counted. Behind a
            converter a little more than the converter's own time-out, so that an answer meant for
            one unit is never waited for at the cost of the next.
        connect_timeout_s: how long a TCP connection may take.
        write_multiple: write with functions 15 and 16 even a single coil or register.
        scan_units: [first, last] unit id that a scan asks.
    """

    transport: Literal["tcp", "rtu", "rtu-over-tcp"] | None = None
    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 502
    serial: str = ""
    baud: Annotated[int, msgspec.Meta(ge=300, le=4_000_000)] = 9600
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    unit: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    one_based: bool = False
    order: Order = "ABCD"
    gap_registers: Annotated[int, msgspec.Meta(ge=0, le=124)] = 16
    block_registers: Annotated[int, msgspec.Meta(ge=1, le=125)] = 125
    gap_bits: Annotated[int, msgspec.Meta(ge=0, le=1999)] = 256
    block_bits: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 2000
    reply_timeout_s: Seconds = 0.5
    connect_timeout_s: Seconds = 3.0
    write_multiple: bool = False
    scan_units: Annotated[tuple[int, ...], msgspec.Meta(min_length=2, max_length=2)] = (1, 247)

    def __post_init__(self) -> None:
        """Refuse settings that do not fit the transport (ValueError)."""
        if not (self.host or self.serial):
            raise ValueError(
                "needs host, a name or address, or serial, a port: where the device is"
            )
        if self.line == "rtu":
            if not self.serial:
                raise ValueError('transport "rtu" needs serial, the port: serial = "/dev/ttyUSB0"')
            if self.host:
                raise ValueError(
                    "a serial line has no host; a converter in the network has no serial: leave "
                    "one of them out"
                )
        elif self.serial:
            raise ValueError('serial belongs to transport "rtu" only')
        if not 0 <= self.scan_units[0] <= self.scan_units[-1] <= 255:
            raise ValueError("scan_units is a list [first, last] of unit ids, 0 to 255")
        if self.line != "tcp" and not 1 <= self.unit <= 247:
            raise ValueError(f"unit {self.unit} is outside 1 to 247, the unit ids of RTU")

    @property
    def line(self) -> Literal["tcp", "rtu", "rtu-over-tcp"]:
        """What carries the frames."""
        return self.transport or ("rtu" if self.serial else "tcp")

    def endpoint(self) -> Endpoint:
        """Return where its line ends."""
        if self.line == "rtu":
            return Endpoint(
                "rtu",
                serial=self.serial,
                baud=self.baud,
                parity=self.parity,
                stop_bits=self.stop_bits,
                connect_timeout_s=self.connect_timeout_s,
            )
        return Endpoint(
            self.line,
            host=self.host,
            port=self.port,
            connect_timeout_s=self.connect_timeout_s,
        )

    def limits(self) -> Limits:
        """Return what one request may span."""
        return Limits(self.gap_registers, self.block_registers, self.gap_bits, self.block_bits)


class ModbusPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a device keeps a point.

    Attributes:
        table: coil, discrete, holding or input.
        address: first bit or register; see ``one_based`` of the device.
        type: how the number is written; bool by default in bit tables, uint16 in registers.
        order: byte order; the device's if empty.
        length: registers of a string.
        bits: [lowest, highest] bit that counts, or [bit].
        digits: how many of a BCD number's digits count, from the lowest.
        sentinel: raw numbers that mean "no value".
    """

    table: Literal["coil", "discrete", "holding", "input"]
    address: Annotated[int, msgspec.Meta(ge=0, le=65536)]
    type: Type | None = None
    order: Order | None = None
    length: Annotated[int, msgspec.Meta(ge=0)] = 0
    bits: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    digits: Annotated[int, msgspec.Meta(ge=0)] = 0
    sentinel: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        self.field(order="ABCD", one_based=self.address > 65535)

    def field(self, *, order: str, one_based: bool) -> Field:
        """Return the field, with what the device gives to all its points."""
        table = Table(self.table)
        return Field(
            table,
            self.address - one_based,
            self.type or ("bool" if table.of_bits else "uint16"),
            order=self.order or order,
            length=self.length,
            bits=(self.bits[0], self.bits[-1]) if self.bits else None,
            digits=self.digits,
            sentinel=self.sentinel,
        )
