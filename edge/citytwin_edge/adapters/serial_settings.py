"""Serial settings: what a technician writes about an instrument and its points, and what it means.

docs/guides/serial.md explains each of them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec

from citytwin_edge.adapters.connection import Endpoint
from citytwin_edge.adapters.places import (
    Count,
    Decimal,
    Hours,
    PlaceSettings,
    Separator,
    ValueSettings,
)
from citytwin_edge.adapters.serial_framing import ChecksumSettings, FrameSettings, LineSettings
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.fields import Order
from citytwin_edge.wire.frames import FrameCutter, FrameLayout
from citytwin_edge.wire.lines import LineCutter, LineLayout
from citytwin_edge.wire.messages import Cutter
from citytwin_edge.wire.stamps import AUTO, Stamp
from citytwin_edge.wire.templates import Template

_ANY: Final = r"\?"
_MARK_PARTS: Final = re.compile(r"\\\?|(?:\\(?!\?).?|[^\\])+", re.DOTALL)
Seconds = Annotated[float, msgspec.Meta(gt=0, le=60)]


class WakeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an instrument is told before it is asked: first of all, and again after a failure.

    Attributes:
        send: the bytes.
        answer: bytes that mean that it is ready, anywhere in what comes; without it, sending is
            all.
        attempts: how often it is tried before the instrument counts as silent.
        timeout_s: how long each may take.
        settle_s: how long it is then left alone before it is asked.
    """

    send: str
    answer: str = ""
    attempts: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    timeout_s: Seconds = 1.0
    settle_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0


class Condition(PlaceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a message must say of a point's value for it to count: a status, an "A" for "active".

    Attributes:
        equals: of these, what is there must be one; a place that the message does not have is "".
        not_equals: of these, it must be none.
    """

    equals: tuple[str | int, ...] = ()
    not_equals: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot hold (ValueError)."""
        super().__post_init__()
        wanted: type = str if self.at is None or self.type == "string" else int
        if (self.type or "uint8").startswith(("float", "bcd")):
            raise ValueError("a condition is about a text, or a whole number in bytes")
        if bool(self.equals) == bool(self.not_equals):
            raise ValueError("a condition has either equals or not_equals")
        if not all(isinstance(one, wanted) for one in (*self.equals, *self.not_equals)):
            kind = "texts" if wanted is str else "whole numbers"
            raise ValueError(f"equals and not_equals have {kind} here, as what is at that place")


Conditions = Annotated[tuple[Condition, ...], msgspec.Meta(max_length=8)]


class TimeSettings(PlaceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an instrument says what time it is.

    Attributes:
        format: how it is written: ``auto``, or as in strptime; see
            :class:`citytwin_edge.wire.stamps.Stamp`.
        utc_offset_h: by how many hours the clock is ahead of UTC, for times that name no offset.
        match: bytes by which the messages that have it are known; the device's when left out.
        match_at: where these bytes stand, from 0.
        only_when: what the message must say for its time to be believed.
    """

    format: str = AUTO
    utc_offset_h: Hours | None = None
    match: str | None = None
    match_at: Count | None = None
    only_when: Conditions = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        self.stamp()

    def stamp(self) -> Stamp:
        """Return how the time is written."""
        return Stamp(self.format, self.utc_offset_h)


class SerialPoint(ValueSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a point is in an instrument's messages, and how it is asked for and commanded.

    Attributes:
        match: bytes by which the messages that have it are known; the device's when left out.
        match_at: where these bytes stand, from 0.
        only_when: what the message must say for the value to count; else there is none.
        clock: the value is by how many seconds the instrument's clock is ahead of the gateway's.
        request: what is sent to have this point; the device's by default.
        command: what is sent to set it, with ``{value}`` or ``{word}``.
        command_answer: bytes by which the instrument says yes.
        command_refusal: bytes by which the instrument says no.
    """

    match: str | None = None
    match_at: Count | None = None
    only_when: Conditions = ()
    clock: bool = False
    request: str = ""
    command: str = ""
    command_answer: str = ""
    command_refusal: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not fit together (ValueError)."""
        super().__post_init__()
        if self.clock and (self.command or self.has_place):
            raise ValueError("clock has no place of its own: it is the device's time")
        if not self.command and (self.command_answer or self.command_refusal):
            raise ValueError("command_answer and command_refusal go with command")
        if self.command_refusal and not self.command_answer:
            raise ValueError("command_refusal goes with command_answer")


class SerialDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instrument's own settings.

    Attributes:
        serial: its port; or ``host`` and ``port``.
        host: a serial server that passes bytes on.
        port: TCP port of that serial server.
        baud: speed of the serial port.
        data_bits: data bits of the serial port.
        parity: parity of the serial port.
        stop_bits: stop bits of the serial port.
        flow_control: how the port holds the other end back.
        rs485: let the port's driver switch the direction of a two-wire line.
        mode: it speaks by itself (listening), or when it is asked (polled).
        address: what ``{address}`` stands for in requests, commands and ``match``.
        line: how its lines are told apart.
        frame: how its frames are told apart, where it sends bytes and not lines.
        checksum: by what a disturbed message is known.
        time: where it says what time it is.
        encoding: of text.
        separator: between the columns of a line.
        decimal: decimal point or comma.
        order: byte order of numbers in frames.
        match: bytes by which its messages are known.
        match_at: where these bytes stand, from 0.
        request: what is sent to have all points that name no other.
        wake: what it is told before it is asked.
        reply_timeout_s: how long it may be silent before its answer, and within a message.
        pause_s: how long the line must be quiet before a request.
        echo: what is sent comes back before the answer.
        connect_timeout_s: how long making the connection may take.
    """

    serial: str = ""
    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 4001
    baud: Annotated[int, msgspec.Meta(ge=50, le=4_000_000)] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    flow_control: Literal["none", "rts-cts", "xon-xoff"] = "none"
    rs485: bool = False
    mode: Literal["listening", "polled"] = "listening"
    address: int | str = ""
    line: LineSettings | None = None
    frame: FrameSettings | None = None
    checksum: ChecksumSettings | None = None
    time: TimeSettings | None = None
    encoding: Literal["ascii", "latin-1", "utf-8", "cp1251", "cp866", "koi8-r"] = "latin-1"
    separator: Separator = ","
    decimal: Decimal = "."
    order: Order = "ABCD"
    match: str = ""
    match_at: Count = 0
    request: str = ""
    wake: WakeSettings | None = None
    reply_timeout_s: Seconds = 1.0
    pause_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0
    echo: bool = False
    connect_timeout_s: Seconds = 3.0

    def __post_init__(self) -> None:
        """Refuse settings that do not fit together (ValueError)."""
        if bool(self.serial) == bool(self.host):
            raise ValueError(
                'an instrument needs either serial, its port (serial = "/dev/ttyUSB0"), or host '
                "and port of a serial server"
            )
        if self.line is not None and self.frame is not None:
            raise ValueError("line and frame exclude each other: its messages are one or the other")
        if self.mode == "listening" and (self.request or self.echo or self.wake):
            raise ValueError('request, wake and echo go with mode = "polled"')
        if self.host and (self.rs485 or self.flow_control != "none"):
            raise ValueError("rs485 and flow_control belong to a serial port of this machine")
        self.cutter()
        with named("match"):
            self.mark(self.match)
        with named("request"):
            self.bytes_of(self.request)
        if self.wake is not None:
            with named("wake"):
                self.bytes_of(self.wake.send)
                self.bytes_of(self.wake.answer)
        if self.time is not None and self.time.at is not None and self.frame is None:
            raise ValueError("time: at is a place in a frame, but there is no frame")

    def endpoint(self) -> Endpoint:
        """Return where its line ends."""
        if self.host:
            return Endpoint(
                self.mode,
                host=self.host,
                port=self.port,
                connect_timeout_s=self.connect_timeout_s,
            )
        return Endpoint(
            self.mode,
            serial=self.serial,
            baud=self.baud,
            data_bits=self.data_bits,
            parity=self.parity,
            stop_bits=self.stop_bits,
            flow_control=self.flow_control,
            rs485=self.rs485,
            connect_timeout_s=self.connect_timeout_s,
        )

    def template(self, text: str) -> Template:
        """Return a template as this instrument understands it (ValueError)."""
        return Template(
            text, encoding=self.encoding, order=self.order, checksum=self.checksum_of_messages()
        )

    def bytes_of(self, text: str) -> bytes:
        """Return the bytes of a template without a value (ValueError)."""
        template = self.template(text)
        for name in ("value", "word"):
            if template.has(name):
                raise ValueError(f"{text!r}: {{{name}}} is for commands only")
        return template.render(address=self.address)

    def mark(self, text: str) -> re.Pattern[bytes]:
        """Return what ``match`` stands for; in it, ``\\?`` is any one byte (ValueError)."""
        parts = _MARK_PARTS.findall(text)
        known = [b"." if part == _ANY else re.escape(self.bytes_of(part)) for part in parts]
        return re.compile(b"".join(known), re.DOTALL)

    def checksum_of_messages(self) -> Checksum | None:
        """Return how messages are guarded."""
        one = self.checksum
        if one is None:
            return None
        return Checksum(
            one.kind,
            one.order,
            one.first,
            _plain("mark", one.mark),
            in_text=self.frame is None,
            after_end=one.after_end,
            crc=one.crc(),
        )

    def frame_layout(self) -> FrameLayout | None:
        """Return how its frames are told apart; None where it sends lines (ValueError)."""
        one = self.frame
        if one is None:
            return None
        return FrameLayout(
            start=_plain("start", one.start),
            end=_plain("end", one.end),
            length=one.length,
            length_at=one.length_at,
            length_bytes=one.length_bytes,
            length_order=one.length_order,
            length_adds=one.length_adds,
            escape=_plain("escape", one.escape),
            escape_xor=one.escape_xor,
            checksum=self.checksum_of_messages(),
            length_max=one.length_max,
        )

    def cutter(self, *, midway: bool = False) -> Cutter:
        """Return a new cutter of its messages; ``midway``: it may be speaking already."""
        layout = self.frame_layout()
        if layout is not None:
            return FrameCutter(layout)
        if self.checksum is not None and self.checksum.after_end:
            raise ValueError("after_end goes with frame: a line's checksum stands before its end")
        one = self.line or LineSettings()
        checksum = self.checksum_of_messages()
        lines = LineLayout(
            _plain("terminator", one.terminator),
            _plain("start", one.start),
            checksum,
            one.length_max,
        )
        return LineCutter(lines, midway=midway)


def _plain(name: str, text: str) -> bytes:
    """Return the bytes of a field's text, which may have escapes (ValueError)."""
    with named(name):
        return Template(text).render()


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of a field before what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
