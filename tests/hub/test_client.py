"""The command line's client: which hub it asks, whom it trusts, and in which words it fails."""

import asyncio
import socket
import ssl

import httpx
import msgspec
import pytest

from citytwin import SystemClock
from citytwin.errors import CityTwinError
from citytwin_hub.access import Role
from citytwin_hub.authority import Authority
from citytwin_hub.client import HubClient, Refused
from citytwin_hub.config import HubConfig
from tests.hub.running import serving
from tests.servers import free_port


def config_of(city, **http):
    given = {
        "hub": {"state": str(city.folder)},
        "http": {"bind": f"127.0.0.1:{city.hub.http_port}"},
    }
    given["http"] |= http
    return msgspec.convert(given, HubConfig)


def ask(client, *path, **query):
    """Ask on a thread: the hub answers on this one."""

    def asked():
        try:
            return client.get(*path, **query)
        finally:
            client.close()

    return asyncio.to_thread(asked)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    monkeypatch.delenv("CITYTWIN_HUB", raising=False)
    monkeypatch.delenv("CITYTWIN_TOKEN", raising=False)


async def test_the_hub_of_this_machine_needs_no_arguments(running):
    me = await ask(HubClient.of(config_of(running), "", ""), "me")
    assert (me["name"], me["role"]) == ("local-admin", "admin")
    assert "administer" in me["acts"]


async def test_arguments_come_before_the_environment(running, monkeypatch):
    monkeypatch.setenv("CITYTWIN_HUB", f"127.0.0.1:{running.hub.http_port}")
    monkeypatch.setenv("CITYTWIN_TOKEN", running.tokens[Role.VIEWER])
    nowhere = HubConfig()
    assert (await ask(HubClient.of(nowhere, "", ""), "me"))["name"] == "viewer"
    client = HubClient.of(nowhere, "", running.tokens[Role.OPERATOR])
    assert (await ask(client, "me"))["name"] == "operator"


async def test_every_page_of_points_and_rows_by_id(running):
    client = HubClient.of(config_of(running), "", "")
    assert await asyncio.to_thread(lambda: [p["id"] for p in client.points()]) == [
        "g-1/d/level", "g-1/d/pump",
    ]  # fmt: skip
    rows = await asyncio.to_thread(client.rows, ["g-1/d/pump"])
    assert rows == {"g-1/d/pump": int(running.rows[1])}
    with pytest.raises(CityTwinError, match="no point 'g-1/d/pum'; see: citytwin-hub points"):
        await asyncio.to_thread(client.rows, ["g-1/d/pum"])
    client.close()


async def test_refusals_keep_status_and_field(running):
    with pytest.raises(Refused, match="the hub refuses: end_ms lies before start_ms") as caught:
        await ask(HubClient.of(config_of(running), "", ""), "history", rows=1, start_ms=2, end_ms=1)
    assert (caught.value.status, caught.value.field) == (422, "end_ms")
    with pytest.raises(Refused, match="a valid token is needed") as caught:
        await ask(HubClient(running.address, "wrong"), "me")
    assert (caught.value.status, caught.value.field) == (401, "")


@pytest.mark.parametrize("address", ["http://127.0.0.1:port", "http://[::1", "http://"])
def test_what_is_no_address(address):
    with pytest.raises(CityTwinError, match="is not an address such as"):
        HubClient(address, "x").get("me")


def test_no_hub_and_no_token(tmp_path):
    port = free_port()
    with pytest.raises(CityTwinError, match=rf"does not answer at .*:{port} .*; is it running"):
        HubClient(f"127.0.0.1:{port}", "x").get("me")
    config = msgspec.convert({"hub": {"state": str(tmp_path)}}, HubConfig)
    with pytest.raises(CityTwinError, match=r"admin\.token cannot be read .has a hub run here"):
        HubClient.of(config, "", "")


async def test_something_else_answers():
    async def other(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = b"<h1>It works!</h1>"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CityTwinError, match="answers 200 OK, but not as a hub"):
            await ask(HubClient(f"http://127.0.0.1:{port}", "x"), "me")


@pytest.fixture
def certificate(tmp_path):
    """A certificate for other names than 127.0.0.1, as an operator's is, and its key."""
    authority = Authority(tmp_path / "web", SystemClock().now_ns(), ("hub.example",))
    assert authority.server_pem
    return tmp_path / "web" / "server.pem", tmp_path / "web" / "server.key"


async def test_its_own_certificate_is_taken_and_no_other(tmp_path, certificate):
    pem, key = certificate
    http = {"bind": "127.0.0.1:0", "certificate": str(pem), "key": str(key)}
    async with serving(tmp_path / "hub", http=http) as city:
        me = await ask(HubClient.of(config_of(city, certificate=str(pem)), "", ""), "me")
        assert me["name"] == "local-admin"
        everywhere = config_of(city, certificate=str(pem), bind=f"0.0.0.0:{city.hub.http_port}")
        assert (await ask(HubClient.of(everywhere, "", ""), "me"))["name"] == "local-admin"
        other = Authority(tmp_path / "other", city.now_ns)
        assert other.server_pem != pem.read_bytes()
        wrong = config_of(city, certificate=str(tmp_path / "other" / "server.pem"))
        with pytest.raises(CityTwinError, match="CERTIFICATE_VERIFY_FAILED"):
            await ask(HubClient.of(wrong, "", ""), "me")
        with pytest.raises(CityTwinError, match=r"none\.pem cannot be read"):
            HubClient.of(config_of(city, certificate="none.pem"), "", "")
        async with httpx.AsyncClient(verify=ssl.create_default_context()) as strict:
            with pytest.raises(httpx.ConnectError):
                await strict.get(f"https://127.0.0.1:{city.hub.http_port}/healthz")


def test_only_the_hub_is_waited_for_so_long(monkeypatch):
    monkeypatch.setattr("citytwin_hub.client.TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with pytest.raises(CityTwinError, match="does not answer at"):
            HubClient(f"http://127.0.0.1:{mute.getsockname()[1]}", "x").get("me")
