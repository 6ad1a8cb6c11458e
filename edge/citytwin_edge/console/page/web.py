"""HTTP/1.1 for a few telephones: one request a connection, over h11, which does no I/O itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import h11
import msgspec

from citytwin_edge.console.hanging import while_there

HEAD_BYTES_MAX: Final = 8192
BODY_BYTES_MAX: Final = 4096
REQUEST_S_MAX: Final = 10.0
SEND_S_MAX: Final = 30.0
BEAT_S: Final = 15.0
"""A stream says so often that it is alive; a telephone that has gone is noticed by then."""
_ALWAYS: Final = (
    ("content-security-policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
     "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("connection", "close"),
)  # fmt: skip


class Refusal(Exception):
    """A request that is not answered with what it asks for: a status and a sentence."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        """Say why."""
        super().__init__(words)
        self.status = status


class Request(NamedTuple):
    """One request; names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str

    def cookie(self, name: str) -> str:
        """Return a cookie; empty when there is none."""
        for part in self.headers.get("cookie", "").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
        return ""

    def json(self) -> dict[str, Any]:
        """Return the body as an object.

        Raises:
            Refusal: it is none.
        """
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body is no JSON object") from None


class Response(NamedTuple):
    """One response: a body, or items that are sent as events (server-sent events, HTML 9.2)."""

    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    events: AsyncGenerator[Any, None] | None = None
    status: HTTPStatus = HTTPStatus.OK


Handler = Callable[[Request], Awaitable[Response]]


def as_json(value: Any, *headers: tuple[str, str]) -> Response:
    """Return a value as a response; numbers that are none become null."""
    return Response(msgspec.json.encode(value), headers=headers)


async def serve(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one request. OSError: whoever asked has gone or takes nothing."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
    try:
        async with asyncio.timeout(REQUEST_S_MAX):
            request = await _request(connection, reader, writer)
        response = await handler(request)
    except h11.RemoteProtocolError as error:
        status = HTTPStatus(error.error_status_hint)
        response = _refused(Refusal(status, "that is no request that this page knows"))
    except Refusal as refusal:
        response = _refused(refusal)
    await while_there(reader, _respond(connection, response, writer))


def _refused(refusal: Refusal) -> Response:
    return as_json({"error": str(refusal)})._replace(status=refusal.status)


async def _request(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request:
    head, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(HEAD_BYTES_MAX)
            if not data and head is None:
                raise ConnectionResetError("it hung up before it asked")
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_BYTES_MAX:
                raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is too long")
        elif head is not None and isinstance(event, h11.EndOfMessage):
            break
        else:
            raise ConnectionResetError("it hung up in the middle")
    target = urlsplit(head.target.decode("latin-1"))
    return Request(
        head.method.decode("ascii"),
        target.path,
        dict(parse_qsl(target.query)),
        {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers},
        body,
        str((writer.get_extra_info("peername") or ("?",))[0]),
    )


async def _respond(
    connection: h11.Connection, response: Response, writer: asyncio.StreamWriter
) -> None:
    kind = "text/event-stream" if response.events is not None else response.kind
    headers = [("content-type", kind), *_ALWAYS, *response.headers]
    if response.events is None:
        headers.append(("content-length", str(len(response.body))))

    async def send(event: h11.Event) -> None:
        data = connection.send(event)
        if data:
            writer.write(data)
            async with asyncio.timeout(SEND_S_MAX):
                await writer.drain()

    if connection.our_state is not h11.MUST_CLOSE:
        await send(h11.Response(status_code=response.status, headers=headers))
        if response.events is None:
            await send(h11.Data(data=response.body))
        else:
            await _send_events(response.events, send)
        await send(h11.EndOfMessage())


async def _send_events(
    events: AsyncGenerator[Any, None], send: Callable[[h11.Event], Awaitable[None]]
) -> None:
    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await send(h11.Data(data=b":\n\n"))

    beating = asyncio.ensure_future(beat())
    try:
        async with aclosing(events) as items:
            async for item in items:
                await send(h11.Data(data=b"data: " + msgspec.json.encode(item) + b"\n\n"))
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
