"""Config order: a configuration that the hub wants a gateway to run, and what a gateway says of it.

docs/specs/config.md has the rules. The hub signs the order's bytes as they travel; a gateway reads
them only when the signature is good.
"""

from __future__ import annotations

import zlib
from enum import StrEnum
from typing import Final

import msgspec

from citytwin.errors import CityTwinError, MalformedError, TooLargeError
from citytwin.identity import segment

CONFIG_BYTES_MAX: Final = 2 * 1024 * 1024
"""A configuration that travels; ten thousand points take about that."""
DEFLATED_BYTES_MAX: Final = 900 * 1024
"""So that it fits a frame."""
WORDS_CHARS_MAX: Final = 400
PREFIX: Final = b"CityTwin configuration order 1\n"
"""What is signed begins with this, as no certificate does, the other thing that this key signs."""


class PushState(StrEnum):
    """What a gateway says of the newest push that has come to it."""

    NONE = ""
    TRIAL = "trial"
    """It runs, and waits for the way to the hub to prove itself."""
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled-back"
    """The one before runs again."""
    REFUSED = "refused"
    """The one before went on running."""


class ConfigOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One push.

    Attributes:
        gateway: for whom.
        number: of the hub's versions for this gateway; a gateway takes no lower one than it had.
        base: digest of the configuration that it replaces; empty: whatever runs.
        text: the file, deflated (RFC 1950).
        issued_by, issued_ns, why: for the technician who finds it there.
    """

    gateway: str
    number: int
    base: str
    text: bytes
    issued_by: str
    issued_ns: int
    why: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be one (ValueError)."""
        segment(self.gateway, "gateway")
        if self.number < 1 or max(len(self.why), len(self.issued_by)) > WORDS_CHARS_MAX:
            raise ValueError("a push has a number above 0 and a reason of at most 400 characters")


def signed_bytes(order: bytes) -> bytes:
    """Return what the signature of an order is over."""
    return PREFIX + order


def order_to_bytes(order: ConfigOrder) -> bytes:
    """Return MessagePack of an order."""
    return msgspec.msgpack.encode(order)


def order_from_bytes(data: bytes) -> ConfigOrder:
    """Return the order; raises MalformedError."""
    try:
        return msgspec.msgpack.decode(data, type=ConfigOrder)
    except (msgspec.MsgspecError, CityTwinError, ValueError, RecursionError) as error:
        raise MalformedError(f"not an order of a configuration: {error}") from None


def deflated(text: bytes) -> bytes:
    """Return a configuration as it travels.

    Raises:
        TooLargeError: it is over CONFIG_BYTES_MAX, or does not become small enough.
    """
    if len(text) > CONFIG_BYTES_MAX:
        raise TooLargeError(
            f"the configuration has {len(text)} bytes; at most {CONFIG_BYTES_MAX} travel"
        )
    packed = zlib.compress(text, 9)
    if len(packed) > DEFLATED_BYTES_MAX:
        raise TooLargeError(
            f"the configuration has {len(packed)} bytes deflated; {DEFLATED_BYTES_MAX} fit a frame"
        )
    return packed


def inflated(packed: bytes) -> bytes:
    """Return a configuration that has travelled.

    Raises:
        MalformedError: it is not deflated.
        TooLargeError: it would be over CONFIG_BYTES_MAX; it is not unpacked further.
    """
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, CONFIG_BYTES_MAX + 1)
    except zlib.error as error:
        raise MalformedError(f"the text of a configuration is not deflated: {error}") from None
    if len(text) > CONFIG_BYTES_MAX:
        raise TooLargeError(f"a configuration has at most {CONFIG_BYTES_MAX} bytes")
    if not unpacker.eof:
        raise MalformedError("the text of a configuration is cut short")
    return text
