"""Enrolment over real TLS: one certificate a token, reasons on both sides, and a log that ends."""

import asyncio

import grpc
import grpc.aio
import pytest
from cryptography import x509

from citytwin_hub import enrolment as module
from citytwin_hub.authority import gateway_of
from citytwin_protos.transport import CHANNEL_OPTIONS
from citytwin_protos.v1 import link_pb2 as pb
from citytwin_protos.v1 import link_pb2_grpc as rpc


def refused(core, capsys):
    """Return what the hub's log has of refusals."""
    return [line for line in capsys.readouterr().out.splitlines() if "enrolment.refused" in line]


async def test_a_token_gives_a_certificate_of_this_hub_and_where_to_connect(core, capsys):
    core.enrolment.link_address = "hub.example:7443"
    _, pem, authority = await core.enrol("medeu-1", core.token("medeu-1"))
    certificate = x509.load_pem_x509_certificate(pem)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    gateway, serial = gateway_of(pem)
    assert core.registry.refusal(gateway, serial) == ""
    assert f"serial={serial}" in capsys.readouterr().out
    roots = grpc.ssl_channel_credentials(core.authority.server_pem)
    address = f"127.0.0.1:{core.server.enrol_port}"
    async with grpc.aio.secure_channel(address, roots, options=CHANNEL_OPTIONS) as channel:
        for request in (
            pb.EnrolRequest(),
            pb.EnrolRequest(gateway="x" * 10_000, token="y", signing_request_der=b"z"),
            pb.EnrolRequest(gateway="қала", token=core.token("g"), signing_request_der=b"z"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await rpc.EnrolmentStub(channel).Enrol(request, timeout=10)
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
            assert caught.value.details()


def guessed(token):
    """Return a token like this one, with another secret."""
    return token[:6] + ("a" if token[6] != "a" else "b") + token[7:]


@pytest.mark.parametrize(
    ("gateway", "token", "name", "words"),
    [
        ("medeu-1", lambda c: "nonsense", None, "not a token"),
        ("medeu-1", lambda c: guessed(c.token("medeu-1")), None, "never issued"),
        ("medeu-1", lambda c: c.token("other"), None, "issued for gateway 'other'"),
        ("medeu-1", lambda c: c.token("medeu-1", life_ns=-1), None, "has expired"),
        ("medeu-1", lambda c: c.token("medeu-1"), "other", "does not name gateway 'medeu-1'"),
    ],
)
async def test_the_same_words_on_both_sides(core, capsys, gateway, token, name, words):
    with pytest.raises(grpc.aio.AioRpcError, match=words) as caught:
        await core.enrol(gateway, token(core), name=name)
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    (said,) = refused(core, capsys)
    assert words in said


async def test_a_token_serves_once_and_a_name_is_taken(core):
    token = core.token("medeu-1")
    spare = core.token("medeu-1")
    await core.enrol("medeu-1", token)
    with pytest.raises(grpc.aio.AioRpcError, match="has been used"):
        await core.enrol("medeu-1", token)
    with pytest.raises(grpc.aio.AioRpcError, match="enrolled already"):
        await core.enrol("medeu-1", spare)


async def test_a_refused_request_does_not_spend_the_token(core):
    token = core.token("medeu-1")
    with pytest.raises(grpc.aio.AioRpcError):
        await core.enrol("medeu-1", token, name="other")
    await core.enrol("medeu-1", token)


async def test_of_two_at_once_one_gets_in(core):
    token = core.token("medeu-1")
    results = await asyncio.gather(
        *(core.enrol("medeu-1", token) for _ in range(4)), return_exceptions=True
    )
    failed = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert len(failed) == 3
    assert all("has been used" in (error.details() or "") for error in failed)


async def test_a_flood_of_wrong_tokens_ends_the_log_and_keeps_nobody_out(core, capsys):
    good = core.token("medeu-1")
    for number in range(module.FAILURES_MAX + 10):
        with pytest.raises(grpc.aio.AioRpcError, match="not a token"):
            await core.enrol("medeu-1", f"guess-{number}")
    out = capsys.readouterr().out
    assert out.count("enrolment.refused") == module.FAILURES_MAX
    assert out.count("enrolment.flood") == 1
    await core.enrol("medeu-1", good)


async def test_a_disk_that_refuses_is_told_as_something_that_passes(core, capsys):
    token = core.token("medeu-1")
    core.registry._db.execute("PRAGMA query_only = ON")
    with pytest.raises(grpc.aio.AioRpcError, match="cannot be written") as caught:
        await core.enrol("medeu-1", token)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "enrolment.failed" in capsys.readouterr().out
    core.registry._db.execute("PRAGMA query_only = OFF")
    await core.enrol("medeu-1", token)
