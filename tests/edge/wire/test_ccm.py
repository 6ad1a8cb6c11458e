"""AES-CCM: the first vector of RFC 3610 has a longer check, so NIST's with one of four bytes."""

import pytest

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.ccm import Counter, checked_key, opened

# NIST SP 800-38C, appendix C, example 1.
KEY = bytes.fromhex("404142434445464748494a4b4c4d4e4f")
NONCE = bytes.fromhex("10111213141516")
COVERED = bytes.fromhex("0001020304050607")
PLAIN = bytes.fromhex("20212223")
SEALED = bytes.fromhex("7162015b4dac255d")


def test_the_example_of_the_standard():
    assert opened(KEY, NONCE, SEALED, COVERED) == PLAIN


def test_any_other_bit_is_refused():
    for place in range(8 * len(SEALED)):
        changed = bytearray(SEALED)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(DeviceMalformed, match="does not fit"):
            opened(KEY, NONCE, bytes(changed), COVERED)
    with pytest.raises(DeviceMalformed, match="does not fit"):
        opened(KEY, NONCE, SEALED, b"")


def test_without_a_key_or_enough_bytes():
    with pytest.raises(DeviceMalformed, match="key must have"):
        opened(b"", NONCE, SEALED)
    with pytest.raises(DeviceMalformed, match="too few"):
        opened(KEY, NONCE, SEALED[:4])
    assert checked_key(KEY) == KEY
    with pytest.raises(ValueError, match="32 hexadecimal digits, not 2"):
        checked_key(b"\0")


def test_the_counter():
    counter = Counter(restarts_below=100)
    for count in (0, 0, 5, 500, 500):
        counter.check(count)
    with pytest.raises(DeviceMalformed, match="went back from 500 to 100"):
        counter.check(100)
    counter.check(99)
    counter.check(100)
