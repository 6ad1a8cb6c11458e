"""Signatures of the hub's authority, checked by a process of its own."""

import subprocess
import sys

import pytest

from citytwin import SystemClock
from citytwin.errors import EnrolmentError
from citytwin_edge import signature as module
from citytwin_edge.signature import is_signed, verified
from citytwin_hub.authority import Authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    return [Authority(tmp_path_factory.mktemp("a"), SystemClock().now_ns()) for _ in range(2)]


async def test_only_what_this_authority_has_signed_is_signed(authorities):
    mine, other = authorities
    signature = mine.signature(b"text")
    assert await is_signed(mine.pem, b"text", signature)
    assert not await is_signed(other.pem, b"text", signature), "of another hub"
    assert not await is_signed(mine.pem, b"texT", signature)
    for broken in (b"", b"\x30", signature[:-1], signature + b"\0", b"x" * 1_000_000):
        assert not verified(mine.pem, b"text", broken)
    assert not verified(mine.server_pem, b"text", signature), "the hub's line is not its authority"


async def test_when_nobody_can_tell_it_is_said(authorities, monkeypatch):
    with pytest.raises(EnrolmentError, match="the signature cannot be checked"):
        await is_signed(b"no certificate", b"text", b"")
    monkeypatch.setattr(module, "CHECK_S_MAX", 0.0)
    with pytest.raises(EnrolmentError, match="could not be checked in time"):
        await is_signed(authorities[0].pem, b"text", b"")


def test_the_agent_does_not_load_what_checks():
    """It would be 10 MiB larger for as long as it runs."""
    code = (
        "import sys; import citytwin_edge.agent, citytwin_edge.remote\n"
        "assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
