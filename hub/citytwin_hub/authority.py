"""Authority: the hub's own certificate authority. Nobody else says who a gateway is.

P-256 keys. The hub's certificate names ``citytwin-hub`` and serves only; a gateway's certificate
names the gateway (CN, and URI ``urn:citytwin:gateway:<name>``) and is for clients only, so that a
stolen gateway key cannot pose as the hub.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Final, TypeGuard

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from citytwin.errors import EnrolmentError, StoreError
from citytwin.files import replace
from citytwin.identity import segment
from citytwin_protos.transport import SERVER_NAME

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 397
RENEW_DAYS: Final = 30
VALID_FROM: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""Every certificate: a gateway whose clock was never set learns the time from the hub, and a
certificate that begins in its future would keep it away for ever."""
REQUEST_BYTES_MAX: Final = 8192
URN_PREFIX: Final = "urn:citytwin:gateway:"


class Authority:
    """Keys and certificates in one folder: ``authority.pem``, ``server.pem`` and their keys."""

    def __init__(self, folder: Path, now_ns: int, names: tuple[str, ...] = ()) -> None:
        """Open, or create on first start; ``names`` are further names of the hub's certificate.

        Raises:
            StoreError: the folder cannot be used, or holds something else.
        """
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (folder / "authority.pem").exists():
                if (folder / "authority.key").exists():
                    raise StoreError(
                        f"{folder / 'authority.pem'} is missing; restore it from a backup (or "
                        "remove authority.key, too: then every gateway must enrol anew)"
                    )
                self._create(now_ns)
            self._key = _load_key(folder / "authority.key")
            self.certificate = _load_certificate(folder / "authority.pem")
            if self._server_due(now_ns, names):
                self._issue_server(now_ns, names)
            self.server_key_pem = (folder / "server.key").read_bytes()
            self.server_pem = (folder / "server.pem").read_bytes()
        except OSError as error:
            raise StoreError(f"the hub's certificates in {folder}: {error}") from error

    @property
    def pem(self) -> bytes:
        """The authority's certificate, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def server_fingerprint(self) -> bytes:
        """SHA-256 of the hub's certificate (DER); a token carries it to the gateway."""
        return x509.load_pem_x509_certificate(self.server_pem).fingerprint(hashes.SHA256())

    def sign(self, gateway: str, request_der: bytes, now_ns: int) -> tuple[bytes, str]:
        """Return (certificate PEM, serial in hexadecimal) for a gateway's signing request.

        Raises:
            EnrolmentError: the request is not one, is not signed by its key, or names another.
        """
        if len(request_der) > REQUEST_BYTES_MAX:
            raise EnrolmentError(f"a signing request has at most {REQUEST_BYTES_MAX} bytes")
        try:
            request = x509.load_der_x509_csr(request_der)
            valid = request.is_signature_valid
        except (ValueError, InvalidSignature, TypeError) as error:
            raise EnrolmentError(f"the signing request cannot be read: {error}") from None
        key = request.public_key()
        if not valid or not _is_p256(key):
            raise EnrolmentError("the signing request is not signed by its own P-256 key")
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [name.value for name in names] != [gateway]:
            raise EnrolmentError(f"the signing request does not name gateway {gateway!r}")
        certificate = self._issue(
            key,
            gateway,
            [x509.UniformResourceIdentifier(URN_PREFIX + gateway)],
            ExtendedKeyUsageOID.CLIENT_AUTH,
            now_ns,
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return pem, f"{certificate.serial_number:x}"

    def signature(self, data: bytes) -> bytes:
        """Return the authority's signature over something that gateways shall believe.

        ECDSA on P-256 with SHA-256 (FIPS 186-5), DER. ``data`` must not be able to be a part of a
        certificate: this key signs those, too.
        """
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def _create(self, now_ns: int) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), _moment(now_ns)
        name = _name("CityTwin authority")
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(VALID_FROM)
            .not_valid_after(now + datetime.timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        _write(self._folder / "authority.key", _key_pem(key))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        _write(self._folder / "authority.pem", pem)

    def _server_due(self, now_ns: int, names: tuple[str, ...]) -> bool:
        path = self._folder / "server.pem"
        if not path.exists():
            return True
        certificate = _load_certificate(path)
        left = certificate.not_valid_after_utc - _moment(now_ns)
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        same = list(alternative.value) == _server_names(names)
        return left < datetime.timedelta(days=RENEW_DAYS) or not same

    def _issue_server(self, now_ns: int, names: tuple[str, ...]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(
            key.public_key(),
            SERVER_NAME,
            _server_names(names),
            ExtendedKeyUsageOID.SERVER_AUTH,
            now_ns,
        )
        _write(self._folder / "server.key", _key_pem(key))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        _write(self._folder / "server.pem", pem)

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        common_name: str,
        names: list[x509.GeneralName],
        purpose: x509.ObjectIdentifier,
        now_ns: int,
    ) -> x509.Certificate:
        now = _moment(now_ns)
        ends = min(
            now + datetime.timedelta(days=CERTIFICATE_DAYS), self.certificate.not_valid_after_utc
        )
        authority_key = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(VALID_FROM)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def gateway_of(certificate_pem: bytes) -> tuple[str, str]:
    """Return (gateway, serial in hexadecimal) of a client certificate that TLS has verified.

    Raises:
        EnrolmentError: it is not a gateway's.
    """
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise EnrolmentError(f"the client's certificate is not a gateway's: {error}") from None
    found = [uri.removeprefix(URN_PREFIX) for uri in uris if uri.startswith(URN_PREFIX)]
    if len(found) != 1:
        raise EnrolmentError("the client's certificate names no gateway")
    return segment(found[0], "gateway"), f"{certificate.serial_number:x}"


def _server_names(names: tuple[str, ...]) -> list[x509.GeneralName]:
    return [x509.DNSName(SERVER_NAME), *(_general_name(name) for name in names)]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CityTwin"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _moment(now_ns: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now_ns // 1_000_000_000, datetime.UTC)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _is_p256(key: object) -> TypeGuard[ec.EllipticCurvePublicKey]:
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged; restore it from a backup ({error})") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StoreError(f"{path} is not a P-256 key; restore it from a backup")
    return key


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise StoreError(f"{path} is damaged; restore it from a backup ({error})") from error


def _write(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    replace(path, lambda file: file.write(data), mode=0o600)
