"""Transport: how frames travel over gRPC, with mutual TLS; both ends use this and nothing else.

A *line* is anything with ``send``, ``receive`` and ``close``; ``citytwin.testing.NullLine`` is one
in process. Frames pass gRPC as plain bytes, so that a malformed one reaches the session.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

import grpc
import grpc.aio

from citytwin.errors import LineClosed, TooLargeError

SERVER_NAME: Final = "citytwin-hub"
"""The name in the hub's certificate; what the gateway expects whatever address it dialled."""
FRAME_BYTES_MAX: Final = (1 << 20) + 8192
"""A little more than a session allows, so that it is the session that refuses."""
SEND_S_MAX: Final = 30.0
"""A peer that takes no frame for so long is gone."""
OVERTAKEN_S_MAX: Final = 5.0
"""What is read or written when a call ends is answered at once; seldom gRPC forgets to."""
CLOSE_S_MAX: Final = 0.3
"""How long a closing gateway waits for its last words to arrive."""
HANG_UP_S_MAX: Final = 2.0
"""How long a hub that closes waits for the gateway, which may be slow, to hear its last words."""
WINDOW_BYTES: Final = 256 * 1024
"""What one line may hold unread; frames beyond wait at their sender."""
OVERTAKEN: Final = "gRPC never said whether it took the last frame"
EXCHANGE: Final = "/citytwin.v1.Link/Exchange"

OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    # Without this the window grows with the speed of the line, to many megabytes.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
    # The session has its own heartbeat; these pings end calls that nobody serves any more.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # Reconnecting is the uplink's business: one try for each line.
    ("grpc.enable_retries", 0),
]
CHANNEL_OPTIONS: Final[list[tuple[str, Any]]] = [
    *OPTIONS,
    ("grpc.ssl_target_name_override", SERVER_NAME),
    ("grpc.default_authority", SERVER_NAME),
]

_GRPC_ERRORS: Final = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)


class Line(Protocol):
    """Whole frames, in order, both ways. ``send`` and ``receive`` may run side by side.

    A ``receive`` that is cancelled loses no frame; the frame of a ``send`` that is cancelled may
    still be sent.
    """

    async def send(self, frame: bytes) -> None:
        """Hand over one frame; waits while the line is full. Raises LineClosed."""
        ...

    async def receive(self) -> bytes:
        """Return the next frame. Raises LineClosed."""
        ...

    async def close(self) -> None:
        """Close; whoever waits gets LineClosed. May be repeated; never raises."""
        ...


class _GrpcLine:
    """What both ends of a stream have in common.

    gRPC ends a call when one of its reads or writes is cancelled. So each runs as a task of its
    own, which outlives the ``receive`` or ``send`` that waits for it.
    """

    _peer = "the peer"

    def __init__(
        self,
        read: Callable[[], Coroutine[Any, Any, Any]],
        write: Callable[[bytes], Coroutine[Any, Any, None]],
    ) -> None:
        self._read, self._write = read, write
        self._reading: asyncio.Task[Any] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[str] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()

    def _end(self, _call: Any = None) -> None:
        """Note that the call has ended (called by gRPC); what was said last may still be read."""
        if not self._ended.done():
            self._ended.set_result(None)

    async def send(self, frame: bytes) -> None:
        """Hand over one frame; see :class:`Line`. Raises TooLargeError, which ends nothing."""
        if len(frame) > FRAME_BYTES_MAX:
            raise TooLargeError(f"a frame has at most {FRAME_BYTES_MAX} bytes, not {len(frame)}")
        async with self._turn:
            if self._writing is not None:  # of a send that was cancelled
                await self._written(self._writing)
            self._refuse_if_over()
            self._writing = asyncio.ensure_future(self._write(frame))
            await self._written(self._writing)

    async def receive(self) -> bytes:
        """Return the next frame; see :class:`Line`."""
        self._refuse_if_over()
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        reading = self._reading
        await self._done_or_over(reading, None)
        if not reading.done():
            raise self._lost(f"{self._peer} closed the line without a word")
        self._reading = None
        frame = self._result(reading)
        if frame is grpc.aio.EOF:
            raise self._lost(f"{self._peer} closed the line")
        return bytes(frame)

    async def _written(self, writing: asyncio.Task[None]) -> None:
        await self._done_or_over(writing, SEND_S_MAX)
        if writing.done():
            self._writing = None
            # It is for the receiving side to end the line, when it has heard the last words.
            self._result(writing, ends=False)
            return
        self._refuse_if_over()
        if self._ended.done():
            raise LineClosed(f"{self._peer} closed the line, and {OVERTAKEN}")
        raise self._lost(f"{self._peer} took no frame for {SEND_S_MAX:g} s")

    async def _done_or_over(self, task: asyncio.Task[Any], timeout_s: float | None) -> None:
        """Wait for what gRPC answers, or for the end of the line."""
        ends: tuple[asyncio.Future[Any], ...] = (task, self._over)
        await asyncio.wait(
            (*ends, self._ended), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if self._ended.done():
            await asyncio.wait(ends, timeout=OVERTAKEN_S_MAX, return_when=asyncio.FIRST_COMPLETED)

    def _result(self, done: asyncio.Task[Any], *, ends: bool = True) -> Any:
        """Return what gRPC answered, or raise its error as LineClosed, which ``ends`` the line."""
        if done.cancelled():
            why = f"{self._peer} broke off"
        else:
            error = done.exception()
            if error is None:
                return done.result()
            if isinstance(error, grpc.aio.AioRpcError):
                said = f"{error.code().name.lower().replace('_', ' ')}: {error.details()}"
                why = f"{self._peer} is lost ({said})"
            elif isinstance(error, _GRPC_ERRORS):
                why = f"{self._peer} is lost ({str(error) or type(error).__name__})"
            else:
                raise error
        raise self._lost(why) if ends or self._over.done() else LineClosed(why)

    def _refuse_if_over(self) -> None:
        if self._over.done():
            raise LineClosed(self._over.result())

    def _lost(self, why: str) -> LineClosed:
        """End the line for whoever else waits at it; the first reason is the one that counts."""
        if not self._over.done():
            self._over.set_result(why)
        return LineClosed(self._over.result())

    async def _drop(self) -> None:
        """End the tasks that nobody waits for any more."""
        tasks = [task for task in (self._reading, self._writing) if task is not None]
        self._reading = self._writing = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class ClientLine(_GrpcLine):
    """The gateway's end of a stream."""

    _peer = "the hub"

    def __init__(self, channel: grpc.aio.Channel | None, call: Any) -> None:
        """Wrap a call, and the channel that is closed with it; see :func:`open_exchange`."""
        super().__init__(call.read, call.write)
        self._channel = channel
        self._call = call
        call.add_done_callback(self._end)

    async def close(self) -> None:
        """Close; see :class:`Line`. What was sent before arrives unless the hub takes nothing."""
        self._lost("the line was closed")
        try:
            if self._writing is None:
                with contextlib.suppress(*_GRPC_ERRORS, TimeoutError):
                    async with asyncio.timeout(CLOSE_S_MAX):
                        await self._call.done_writing()
                        await self._call.code()
        finally:
            self._call.cancel()
            await self._drop()
            if self._channel is not None:
                await self._channel.close()


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
    return ClientLine(channel, exchange_on(channel))


def exchange_on(channel: grpc.aio.Channel) -> Any:
    """Return a call of Link on a channel, for a ClientLine; frames are plain bytes."""
    return channel.stream_stream(EXCHANGE)()


class ServerLine(_GrpcLine):
    """The hub's end of a stream; lives inside the call's handler."""

    _peer = "the gateway"

    def __init__(self, context: Any) -> None:
        """Wrap the context of one call."""
        super().__init__(context.read, context.write)

    async def close(self) -> None:
        """Close; see :class:`Line`. The call ends when its handler returns."""
        self._lost("the line was closed")

    async def _hung_up(self) -> None:
        """Wait until the gateway hangs up, as it does when it has heard the last words.

        A call that ends takes along what its client has not read yet.
        """
        with contextlib.suppress(*_GRPC_ERRORS, TimeoutError):
            async with asyncio.timeout(HANG_UP_S_MAX):
                reading = self._reading
                while await (reading or self._read()) is not grpc.aio.EOF:
                    reading = None


def exchange_handler(serve: Callable[[ServerLine, Any], Awaitable[None]]) -> Any:
    """Return the generic handler of Link; ``serve(line, context)`` runs for each gateway's call.

    The call ends when ``serve`` returns, after what was sent has been taken. A call that is left
    while its gateway takes nothing stays with gRPC until the pings find nobody.
    """

    async def exchange(_requests: Any, context: Any) -> None:
        line = ServerLine(context)
        try:
            with contextlib.suppress(LineClosed):
                await serve(line, context)
        finally:
            await line.close()
            await line._hung_up()
            await line._drop()  # its other half

    handler: Any = grpc.stream_stream_rpc_method_handler(exchange)
    service, method = EXCHANGE.strip("/").split("/")
    return grpc.method_handlers_generic_handler(service, {method: handler})
