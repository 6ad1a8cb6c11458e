"""Link and enrolment over real TLS: who may come in, who may not, and in which words."""

import asyncio

import grpc
import pytest

from citytwin.errors import LineClosed
from citytwin_hub.authority import Authority
from citytwin_protos.session import Acknowledged, Closed, EntryRefused
from citytwin_protos.transport import open_exchange
from tests.hub.conftest import Peer, points, samples

HOUR_NS = 3600 * 10**9


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


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda core, t: t[:-4] + "aaaa", "never issued|pinned|part"),
        (lambda core, t: "nonsense", "not a token"),
        (lambda core, t: core.token("other"), "issued for gateway 'other'"),
        (lambda core, t: core.token("medeu-1", life_ns=-1), "expired"),
    ],
)
async def test_wrong_tokens_are_refused_in_words(core, spoil, words):
    token = core.token("medeu-1")
    bad = spoil(core, token)
    if bad[:-4] == token[:-4]:
        # The tail is the fingerprint, which only the gateway looks at: spoil the secret instead.
        bad = token[:6] + ("a" if token[6] != "a" else "b") + token[7:]
    with pytest.raises(grpc.aio.AioRpcError, match=words):
        await core.enrol("medeu-1", bad)


async def test_a_token_serves_once_and_a_name_is_taken(core):
    token = core.token("medeu-1")
    spare = core.token("medeu-1")
    await core.enrol("medeu-1", token)
    with pytest.raises(grpc.aio.AioRpcError, match="has been used"):
        await core.enrol("medeu-1", token)
    with pytest.raises(grpc.aio.AioRpcError, match="enrolled already"):
        await core.enrol("medeu-1", spare)


async def test_replacing_ends_the_old_certificate(core):
    old = await enrolled(core)
    new = await core.enrol("medeu-1", core.token("medeu-1", replace=True))
    peer = await Peer.connect(core, old)
    closed = await peer.until(Closed)
    assert (closed.reason, "anew" in closed.detail) == ("revoked", True)
    peer = await Peer.connect(core, new)
    await peer.greet()
    await peer.line.close()


async def test_a_request_that_names_another_is_refused(core):
    with pytest.raises(grpc.aio.AioRpcError, match="does not name gateway"):
        await core.enrol("medeu-1", core.token("medeu-1"), name="other")


async def test_foreign_certificates_do_not_get_in(core, tmp_path):
    key, _, authority = await enrolled(core)
    stranger = Authority(tmp_path / "stranger", core.clock.now_ns())
    foreign = {"key": stranger.server_key_pem, "certificate": stranger.server_pem}
    with pytest.raises(LineClosed):
        line = await open_exchange(core.link, authority=authority, timeout_s=3, **foreign)
        await line.receive()
    with pytest.raises(LineClosed):
        await open_exchange(
            core.link, authority=stranger.pem, key=key, certificate=stranger.server_pem, timeout_s=2
        )


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


async def test_entries_that_may_not_be_stored_are_refused_and_the_stream_lives(core):
    peer = await Peer.connect(core, await enrolled(core))
    await peer.greet(points("medeu-1"))
    now_ns = core.clock.now_ns()
    peer.session.send_telemetry(1, samples(now_ns, count=4))
    refused = await peer.until(EntryRefused)
    assert (refused.number, refused.reason) == (1, "invalid")
    assert "point number 3" in refused.detail
    peer.session.send_telemetry(2, samples(now_ns + 25 * HOUR_NS))
    assert "ahead" in (await peer.until(EntryRefused)).detail
    peer.session.send_telemetry(3, samples(now_ns))
    assert (await peer.until(Acknowledged)).through == 3
    core.ingest.save_refusals()
    (gateway,) = core.registry.gateways()
    assert gateway.refused == 2
    assert "entry 2: time" in gateway.refused_reason
    await peer.line.close()


async def test_points_of_another_gateway_end_the_session(core):
    peer = await Peer.connect(core, await enrolled(core))
    await peer.greet(points("other"))
    closed = await peer.until(Closed)
    assert "not this gateway's" in closed.detail


async def test_garbage_frames_end_one_line_and_not_the_hub(core):
    credentials = await enrolled(core)
    for garbage in (b"\xff" * 50, b"", b"\x0a\x00"):
        peer = await Peer.connect(core, credentials)
        await peer.line.send(garbage)
        with pytest.raises((LineClosed, AssertionError)):
            await peer.greet()
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
