"""AES-CCM with a check of four bytes (RFC 3610, M = 4, L = 2), as battery devices encrypt."""

from __future__ import annotations

from typing import Final

from citytwin.errors import DeviceMalformed

KEY_BYTES: Final = 16
CHECK_BYTES: Final = 4
NOT_ENCRYPTED: Final = "it is not encrypted, though key is set: somebody else may have sent it"
"""Why a telegram is refused that anybody could have made."""


def checked_key(key: bytes) -> bytes:
    """Return a key.

    Raises:
        ValueError: it has not 16 bytes.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {2 * KEY_BYTES} hexadecimal digits, not {2 * len(key)}")
    return key


def opened(key: bytes, nonce: bytes, sealed: bytes, covered: bytes = b"") -> bytes:
    """Return what was encrypted.

    Args:
        key: 16 bytes; without one nothing can be opened.
        nonce: 7 to 13 bytes that are never the same twice.
        sealed: encrypted bytes and, behind them, the check.
        covered: what the check covers besides.

    Raises:
        DeviceMalformed: the check does not fit: another key, or a byte was changed.
    """
    # Loaded by the first encrypted device, not by every gateway.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    if not key:
        raise DeviceMalformed("it is encrypted: key must have the device's own")
    if len(sealed) <= CHECK_BYTES:
        raise DeviceMalformed(f"{len(sealed)} bytes are too few to be encrypted ones")
    try:
        return AESCCM(key, tag_length=CHECK_BYTES).decrypt(nonce, sealed, covered or None)
    except InvalidTag:
        raise DeviceMalformed(
            "the check does not fit: key is another device's, or bytes were changed"
        ) from None


class Counter:
    """The counter of encrypted telegrams: what was heard once is not believed again."""

    def __init__(self, *, restarts_below: int) -> None:
        """A device that begins anew (a new battery) counts from 0; it is believed below this."""
        self._last = -1
        self._restarts_below = restarts_below

    def check(self, counter: int) -> None:
        """Take the counter of a telegram whose check fitted; the last one again is a repeat.

        Raises:
            DeviceMalformed: it went back: an old telegram that somebody sends again.
        """
        if counter < self._last and counter >= self._restarts_below:
            raise DeviceMalformed(
                f"its counter went back from {self._last} to {counter}: an old telegram, sent again"
            )
        self._last = counter
