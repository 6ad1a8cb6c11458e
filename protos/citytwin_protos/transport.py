"""Transport: how frames travel over gRPC, with mutual TLS; both ends use this and nothing else.

A *line* is anything with ``send``, ``receive`` and ``close``; ``citytwin.testing.NullLine`` is one
in process. Frames pass gRPC as plain bytes, so that a malformed one reaches the session.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import grpc
import grpc.aio

from citytwin.errors import LineClosed

SERVER_NAME: Final = "citytwin-hub"
"""The name in the hub's certificate; what the gateway expects whatever address it dialled."""
FRAME_BYTES_MAX: Final = (1 << 20) + 8192
SEND_S_MAX: Final = 30.0
"""A peer that takes no frame for so long is gone."""
EXCHANGE: Final = "/citytwin.v1.Link/Exchange"

OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    # The session has its own heartbeat; the channel's is for NAT boxes between.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Reconnecting is the uplink's business: one try for each line.
    ("grpc.enable_retries", 0),
]
CHANNEL_OPTIONS: Final[list[tuple[str, Any]]] = [
    *OPTIONS,
    ("grpc.ssl_target_name_override", SERVER_NAME),
    ("grpc.default_authority", SERVER_NAME),
]


class Line(Protocol):
    """Whole frames, in order, both ways. ``send`` and ``receive`` may run side by side."""

    async def send(self, frame: bytes) -> None:
        """Hand over one frame; waits while the line is full. Raises LineClosed."""

    async def receive(self) -> bytes:
        """Return the next frame. Raises LineClosed."""

    async def close(self) -> None:
        """Close; whoever waits gets LineClosed. May be repeated; never raises."""


class ClientLine:
    """The gateway's end of a stream."""

    def __init__(self, channel: grpc.aio.Channel, call: Any) -> None:
        """Use :func:`open_exchange`."""
        self._channel = channel
        self._call = call

    async def send(self, frame: bytes) -> None:
        """Hand over one frame; see :class:`Line`."""
        try:
            async with asyncio.timeout(SEND_S_MAX):
                await self._call.write(frame)
        except TimeoutError:
            raise LineClosed(f"the hub took no frame for {SEND_S_MAX:g} s") from None
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError) as error:
            raise LineClosed(await self._why(error)) from None

    async def receive(self) -> bytes:
        """Return the next frame; see :class:`Line`."""
        try:
            frame = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise LineClosed(await self._why(error)) from None
        except asyncio.CancelledError:
            if self._call.cancelled():
                raise LineClosed("the line was closed") from None
            raise
        if frame is grpc.aio.EOF:
            raise LineClosed("the hub closed the line")
        return bytes(frame)

    async def close(self) -> None:
        """Close; see :class:`Line`."""
        self._call.cancel()
        await self._channel.close()

    async def _why(self, error: BaseException) -> str:
        if isinstance(error, grpc.aio.AioRpcError):
            return f"{error.code().name.lower().replace('_', ' ')}: {error.details()}"
        return str(error) or "the line is closed"


async def open_exchange(
    address: str, *, key: bytes, certificate: bytes, authority: bytes, timeout_s: float = 10.0
) -> ClientLine:
    """Return a line to the hub at ``host:port``, proven by both certificates (PEM).

    Raises:
        LineClosed: the hub cannot be reached in time, or one side refuses the other.
    """
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    channel = grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
    try:
        async with asyncio.timeout(timeout_s):
            await channel.channel_ready()
    except TimeoutError:
        await channel.close()
        raise LineClosed(
            f"{address} did not answer as the hub within {timeout_s:g} s: it is off, the address "
            "is wrong, or one side refuses the other's certificate"
        ) from None
    except BaseException:
        await channel.close()
        raise
    method: Any = channel.stream_stream(EXCHANGE)
    return ClientLine(channel, method())


class ServerLine:
    """The hub's end of a stream; lives inside the call's handler."""

    def __init__(self, context: Any) -> None:
        """Wrap the context of one call."""
        self._context = context
        self._closed = asyncio.Event()

    async def send(self, frame: bytes) -> None:
        """Hand over one frame; see :class:`Line`."""
        if self._closed.is_set():
            raise LineClosed("the line was closed")
        try:
            async with asyncio.timeout(SEND_S_MAX):
                await self._context.write(frame)
        except TimeoutError:
            raise LineClosed(f"the gateway took no frame for {SEND_S_MAX:g} s") from None
        except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError) as error:
            raise LineClosed(str(error) or "the gateway is gone") from None

    async def receive(self) -> bytes:
        """Return the next frame; see :class:`Line`."""
        reading = asyncio.ensure_future(self._context.read())
        closing = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise LineClosed("the line was closed")
            frame = reading.result()
        except (grpc.RpcError, grpc.aio.UsageError, grpc.aio.InternalError) as error:
            raise LineClosed(str(error) or "the gateway is gone") from None
        finally:
            closing.cancel()
            if not reading.done():
                reading.cancel()
        if frame is grpc.aio.EOF:
            raise LineClosed("the gateway closed the line")
        return bytes(frame)

    async def close(self) -> None:
        """Close; see :class:`Line`. The call ends when its handler returns."""
        self._closed.set()


def exchange_handler(serve: Callable[[ServerLine, Any], Awaitable[None]]) -> Any:
    """Return the generic handler of Link; ``serve(line, context)`` runs for each gateway's call."""

    async def exchange(_requests: Any, context: Any) -> None:
        line = ServerLine(context)
        with contextlib.suppress(LineClosed):
            await serve(line, context)

    handler: Any = grpc.stream_stream_rpc_method_handler(exchange)
    service, method = EXCHANGE.strip("/").split("/")
    return grpc.method_handlers_generic_handler(service, {method: handler})
