"""Certificates and clocks: one that was never set must not keep a gateway from its hub."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from citytwin import SystemClock
from citytwin_hub.authority import Authority

NEVER_SET = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


def test_every_certificate_holds_for_a_clock_that_was_never_set(tmp_path):
    now_ns = SystemClock().now_ns()
    authority = Authority(tmp_path, now_ns)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "medeu-1")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    pem, _ = authority.sign("medeu-1", signed.public_bytes(serialization.Encoding.DER), now_ns)
    for one in (authority.pem, authority.server_pem, pem):
        certificate = x509.load_pem_x509_certificate(one)
        assert certificate.not_valid_before_utc < NEVER_SET
        now = datetime.datetime.fromtimestamp(now_ns / 1e9, datetime.UTC)
        assert certificate.not_valid_after_utc > now
