"""Enrolment: a key that never leaves the gateway, and the hub's certificate for it.

The token holds the fingerprint of the hub's certificate. A bare TLS handshake shows the certificate
that is served; only when it is the one in the token is anything sent, over a second connection that
trusts this one certificate and nothing else (gRPC takes a server's own certificate as its root).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import os
import ssl
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from citytwin.batch import SECOND_NS
from citytwin.errors import EnrolmentError
from citytwin_edge.gateway import join_address, split_address
from citytwin_protos.token import read_token

CONNECT_S_MAX: Final = 10.0
ENROL_PORT: Final = 7444
DAY_NS: Final = 86_400 * SECOND_NS
KEY: Final = "key.pem"
CERTIFICATE: Final = "certificate.pem"
AUTHORITY: Final = "authority.pem"
HUB: Final = "hub.json"


class Identity(NamedTuple):
    """What proves this gateway to the hub and the hub to it (PEM), and where the hub is.

    ``expires_ns`` is the end of the certificate, UTC nanoseconds; 0 when it is not known.
    """

    key: bytes
    certificate: bytes
    authority: bytes
    hub: str
    gateway: str = ""
    expires_ns: int = 0

    def days_left(self, now_ns: int) -> float:
        """Return for how many days the hub will still take the certificate."""
        return (self.expires_ns - now_ns) / DAY_NS if self.expires_ns else math.inf


class _HubFile(msgspec.Struct):
    hub: str
    gateway: str = ""
    expires_ns: int = 0


async def enrol(state: Path, gateway: str, hub: str, token_text: str) -> Identity:
    """Make a key, get a certificate, keep both in the state folder.

    What lay there before stays until the new one is whole.

    Args:
        state: the gateway's state folder.
        gateway: its name.
        hub: host or host:port of the enrolment service.
        token_text: the token that the hub printed.

    Raises:
        EnrolmentError: the reason, in one sentence.
    """
    token = read_token(token_text)
    try:
        host, port = split_address(hub, ENROL_PORT)
    except ValueError as error:
        raise EnrolmentError(str(error)) from None
    _check_writable(state)
    address = join_address(host, port)
    certificate_der = await _server_certificate(host, port)
    if not hmac.compare_digest(hashlib.sha256(certificate_der).digest(), token.fingerprint):
        raise EnrolmentError(
            f"{address} is not the hub that issued this token; check the address, and ask who may "
            "be listening there"
        )
    key_pem, request_der = _key_and_request(gateway)
    certificate, authority, link = await _ask(
        address, ssl.DER_cert_to_PEM_cert(certificate_der), gateway, token_text, request_der
    )
    link_host, _, link_port = link.rpartition(":")
    link = f"{link_host}:{link_port}" if link_host else join_address(host, int(link_port))
    identity = Identity(key_pem, certificate, authority, link, gateway, _expiry(certificate))
    _save(state, identity)
    return identity


def load(state: Path, gateway: str = "") -> Identity:
    """Return what ``enrol`` kept.

    Raises:
        EnrolmentError: this gateway has not been enrolled, or under another name.
    """
    try:
        about = msgspec.json.decode((state / HUB).read_bytes(), type=_HubFile)
        key, certificate, authority = (
            (state / name).read_bytes() for name in (KEY, CERTIFICATE, AUTHORITY)
        )
    except FileNotFoundError:
        raise EnrolmentError(
            f"this gateway has not been enrolled ({state} holds no certificate); get a token at "
            "the hub with `citytwin-hub enrol-token --gateway NAME`, then type "
            "`citytwin-edge enrol HUB TOKEN`"
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise EnrolmentError(
            f"what enrolment kept in {state} cannot be read: {error}; may this user read it? "
            "Else enrol again"
        ) from None
    if gateway and about.gateway and gateway != about.gateway:
        raise EnrolmentError(
            f"{state} holds the certificate of gateway {about.gateway!r}, not of {gateway!r}; "
            "change [gateway] name or state, or enrol again"
        )
    return Identity(key, certificate, authority, about.hub, about.gateway, about.expires_ns)


async def _server_certificate(host: str, port: int) -> bytes:
    """Return the certificate (DER) that is shown at an address; nothing is sent there."""
    where = join_address(host, port)
    context = ssl.create_default_context()
    context.check_hostname = False
    # The token's fingerprint decides, not a public authority.
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except TimeoutError:
        raise EnrolmentError(f"{where} does not answer; is the hub running there?") from None
    except ssl.SSLError:
        raise EnrolmentError(
            f"{where} speaks no TLS; the hub enrols at port {ENROL_PORT}"
        ) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise EnrolmentError(
            f"{where} cannot be reached: {why}; is the hub running there?"
        ) from None
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


def _expiry(certificate: bytes) -> int:
    """Return when a certificate ends; noted down, because a running agent cannot read it."""
    from cryptography import x509

    try:
        ends = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError as error:
        raise EnrolmentError(f"the hub gave what is no certificate: {error}") from None
    return int(ends.timestamp()) * SECOND_NS


async def _ask(
    address: str, root_pem: str, gateway: str, token: str, request_der: bytes
) -> tuple[bytes, bytes, str]:
    """Return certificate, authority (PEM) and the link's address."""
    import grpc
    import grpc.aio

    from citytwin_protos.transport import CHANNEL_OPTIONS
    from citytwin_protos.v1 import link_pb2 as pb
    from citytwin_protos.v1 import link_pb2_grpc as rpc

    request = pb.EnrolRequest(gateway=gateway, token=token.strip(), signing_request_der=request_der)
    credentials = grpc.ssl_channel_credentials(root_pem.encode())
    async with grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS) as channel:
        try:
            reply = await rpc.EnrolmentStub(channel).Enrol(request, timeout=CONNECT_S_MAX)
        except grpc.aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE}:
                raise EnrolmentError(
                    f"{address} is the hub, but does not enrol there now ({error.details()}); its "
                    f"enrolment port is {ENROL_PORT} unless its operator chose another"
                ) from None
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise EnrolmentError(f"{address} took too long to answer; try again") from None
            raise EnrolmentError(f"the hub refuses: {error.details()}") from None
    _, _, port = reply.link_address.rpartition(":")
    if not (reply.certificate_pem and reply.authority_pem and port.isdigit()):
        raise EnrolmentError(f"{address} answered without a certificate or an address of its link")
    return reply.certificate_pem, reply.authority_pem, reply.link_address


def _check_writable(state: Path) -> None:
    """Notice before the token is spent that its fruits could not be kept."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        trial = state / "enrol.partial"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise _unwritable(state, error) from None


def _save(state: Path, identity: Identity) -> None:
    """Write all files aside, then let them take their places: they belong together."""
    about = _HubFile(identity.hub, identity.gateway, identity.expires_ns)
    files = {
        KEY: identity.key,
        CERTIFICATE: identity.certificate,
        AUTHORITY: identity.authority,
        HUB: msgspec.json.encode(about),
    }
    try:
        for name, data in files.items():
            _write(state / f"{name}.partial", data)
        for name in files:
            (state / f"{name}.partial").rename(state / name)
        descriptor = os.open(state, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unwritable(state, error) from None


def _write(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads: the folder's, when root enrols for a service."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unwritable(state: Path, error: OSError) -> EnrolmentError:
    denied = "; type sudo before the command" if isinstance(error, PermissionError) else ""
    return EnrolmentError(f"{state} cannot be written: {error.strerror or error}{denied}")
