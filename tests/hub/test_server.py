"""The link over real TLS: who may come in, who may not, and in which words."""

import asyncio

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from citytwin.errors import LineClosed
from citytwin_hub.authority import Authority
from citytwin_protos.session import Acknowledged, Closed
from citytwin_protos.transport import open_exchange
from tests.hub.conftest import Peer, points, samples
from tests.hub.test_authority import request


async def enrolled(core, gateway="medeu-1"):
    return await core.enrol(gateway, core.token(gateway))


async def test_samples_travel_to_twin_and_history_and_are_acknowledged(core):
    peer = await Peer.connect(core, await enrolled(core))
    await peer.greet(points("medeu-1"))
    now_ns = core.clock.now_ns()
    peer.session.send_telemetry(5, samples(now_ns))
    assert (await peer.until(Acknowledged)).through == 5
    row = core.registry.row("medeu-1/d/p2")
    assert core.twin.read([row]).value.tolist() == [2.0]
    seen = core.history.read([row], now_ns - 1, now_ns + 1, samples_max=10)
    assert seen.value.tolist() == [2.0]
    assert core.journal.durable_through(b"0123456789abcdef") == 5
    await peer.line.close()


async def test_replacing_ends_the_old_certificate(core):
    old = await enrolled(core)
    new = await core.enrol("medeu-1", core.token("medeu-1", replace=True))
    peer = await Peer.connect(core, old)
    closed = await peer.until(Closed)
    assert (closed.reason, "anew" in closed.detail) == ("revoked", True)
    peer = await Peer.connect(core, new)
    await peer.greet()
    await peer.line.close()


async def test_a_gateway_of_another_hub_does_not_get_in(core, tmp_path):
    _, _, authority = await enrolled(core)
    stranger = Authority(tmp_path / "stranger", core.clock.now_ns())
    key = ec.generate_private_key(ec.SECP256R1())
    pem, _ = stranger.sign("medeu-1", request("medeu-1", key), core.clock.now_ns())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(LineClosed):
        line = await open_exchange(
            core.link, key=secret, certificate=pem, authority=authority, timeout_s=3
        )
        await line.receive()
    assert core.ingest.connections == {}


async def test_a_gateway_does_not_speak_to_another_hub(core, tmp_path):
    key, certificate, _ = await enrolled(core)
    stranger = Authority(tmp_path / "stranger", core.clock.now_ns())
    with pytest.raises(LineClosed):
        await open_exchange(
            core.link, key=key, certificate=certificate, authority=stranger.pem, timeout_s=2
        )
    assert core.ingest.connections == {}


async def test_the_hubs_own_certificate_is_no_gateway(core):
    with pytest.raises(LineClosed):
        await open_exchange(
            core.link,
            key=core.authority.server_key_pem,
            certificate=core.authority.server_pem,
            authority=core.authority.pem,
            timeout_s=2,
        )


async def test_a_revoked_gateway_is_told_why_while_it_is_connected(core):
    peer = await Peer.connect(core, await enrolled(core))
    await peer.greet(points("medeu-1"))
    core.registry.revoke("medeu-1")
    core.ingest.connections["medeu-1"].checked_ns = 0
    peer.session.send_telemetry(1, samples(core.clock.now_ns()))
    closed = await peer.until(Closed)
    assert closed.reason == "revoked"
    assert "was revoked" in closed.detail


async def test_two_gateways_with_one_name(core):
    credentials = await enrolled(core)
    first = await Peer.connect(core, credentials, b"A" * 16)
    await first.greet(points("medeu-1"))
    second = await Peer.connect(core, credentials, b"B" * 16)
    closed = await second.until(Closed)
    assert closed.reason == "duplicate"
    assert "name and a certificate of its own" in closed.detail
    again = await Peer.connect(core, credentials, b"A" * 16)
    await again.greet(points("medeu-1"))
    assert (await first.until(Closed)).reason == "duplicate"
    again.session.send_telemetry(1, samples(core.clock.now_ns()))
    assert (await again.until(Acknowledged)).through == 1
    await again.line.close()


async def test_points_of_another_gateway_end_the_session(core):
    peer = await Peer.connect(core, await enrolled(core))
    await peer.greet(points("other"))
    closed = await peer.until(Closed)
    assert "not this gateway's" in closed.detail


async def test_garbage_frames_end_one_line_and_not_the_hub(core):
    credentials = await enrolled(core)
    for garbage, words in (
        (b"\xff" * 50, "is not protobuf"),
        (b"", "of no kind that is known"),
        (b"\x0a\x00", "speaks version 1 of the link"),
    ):
        peer = await Peer.connect(core, credentials)
        await peer.line.send(garbage)
        assert words in (await peer.until(Closed)).detail
    peer = await Peer.connect(core, credentials)
    await peer.greet(points("medeu-1"))
    peer.session.send_telemetry(1, samples(core.clock.now_ns()))
    assert (await peer.until(Acknowledged)).through == 1
    await peer.line.close()


async def test_many_gateways_share_commits(core):
    async def one(number):
        name = f"g-{number}"
        peer = await Peer.connect(core, await enrolled(core, name), name.encode().ljust(16))
        await peer.greet(points(name))
        for entry in range(1, 21):
            peer.session.send_telemetry(entry, samples(core.clock.now_ns() + entry))
        await peer.flush()
        while (await peer.until(Acknowledged)).through < 20:
            pass
        await peer.line.close()

    await asyncio.gather(*(one(number) for number in range(8)))
    assert core.history.recent_samples == 8 * 20 * 3
    assert core.committer.groups < 8 * 20
