"""HTTP over real sockets: what is well formed, what is not, streams, and who hangs up."""

import asyncio
import contextlib
import json
from http import HTTPStatus

import pytest

from citytwin_edge.console.page import web
from citytwin_edge.console.page.web import Refusal, Request, Response, as_json, serve
from tests.servers import peer
from tests.waiting import until


@contextlib.asynccontextmanager
async def serving(handler):
    async with peer(lambda reader, writer: serve(handler, reader, writer)) as port:
        yield port


async def echo(request):
    about = {"method": request.method, "path": request.path, "query": request.query}
    return as_json({**about, "body": request.body.decode(), "cookie": request.cookie("b")})


async def said(port, data, *, lines=0):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(10):
        found = await reader.read() if not lines else b"".join(
            [await reader.readline() for _ in range(lines)]
        )  # fmt: skip
    writer.close()
    return found


def parts(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def get(path, *more):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: g", *more, "", ""]).encode()


async def test_a_request_and_its_answer():
    async with serving(echo) as port:
        status, headers, body = parts(await said(port, get("/a?x=1&y=%D0%B0", "Cookie: a=1; b=2")))
        assert status == 200
        assert json.loads(body) == {
            "method": "GET", "path": "/a", "query": {"x": "1", "y": "а"}, "body": "", "cookie": "2",
        }  # fmt: skip
        assert headers["content-type"] == "application/json"
        assert headers["connection"] == "close"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        post = b"POST /b HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n\r\nbody"
        assert json.loads(parts(await said(port, post))[2])["body"] == "body"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"what is this?\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no host
        (get("/", "X: " + "x" * 20_000), 431),
        (b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, 413),
    ],
)
async def test_what_is_no_request_is_refused(data, status):
    async with serving(echo) as port:
        found, _, body = parts(await said(port, data))
        assert found == status
        assert json.loads(body)["error"]


async def test_a_refusal_is_a_sentence_with_a_status():
    async def refuse(_request):
        raise Refusal(HTTPStatus.FORBIDDEN, "the page is locked")

    async with serving(refuse) as port:
        status, _, body = parts(await said(port, get("/")))
    assert (status, json.loads(body)) == (403, {"error": "the page is locked"})


async def test_a_body_that_is_no_object():
    request = Request("POST", "/", {}, {}, b"[1]", "")
    with pytest.raises(Refusal, match="no JSON object"):
        request.json()


class Stream:
    def __init__(self):
        self.ended = False

    async def handle(self, _request):
        return Response(events=self._events())

    async def _events(self):
        try:
            yield {"n": 1}
            await asyncio.Event().wait()
        finally:
            self.ended = True


async def test_events_come_as_they_happen_and_end_when_he_goes(monkeypatch):
    monkeypatch.setattr(web, "BEAT_S", 0.02)
    stream = Stream()
    async with serving(stream.handle) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/"))
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"text/event-stream" in head
            assert b'data: {"n":1}\n\n' in await reader.readuntil(b"}\n\n")
            await reader.readuntil(b":\n\n")  # alive
        assert not stream.ended
        writer.close()
        await until(lambda: stream.ended, "the stream to end")


async def test_events_that_end_end_the_answer():
    async def three():
        for number in range(3):
            yield number

    async def handle(_request):
        return Response(events=three())

    async with serving(handle) as port:
        body = parts(await said(port, get("/")))[2]
    assert body.count(b"data: ") == 3


async def test_whoever_says_nothing_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(web, "REQUEST_S_MAX", 0.05)
    async with serving(echo) as port:
        assert await said(port, b"GET / HT") == b""
