"""The hub's own certificates: who they name, what they are for, and when they are made anew."""

import datetime
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from citytwin.errors import EnrolmentError, StoreError
from citytwin_hub.authority import (
    AUTHORITY_DAYS,
    CERTIFICATE_DAYS,
    REQUEST_BYTES_MAX,
    URN_PREFIX,
    Authority,
    gateway_of,
)

NOW, DAY = 1_767_225_600 * 10**9, 86_400 * 10**9


def request(name="g-1", key=None, size=None):
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if size:
        names = [x509.DNSName("x" * 60) for _ in range(size // 60)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_a_gateways_certificate_is_for_clients_and_names_it(tmp_path):
    authority = Authority(tmp_path / "a", NOW)
    pem, serial = authority.sign("g-1", request(), NOW)
    certificate = x509.load_pem_x509_certificate(pem)
    certificate.verify_directly_issued_by(authority.certificate)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca
    assert gateway_of(pem) == ("g-1", serial)
    # It begins in 1970: a gateway whose clock was never set can connect, and learn the time.
    assert certificate.not_valid_before_utc.year == 1970
    now = datetime.datetime.fromtimestamp(NOW / 1e9, datetime.UTC)
    life = certificate.not_valid_after_utc - now
    assert life == datetime.timedelta(days=CERTIFICATE_DAYS)
    again, other = authority.sign("g-1", request(), NOW)
    assert (other != serial, again != pem) == (True, True)


def test_no_certificate_outlives_the_authority(tmp_path):
    authority = Authority(tmp_path / "a", NOW)
    pem, _ = authority.sign("g-1", request(), NOW + (AUTHORITY_DAYS - 10) * DAY)
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize(
    ("der", "words"),
    [
        (b"", "cannot be read"),
        (b"junk" * 20, "cannot be read"),
        (request("g-2"), "does not name gateway 'g-1'"),
        (request(""), "does not name gateway 'g-1'"),
        (request(size=2 * REQUEST_BYTES_MAX), "at most 8192 bytes"),
        (request(key=rsa.generate_private_key(65537, 2048)), "P-256"),
        (request(key=ec.generate_private_key(ec.SECP384R1())), "P-256"),
    ],
)
def test_requests_that_are_refused(tmp_path, der, words):
    with pytest.raises(EnrolmentError, match=words):
        Authority(tmp_path / "a", NOW).sign("g-1", der, NOW)


def test_a_request_that_another_key_signed(tmp_path):
    der = bytearray(request())
    der[-1] ^= 1
    with pytest.raises(EnrolmentError, match=r"not signed by its own|cannot be read"):
        Authority(tmp_path / "a", NOW).sign("g-1", bytes(der), NOW)


def test_certificates_that_are_no_gateways(tmp_path):
    authority = Authority(tmp_path / "a", NOW)
    for pem, words in ((b"", "not a gateway's"), (authority.server_pem, "names no gateway")):
        with pytest.raises(EnrolmentError, match=words):
            gateway_of(pem)
    key = ec.generate_private_key(ec.SECP256R1())
    two = [x509.UniformResourceIdentifier(URN_PREFIX + name) for name in ("g-1", "g-2")]
    certificate = authority._issue(
        key.public_key(), "g-1", list(two), ExtendedKeyUsageOID.CLIENT_AUTH, NOW
    )
    with pytest.raises(EnrolmentError, match="names no gateway"):
        gateway_of(certificate.public_bytes(serialization.Encoding.PEM))


def test_it_stays_the_same_and_its_keys_are_its_owners(tmp_path):
    first = Authority(tmp_path / "a", NOW)
    again = Authority(tmp_path / "a", NOW + DAY)
    assert again.pem == first.pem
    assert again.server_pem == first.server_pem
    assert again.server_fingerprint == first.server_fingerprint
    for path in (tmp_path / "a").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_the_hubs_certificate_is_made_anew_before_it_ends_and_for_new_names(tmp_path):
    first = Authority(tmp_path / "a", NOW)
    late = Authority(tmp_path / "a", NOW + (CERTIFICATE_DAYS - 20) * DAY)
    assert late.server_pem != first.server_pem
    assert late.pem == first.pem, "gateways go on trusting it"
    named = Authority(tmp_path / "a", NOW + (CERTIFICATE_DAYS - 20) * DAY, ("10.0.0.5", "hub.kz"))
    certificate = x509.load_pem_x509_certificate(named.server_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["citytwin-hub", "hub.kz"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.5"]


@pytest.mark.parametrize("name", ["authority.key", "authority.pem", "server.pem"])
def test_damaged_files_are_named(tmp_path, name):
    Authority(tmp_path / "a", NOW)
    path = tmp_path / "a" / name
    path.write_bytes(b"junk")
    with pytest.raises(StoreError, match=name):
        Authority(tmp_path / "a", NOW)


def test_an_authority_is_never_made_beside_a_key_without_certificate(tmp_path):
    """A lost file is no first start: a new authority would lock every gateway out."""
    first = Authority(tmp_path / "a", NOW)
    (tmp_path / "a" / "authority.pem").rename(tmp_path / "kept")
    with pytest.raises(StoreError, match=r"authority\.pem is missing; restore it from a backup"):
        Authority(tmp_path / "a", NOW)
    (tmp_path / "kept").rename(tmp_path / "a" / "authority.pem")
    assert Authority(tmp_path / "a", NOW).pem == first.pem
    (tmp_path / "a" / "authority.key").unlink()
    with pytest.raises(StoreError, match=r"authority\.key"):
        Authority(tmp_path / "a", NOW)
