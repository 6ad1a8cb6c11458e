"""Hand-over: a report of what a gateway reads, signed by it, for whoever accepts the work.

One HTML file that needs nothing else: what people read, and the same as JSON with the gateway's
signature (ECDSA with SHA-256 over the bytes of the JSON) and its certificate, which the hub's
authority has signed. Whoever changes a letter of the JSON breaks the signature; the text is made
from the JSON alone, and made again when it is verified.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from citytwin.errors import CityTwinError

REPORT_BYTES_MAX: Final = 16 * 1024 * 1024
_PARTS: Final = ("report", "signature", "certificate")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "td,th{border-bottom:1px solid #ccc;padding:.25rem .5rem;text-align:left}"
    ".no{color:#b00020;font-weight:600}.yes{color:#1b6e3c}"
    "@media print{body{margin:0}}"
)


class Verified(NamedTuple):
    """A report whose signature is right.

    Attributes:
        report: what it says.
        gateway: whose key signed it, by its certificate.
        by_authority: whether that certificate is of the authority that was asked about; None where
            none was.
    """

    report: dict[str, Any]
    gateway: str
    by_authority: bool | None


def sealed(report: Mapping[str, Any], key_pem: bytes, certificate_pem: bytes) -> str:
    """Return the report as a signed HTML file.

    Args:
        report: ``gateway``, ``time``, ``by``, ``note``, ``software``, ``config`` and ``devices``
            (each with ``name``, ``profile``, ``adapter``, ``result`` and rows of ``points``).
        key_pem: the gateway's private key.
        certificate_pem: its certificate.
    """
    body = json.dumps(report, ensure_ascii=False, sort_keys=True, indent=1).encode()
    key = serialization.load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    return _page(body, signature, certificate_pem)


def verified(page: str, authority_pem: bytes | None = None) -> Verified:
    """Return what a signed report says.

    Raises:
        CityTwinError: it is none, or was changed after it was signed.
    """
    if len(page) > REPORT_BYTES_MAX:
        raise CityTwinError(f"a report has at most {REPORT_BYTES_MAX} bytes")
    try:
        body, signature, certificate_pem = (_part(page, name) for name in _PARTS)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        public = certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        report = json.loads(body)
    except (ValueError, AssertionError):
        raise CityTwinError("this is no report of a gateway, or it was cut") from None
    try:
        public.verify(signature, body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise CityTwinError("the report was changed after the gateway signed it") from None
    if _page(body, signature, certificate_pem) != page:
        raise CityTwinError(
            "what the report shows is not what the gateway signed, or another version made it"
        )
    name = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    gateway = str(name[0].value) if name else ""
    return Verified(report, gateway, _is_of(certificate, authority_pem))


def _part(page: str, name: str) -> bytes:
    found = re.search(rf'id="{name}">([A-Za-z0-9+/=]*)<', page)
    if found is None:
        raise ValueError(f"there is no {name}")
    return base64.b64decode(found[1], validate=True)


def _is_of(certificate: x509.Certificate, authority_pem: bytes | None) -> bool | None:
    if authority_pem is None:
        return None
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _page(body: bytes, signature: bytes, certificate_pem: bytes) -> str:
    report = json.loads(body)
    title = f"{report['gateway']}: hand-over report"
    parts = dict(zip(_PARTS, (body, signature, certificate_pem), strict=True))
    hidden = "\n".join(
        f'<script type="text/plain" id="{name}">{base64.b64encode(data).decode()}</script>'
        for name, data in parts.items()
    )
    facts = {
        "Gateway": report["gateway"],
        "Time (UTC)": report["time"],
        "Handed over by": report["by"],
        "Note": report["note"],
        "Software": report["software"],
        "Configuration": f"{report['config']['path']}, SHA-256 {report['config']['sha256']}",
        "Signed with": f"key of certificate {_fingerprint(certificate_pem)}",
    }
    rows = "".join(f"<tr><th>{_e(name)}</th><td>{_e(one)}</td></tr>" for name, one in facts.items())
    devices = "".join(map(_device, report["devices"]))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_e(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{_e(title)}</h1><table>{rows}</table>{devices}"
        f"<p>Verify: citytwin-edge commission --verify FILE</p>\n{hidden}\n</body></html>\n"
    )


def _fingerprint(certificate_pem: bytes) -> str:
    return x509.load_pem_x509_certificate(certificate_pem).fingerprint(hashes.SHA256()).hex()


def _device(device: Mapping[str, Any]) -> str:
    points: Sequence[Mapping[str, Any]] = device["points"]
    about = " · ".join(filter(None, (device["profile"], device["adapter"], device["result"])))
    head = "".join(f"<th>{_e(name)}</th>" for name in points[0]) if points else ""
    rows = "".join(
        f"<tr>{''.join(_cell(name, value) for name, value in row.items())}</tr>" for row in points
    )
    return f"<h2>{_e(device['name'])}</h2><p>{_e(about)}</p><table><tr>{head}</tr>{rows}</table>"


def _cell(name: str, value: Any) -> str:
    text = _e("" if value is None else value)
    if name == "plausible":
        return f'<td class="{"yes" if value == "ok" else "no"}">{text}</td>'
    return f"<td>{text}</td>"


def _e(text: Any) -> str:
    return html.escape(str(text))
