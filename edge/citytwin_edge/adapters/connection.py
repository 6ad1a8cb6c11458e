"""Connection: a serial port or a TCP endpoint, opened when needed, anew when lost, never in haste.

It owns no task: everything happens in the coroutine of whoever uses it, so nothing can die
unwatched.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import termios
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from citytwin.adapter import Direction, Site
from citytwin.errors import ConfigError, DeviceSilent

_CLOSE_S_MAX: Final = 0.9
_KEEPALIVE_S: Final = 10
"""A TCP peer that went without a word is missed after about four times this, at the latest."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a line ends: a serial port when ``serial`` names one, else a TCP endpoint.

    Attributes:
        transport: what is spoken there, in the word that the adapter has for it: rtu, tcp, line.
        host, port: of a TCP endpoint.
        serial, baud, data_bits, parity, stop_bits: of a serial port; parity is none, even or odd.
        flow_control: none, rts-cts or xon-xoff.
        rs485: let the port's driver switch the direction of a two-wire line.
        connect_timeout_s: for making the connection.
        retry_s: pause after the first failed connection; grows by as much with each.
        retry_s_max: longest such pause.
    """

    transport: str
    host: str = ""
    port: int = 502
    serial: str = ""
    baud: int = 9600
    data_bits: int = 8
    parity: str = "none"
    stop_bits: int = 1
    flow_control: str = "none"
    rs485: bool = False
    connect_timeout_s: float = field(default=3.0, compare=False)
    retry_s: float = 0.5
    retry_s_max: float = 5.0

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes two devices share a line."""
        return ("serial", self.serial, 0) if self.serial else ("tcp", self.host, self.port)

    @property
    def byte_s(self) -> float:
        """Seconds that a byte takes on a serial line; 0 on a network."""
        if not self.serial:
            return 0.0
        return (1 + self.data_bits + (self.parity != "none") + self.stop_bits) / self.baud

    def settings(self) -> str:
        """Return the transport and its settings, for people."""
        if not self.serial:
            return self.transport
        words = f"{self.transport}, {self.baud} Bd, parity {self.parity}, stop bits "
        words += f"{self.stop_bits}"
        if self.data_bits != 8:
            words += f", data bits {self.data_bits}"
        if self.flow_control != "none":
            words += f", flow control {self.flow_control}"
        return words + (", RS-485" if self.rs485 else "")

    def __str__(self) -> str:
        return self.serial or f"{self.host}:{self.port}"


class Shared(Protocol):
    """What devices with the same endpoint share: a line, a port."""

    endpoint: Endpoint


Line = TypeVar("Line", bound=Shared)


def line_at(endpoint: Endpoint, site: Site, device: str, make: Callable[[], Line]) -> Line:
    """Return the line that ends there, made when nobody has it yet.

    Raises:
        ConfigError: another device than ``device`` uses it with other settings.
    """
    line: Line = site.line(endpoint.key, make)
    if line.endpoint != endpoint:
        raise ConfigError(
            f"device {device} uses {endpoint} as {endpoint.settings()}, another device uses it as "
            f"{line.endpoint.settings()}; one line has one set of settings"
        )
    return line


class _Link(asyncio.Protocol):
    """One connection; a :class:`Connection` outlives many."""

    def __init__(self, owner: Connection) -> None:
        self._owner = owner
        self.transport: Any = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._owner.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        if not self.closed.done():
            self.closed.set_result(None)
        self._owner.parted(self)


class Tap(Protocol):
    """Takes the bytes that go over a line: :meth:`citytwin.adapter.Site.tap`."""

    def __call__(
        self, line: str, direction: Direction, data: bytes, *, device: str = "", note: str = ""
    ) -> None:
        """Show them to whoever looks."""
        ...


def nobody_looks(
    line: str, direction: Direction, data: bytes, *, device: str = "", note: str = ""
) -> None:
    """Show bytes to nobody: a :class:`Tap` for lines outside a gateway."""


class Connection:
    """One endpoint; ``open`` may not be called by two at a time.

    Attributes:
        device: with whom is spoken now, so that whoever looks at the line knows whose the bytes
            are; empty where that cannot be said.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        take: Callable[[bytes], None],
        lost: Callable[[], None],
        tap: Tap = nobody_looks,
    ) -> None:
        """Touch no network.

        Args:
            endpoint: where to.
            take: called with the bytes that come.
            lost: called when the other end has closed, not after ``drop``.
            tap: shown every byte that goes and comes: the site's.
        """
        self.endpoint = endpoint
        self.device = ""
        self._take, self._lost, self._tap = take, lost, tap
        self._name = str(endpoint)
        self._link: _Link | None = None
        self._late: asyncio.Future[Any] | None = None
        self._failures = 0
        self._failed_why = ""
        self._retry_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it is connected, as far as is known."""
        return self._link is not None

    async def open(self) -> None:
        """Connect.

        Raises:
            DeviceSilent: that could not be done, or a short while ago it could not.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            raise DeviceSilent(f"{self.endpoint} is not reachable: {self._failed_why}")
        try:
            async with asyncio.timeout(self.endpoint.connect_timeout_s):
                link = await self._connect()
        except (OSError, ValueError) as error:  # TimeoutError and SerialException are OSErrors
            self._failures += 1
            pause_s = min(self.endpoint.retry_s * self._failures, self.endpoint.retry_s_max)
            self._retry_at = loop.time() + pause_s
            self._failed_why = _why(error)
            raise DeviceSilent(f"{self.endpoint} is not reachable: {self._failed_why}") from None
        self._failures = 0
        self._link = link

    def send(self, data: bytes) -> None:
        """Send bytes; nothing happens where the connection is lost."""
        if self._link is not None:
            self._tap(self._name, Direction.SENT, data, device=self.device)
            self._link.transport.write(data)

    @property
    def unsent(self) -> int:
        """Bytes that a serial port has not sent yet, as far as its driver knows; 0 on a network."""
        if self._link is None or not self.endpoint.serial:
            return 0
        try:
            return int(self._link.transport.serial.out_waiting)
        except OSError:  # it has gone; whoever reads from it is told
            return 0

    def set_speed(self, baud: int) -> None:
        """Change the speed of an open serial port at once; a network has none.

        Raises:
            DeviceSilent: the port cannot do it, or has gone.
        """
        if self._link is None or not self.endpoint.serial:
            return
        port = self._link.transport.serial
        if port.baudrate == baud:
            return
        try:
            port.baudrate = baud
        except (OSError, ValueError, termios.error):
            raise DeviceSilent(f"{self.endpoint} cannot be set to {baud} Bd") from None

    def drop(self) -> None:
        """End the connection at once; the next ``open`` makes another."""
        link, self._link = self._link, None
        if link is not None:
            link.transport.abort()

    async def close(self) -> None:
        """End the connection and wait until its end is free again, within a second."""
        link = self._link
        self.drop()
        ends = [] if link is None else [link.closed]
        if self._late is not None:
            ends.append(self._late)
        if ends:
            await asyncio.wait(ends, timeout=_CLOSE_S_MAX)

    def received(self, link: _Link, data: bytes) -> None:
        """Take bytes from a link (called by it)."""
        if link is self._link:
            self._tap(self._name, Direction.RECEIVED, data, device=self.device)
            self._take(data)

    def parted(self, link: _Link) -> None:
        """Note that a link is lost (called by it)."""
        if link is self._link:
            self._link = None
            self._lost()

    async def _connect(self) -> _Link:
        loop = asyncio.get_running_loop()
        end = self.endpoint
        link = _Link(self)
        if not end.serial:
            await loop.create_connection(lambda: link, end.host, end.port)
            _keep_alive(link.transport.get_extra_info("socket"))
            return link
        await self._open_port(link)
        return link

    async def _open_port(self, link: _Link) -> None:
        from serial_asyncio_fast import connection_for_serial

        loop = asyncio.get_running_loop()
        if self._late is not None:
            await asyncio.wait([self._late])
        # Opening may block: a driver sets the line first.
        opening = loop.run_in_executor(None, _port, self.endpoint)
        try:
            port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread goes on, and what it opens would stay locked until it is collected.
            self._late = opening
            opening.add_done_callback(self._let_go)
            raise
        try:
            link.transport, _ = await connection_for_serial(loop, lambda: link, port)
        except asyncio.CancelledError:
            port.close()
            raise
        except termios.error:
            port.close()
            raise ValueError(f"the port cannot be set to {self.endpoint.settings()}") from None

    def _let_go(self, opening: asyncio.Future[Any]) -> None:
        """Close a port that nobody waits for any more."""
        self._late = None
        if not opening.cancelled() and opening.exception() is None:
            opening.result().close()


def _port(end: Endpoint) -> Any:
    """Open a serial port for us alone (OSError, ValueError)."""
    from serial import Serial
    from serial.rs485 import RS485Settings

    try:
        port = Serial(
            end.serial,
            baudrate=end.baud,
            bytesize=end.data_bits,
            parity=end.parity[0].upper(),
            stopbits=end.stop_bits,
            rtscts=end.flow_control == "rts-cts",
            xonxoff=end.flow_control == "xon-xoff",
            exclusive=True,
        )
    except termios.error:  # no OSError
        raise ValueError(f"the port cannot be set to {end.settings()}") from None
    if end.rs485:
        try:
            # The driver raises RTS while it sends (Linux, serial-rs485.rst).
            port.rs485_mode = RS485Settings()
        except (OSError, ValueError):
            port.close()
            raise ValueError("its driver cannot do RS-485; leave out rs485") from None
    return port


def _keep_alive(end: socket.socket) -> None:
    """Let the kernel find out when a peer has gone without a word: who listens sends nothing."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_S)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _why(error: Exception) -> str:
    """Return why a connection failed, without the address that is named beside it."""
    number = getattr(error, "errno", None)
    if number == errno.EAGAIN:
        return "it is in use, by another program or under another name"
    if number == errno.EACCES:
        return (
            "Permission denied; type sudo before the command; the agent's user must be in the "
            "port's group (dialout)"
        )
    return os.strerror(number) if number else str(error) or "no answer in time"
