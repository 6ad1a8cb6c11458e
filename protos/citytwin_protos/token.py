"""Token: what the hub prints and a technician types once, so that both sides trust each other.

``ct1.`` and base32 of: 16 bytes of secret, which let the gateway in; SHA-256 of the enrolment
server's certificate (DER), by which the gateway knows that it talks to the right hub.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

from citytwin.errors import EnrolmentError

PREFIX: Final = "ct1."
SECRET_BYTES: Final = 16
FINGERPRINT_BYTES: Final = 32


class Token(NamedTuple):
    """A token's two halves."""

    secret: bytes
    fingerprint: bytes


def make_token(secret: bytes, fingerprint: bytes) -> str:
    """Return the text of a token."""
    return PREFIX + base64.b32encode(secret + fingerprint).decode().rstrip("=").lower()


def read_token(text: str) -> Token:
    """Return the halves of a token.

    Raises:
        EnrolmentError: the text is not a token; it says what is wrong.
    """
    body = text.strip().lower()
    if not body.startswith(PREFIX):
        raise EnrolmentError(f"this is not a token: it begins with {PREFIX!r}; copy it whole")
    body = body.removeprefix(PREFIX)
    try:
        data = base64.b32decode(body + "=" * (-len(body) % 8), casefold=True)
    except (binascii.Error, ValueError):
        raise EnrolmentError(
            "this is not a token: it has a wrong character; copy it again"
        ) from None
    if len(data) != SECRET_BYTES + FINGERPRINT_BYTES:
        raise EnrolmentError("this is not a token: part of it is missing; copy it whole")
    return Token(data[:SECRET_BYTES], data[SECRET_BYTES:])
