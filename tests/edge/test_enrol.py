"""Enrolment from the gateway's side: what it checks before it sends anything, and what it keeps."""

import asyncio
import math
import os
import stat

import pytest

from citytwin.errors import EnrolmentError
from citytwin_edge import enrol
from citytwin_protos.token import make_token, read_token
from citytwin_protos.transport import open_exchange
from tests.hub.conftest import Core, core

__all__ = ["Core", "core"]


async def test_enrol_keeps_a_key_that_only_its_owner_reads(core, tmp_path):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    state = tmp_path / "state"
    made = await enrol.enrol(state, "medeu-1", hub, core.token("medeu-1"))
    assert enrol.load(state) == made
    assert made.hub == core.link
    assert stat.S_IMODE((state / "key.pem").stat().st_mode) == 0o600
    line = await open_exchange(
        made.hub, key=made.key, certificate=made.certificate, authority=made.authority
    )
    await line.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enrols for somebody else")
async def test_what_root_enrols_belongs_to_the_service(core, tmp_path):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    await enrol.enrol(state, "medeu-1", hub, core.token("medeu-1"))
    owners = {(path.name, path.stat().st_uid, path.stat().st_gid) for path in state.iterdir()}
    names = ("key.pem", "certificate.pem", "authority.pem", "hub.json")
    assert owners == {(name, 65534, 65534) for name in names}


async def test_another_hub_is_noticed_before_anything_is_sent(core, tmp_path):
    secret = read_token(core.token("medeu-1")).secret
    forged = make_token(secret, b"x" * 32)
    with pytest.raises(EnrolmentError, match="not the hub that issued this token"):
        await enrol.enrol(tmp_path, "medeu-1", f"127.0.0.1:{core.server.enrol_port}", forged)
    assert not core.registry.gateways()


@pytest.mark.parametrize(
    ("hub", "token", "words"),
    [
        ("127.0.0.1:1", make_token(b"s" * 16, b"f" * 32), "cannot be reached"),
        ("127.0.0.1:x", make_token(b"s" * 16, b"f" * 32), "write host or host:port"),
        ("127.0.0.1:1", "hello", "not a token"),
        ("127.0.0.1:1", "ct1.aaaa", "missing"),
        ("127.0.0.1:1", "ct1.!!!!", "wrong character"),
    ],
)
async def test_what_cannot_be(tmp_path, hub, token, words):
    with pytest.raises(EnrolmentError, match=words):
        await enrol.enrol(tmp_path, "medeu-1", hub, token)


async def test_the_hubs_reason_reaches_the_technician(core, tmp_path):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    with pytest.raises(EnrolmentError, match="issued for gateway 'other'"):
        await enrol.enrol(tmp_path, "medeu-1", hub, core.token("other"))


async def test_when_the_certificate_ends_is_noted(core, tmp_path):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    made = await enrol.enrol(tmp_path, "medeu-1", hub, core.token("medeu-1"))
    assert 390 < enrol.load(tmp_path).days_left(core.clock.now_ns()) < 400
    assert made._replace(expires_ns=0).days_left(core.clock.now_ns()) == math.inf


async def test_a_hub_s_link_port_is_not_where_one_enrols(core, tmp_path):
    with pytest.raises(EnrolmentError, match="is the hub, but does not enrol there now"):
        await enrol.enrol(tmp_path, "medeu-1", core.link, core.token("medeu-1"))


async def test_a_port_that_speaks_no_tls(core, tmp_path):
    async def plain(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(EnrolmentError, match="speaks no TLS; the hub enrols at port 7444"):
            await enrol.enrol(tmp_path, "medeu-1", f"127.0.0.1:{port}", core.token("medeu-1"))


async def test_used_and_expired_tokens_and_taken_names(core, tmp_path):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    token, spare = core.token("medeu-1"), core.token("medeu-1")
    kept = await enrol.enrol(tmp_path, "medeu-1", hub, token)
    for bad, words in (
        (token, "has been used"),
        (spare, "enrolled already"),
        (core.token("medeu-2", life_ns=-1), "expired"),
    ):
        name = "medeu-2" if words == "expired" else "medeu-1"
        with pytest.raises(EnrolmentError, match=f"the hub refuses: .*{words}"):
            await enrol.enrol(tmp_path, name, hub, bad)
    assert enrol.load(tmp_path) == kept, "what was kept before stays"
    assert not list(tmp_path.glob("*.partial"))


async def test_a_folder_that_cannot_be_written_costs_no_token(core, tmp_path):
    (tmp_path / "file").write_text("")
    hub, token = f"127.0.0.1:{core.server.enrol_port}", core.token("medeu-1")
    with pytest.raises(EnrolmentError, match="cannot be written"):
        await enrol.enrol(tmp_path / "file" / "state", "medeu-1", hub, token)
    await enrol.enrol(tmp_path / "state", "medeu-1", hub, token)


def test_what_was_kept_and_cannot_be_read(tmp_path):
    (tmp_path / "hub.json").write_text("{")
    with pytest.raises(EnrolmentError, match=r"cannot be read: .*Else enrol again"):
        enrol.load(tmp_path)
    with pytest.raises(EnrolmentError, match="certificate of gateway 'a', not of 'b'"):
        for name in ("key.pem", "certificate.pem", "authority.pem"):
            (tmp_path / name).write_text("x")
        (tmp_path / "hub.json").write_text('{"hub": "h:1", "gateway": "a"}')
        enrol.load(tmp_path, "b")


def test_a_gateway_that_was_not_enrolled(tmp_path):
    with pytest.raises(EnrolmentError, match="enrol-token"):
        enrol.load(tmp_path)
