"""Enrolment from the gateway's side: what it checks before it sends anything, and what it keeps."""

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


def test_a_gateway_that_was_not_enrolled(tmp_path):
    with pytest.raises(EnrolmentError, match="enrol-token"):
        enrol.load(tmp_path)
