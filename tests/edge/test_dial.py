"""Dialling over real TLS: a line, or why there is none, in words."""

import asyncio
import contextlib
import socket

import pytest

from citytwin import SystemClock
from citytwin.errors import EnrolmentError, LineClosed
from citytwin_edge import dial
from citytwin_edge.dial import Dialler
from citytwin_hub.authority import Authority
from tests.edge.small_hub import SmallHub, identity_of


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority", SystemClock().now_ns())


async def test_a_line_that_works(authority, tmp_path):
    hub = SmallHub(SystemClock())
    identity = identity_of(authority, "g", tmp_path / "state")
    async with hub.listening(authority) as address:
        line = await Dialler(address, identity, tmp_path / "state")()
        await line.send(b"no frame of ours")
        async with asyncio.timeout(10):
            assert await line.receive()  # the hub's Bye
        await line.close()


async def reason(address, identity, state, error):
    with pytest.raises(error) as caught:
        await Dialler(address, identity, state, timeout_s=1.0)()
    return str(caught.value)


async def test_a_certificate_of_another_hub(authority, tmp_path):
    stranger = Authority(tmp_path / "stranger", SystemClock().now_ns())
    state = tmp_path / "state"
    theirs = identity_of(stranger, "g", state)
    ours = theirs._replace(authority=authority.pem)
    async with SmallHub(SystemClock()).listening(authority) as address:
        said = await reason(address, ours, state, EnrolmentError)
        assert "refuses this gateway's certificate" in said
        said = await reason(address, theirs, state, EnrolmentError)
        assert f"{address} is not the hub that this gateway was enrolled at" in said


async def test_the_hubs_own_certificate_opens_nothing(authority, tmp_path):
    state = tmp_path / "state"
    identity = identity_of(authority, "g", state)
    (state / "key.pem").write_bytes(authority.server_key_pem)
    (state / "certificate.pem").write_bytes(authority.server_pem)
    posing = identity._replace(key=authority.server_key_pem, certificate=authority.server_pem)
    async with SmallHub(SystemClock()).listening(authority) as address:
        assert "refuses" in await reason(address, posing, state, EnrolmentError)


async def test_nobody_listens(authority, tmp_path):
    identity = identity_of(authority, "g", tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = await reason(address, identity, tmp_path, LineClosed)
    assert said == f"nothing listens at {address}; is the hub running there?"


async def test_a_name_that_nobody_knows(authority, tmp_path):
    identity = identity_of(authority, "g", tmp_path)
    said = await reason("no-such-hub.invalid:7443", identity, tmp_path, LineClosed)
    assert said.startswith("the name no-such-hub.invalid is not known")


@contextlib.asynccontextmanager
async def server(answer):
    async def serve(_reader, writer):
        writer.write(answer)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_a_port_that_speaks_no_tls(authority, tmp_path):
    identity = identity_of(authority, "g", tmp_path)
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert "speaks no TLS" in await reason(address, identity, tmp_path, LineClosed)


async def test_a_hub_that_says_nothing(authority, tmp_path, monkeypatch):
    monkeypatch.setattr(dial, "DIAGNOSIS_S_MAX", 0.3)
    identity = identity_of(authority, "g", tmp_path)
    # Accepted by the system, never by a program.
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        said = await reason(address, identity, tmp_path, LineClosed)
    assert said == f"{address} does not answer: it is off, or something is in between"


async def test_a_diagnosis_says_that_all_is_in_order_or_what_is_not(authority, tmp_path):
    identity = identity_of(authority, "g", tmp_path / "state")
    async with SmallHub(SystemClock()).listening(authority) as address:
        assert await Dialler(address, identity, tmp_path / "state").diagnosed() is None
    error = await Dialler(address, identity, tmp_path / "state").diagnosed()
    assert isinstance(error, LineClosed)
    assert str(error) == dial.NOBODY.said(where=address)
