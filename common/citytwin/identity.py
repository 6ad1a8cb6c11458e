"""Names and ids: what a gateway, a device and a point may be called.

A point's id is ``gateway/device/point`` (three segments); a derived point hangs behind its origin
with a dot (``gateway/device/point.flow``). Only lower-case Latin letters, digits, ``-``, ``_`` and
``.`` are used, so that an id is the same in a file name, a URL, a topic and a log line. What people
read is the label, in any script.
"""

from __future__ import annotations

import re
from typing import Final

from citytwin.errors import IdentityError

SEGMENT_CHARS_MAX: Final = 63
POINT_ID_CHARS_MAX: Final = 3 * SEGMENT_CHARS_MAX + 2

_SEGMENT: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z")
_URN: Final = re.compile(r"urn:[A-Za-z0-9][A-Za-z0-9-]{1,31}:[A-Za-z0-9()+,\-.:=@;$_!*'%/?#]+\Z")
URN_CHARS_MAX: Final = 256


def segment(text: str, what: str) -> str:
    """Return ``text`` if it may name a gateway, a device or a point.

    Raises:
        IdentityError: it may not; the text says which rule it breaks.
    """
    if len(text) > SEGMENT_CHARS_MAX:
        raise IdentityError(
            f"{what} {text[:20] + '…'!r} has {len(text)} characters; "
            f"at most {SEGMENT_CHARS_MAX} are allowed"
        )
    if not _SEGMENT.match(text):
        raise IdentityError(
            f"{what} {text!r} is not a name: use lower-case Latin letters, digits, '-', '_' and "
            "'.', beginning and ending with a letter or digit"
        )
    return text


def point_id(gateway: str, device: str, point: str) -> str:
    """Return the id ``gateway/device/point`` after checking each segment.

    Raises:
        IdentityError: a segment breaks the rules.
    """
    return "/".join(
        (segment(gateway, "gateway"), segment(device, "device"), segment(point, "point"))
    )


def split_point_id(text: str) -> tuple[str, str, str]:
    """Return (gateway, device, point) of a point's id.

    Raises:
        IdentityError: the id has not three well-formed segments.
    """
    parts = text.split("/") if len(text) <= POINT_ID_CHARS_MAX else []
    if len(parts) != 3:  # gateway, device, point
        raise IdentityError(f"point id {text[:80]!r} is not of the form gateway/device/point")
    segment(parts[0], "gateway")
    segment(parts[1], "device")
    segment(parts[2], "point")
    return parts[0], parts[1], parts[2]


def urn(text: str) -> str:
    """Return ``text`` if it is a URN that may name a city object (RFC 8141).

    Raises:
        IdentityError: it is not, or it is longer than 256 characters.
    """
    if len(text) > URN_CHARS_MAX or not _URN.match(text):
        raise IdentityError(f"{text[:80]!r} is not a URN such as urn:ngsi-ld:Pump:ps-03:1")
    return text
