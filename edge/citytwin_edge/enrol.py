"""Enrolment: a key that never leaves the gateway, and the hub's certificate for it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import ssl
from pathlib import Path
from typing import Final, NamedTuple

import grpc
import grpc.aio
import msgspec

from citytwin.errors import EnrolmentError
from citytwin_protos.token import read_token
from citytwin_protos.transport import CHANNEL_OPTIONS
from citytwin_protos.v1 import link_pb2 as pb
from citytwin_protos.v1 import link_pb2_grpc as rpc

CONNECT_S_MAX: Final = 10.0
ENROL_PORT: Final = 7444


class Identity(NamedTuple):
    """What proves this gateway to the hub and the hub to it (PEM), and where the hub is."""

    key: bytes
    certificate: bytes
    authority: bytes
    hub: str


class _HubFile(msgspec.Struct):
    hub: str


async def enrol(state: Path, gateway: str, hub: str, token_text: str) -> Identity:
    """Make a key, get a certificate, keep both in the state folder.

    Args:
        state: the gateway's state folder.
        gateway: its name.
        hub: host or host:port of the enrolment service.
        token_text: the token that the hub printed.

    Raises:
        EnrolmentError: the reason, in one sentence.
    """
    token = read_token(token_text)
    host, port = _address(hub)
    certificate_der = await _server_certificate(host, port)
    if not hmac.compare_digest(hashlib.sha256(certificate_der).digest(), token.fingerprint):
        raise EnrolmentError(
            f"{host}:{port} is not the hub that issued this token; check the address, and ask "
            "who may be listening there"
        )
    key_pem, request_der = _key_and_request(gateway)
    reply = await _ask(
        f"{host}:{port}",
        ssl.DER_cert_to_PEM_cert(certificate_der).encode(),
        pb.EnrolRequest(gateway=gateway, token=token_text.strip(), signing_request_der=request_der),
    )
    link_host, _, link_port = reply.link_address.rpartition(":")
    identity = Identity(
        key_pem, reply.certificate_pem, reply.authority_pem, f"{link_host or host}:{link_port}"
    )
    _save(state, identity)
    return identity


def load(state: Path) -> Identity:
    """Return what ``enrol`` kept.

    Raises:
        EnrolmentError: this gateway has not been enrolled.
    """
    try:
        hub = msgspec.json.decode((state / "hub.json").read_bytes(), type=_HubFile).hub
        names = ("key.pem", "certificate.pem", "authority.pem")
        key, certificate, authority = ((state / name).read_bytes() for name in names)
    except (OSError, msgspec.MsgspecError) as error:
        raise EnrolmentError(
            f"this gateway has not been enrolled ({error}); get a token at the hub with "
            "`citytwin-hub enrol-token --gateway NAME`, then type `citytwin-edge enrol HUB TOKEN`"
        ) from None
    return Identity(key, certificate, authority, hub)


def _address(hub: str) -> tuple[str, int]:
    host, colon, port = hub.rpartition(":")
    if not colon:
        return hub, ENROL_PORT
    if not port.isdigit() or not host:
        raise EnrolmentError(f"{hub!r} is not host or host:port")
    return host.strip("[]"), int(port)


async def _server_certificate(host: str, port: int) -> bytes:
    """Return the certificate (DER) that is shown at an address; nothing is sent there."""
    context = ssl.create_default_context()
    context.check_hostname = False
    # The token's fingerprint decides, not a public authority.
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except TimeoutError:
        raise EnrolmentError(f"{host}:{port} does not answer; is the hub running there?") from None
    except (OSError, ssl.SSLError) as error:
        raise EnrolmentError(f"{host}:{port} cannot be reached: {error}") from None
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return bytes(shown)


def _key_and_request(gateway: str) -> tuple[bytes, bytes]:
    # Only enrolment needs it: imported here, a running agent is 10 MiB smaller.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem, request.public_bytes(serialization.Encoding.DER)


async def _ask(address: str, root: bytes, request: pb.EnrolRequest) -> pb.EnrolReply:
    credentials = grpc.ssl_channel_credentials(root)
    async with grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS) as channel:
        try:
            reply: pb.EnrolReply = await rpc.EnrolmentStub(channel).Enrol(
                request, timeout=CONNECT_S_MAX
            )
        except grpc.aio.AioRpcError as error:
            raise EnrolmentError(f"the hub refuses: {error.details()}") from None
    return reply


def _save(state: Path, identity: Identity) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
        _write(state / "key.pem", identity.key)
        _write(state / "certificate.pem", identity.certificate)
        _write(state / "authority.pem", identity.authority)
        _write(state / "hub.json", msgspec.json.encode(_HubFile(identity.hub)))
    except OSError as error:
        raise EnrolmentError(f"{state} cannot be written: {error}") from None


def _write(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    partial = path.with_suffix(path.suffix + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
