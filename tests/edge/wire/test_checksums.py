"""Checksums: the catalogue's check values, what they cover, and where they stand."""

import pytest

from citytwin_edge.wire.checksums import KINDS, Checksum

DIGITS = b"123456789"
# The CRCs are the check values of the "catalogue of parametrised CRC algorithms"; the others are
# worked by hand: 0x31 + … + 0x39 = 0x1DD.
CHECKS = {
    "sum8": "dd", "xor8": "31", "lrc": "23", "crc16-modbus": "4b37", "crc16-ccitt": "29b1",
    "crc16-xmodem": "31c3", "crc16-arc": "bb3d", "crc16-x25": "906e", "crc16-en13757": "c2b7",
    "crc32": "cbf43926",
}  # fmt: skip


def test_every_kind_has_its_check_value():
    assert {kind: Checksum(kind).of(DIGITS).hex() for kind in KINDS} == CHECKS


@pytest.mark.parametrize("kind", KINDS)
def test_low_byte_first_and_as_digits(kind):
    number = bytes.fromhex(CHECKS[kind])
    assert Checksum(kind, order="little").of(DIGITS) == number[::-1]
    assert Checksum(kind, in_text=True).of(DIGITS) == number.hex().upper().encode()
    assert Checksum(kind, in_text=True).size == 2 * Checksum(kind).size


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_bit_is_noticed(kind):
    checksum = Checksum(kind)
    whole = DIGITS + checksum.of(DIGITS)
    assert checksum.fits(whole)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 4
        assert not checksum.fits(bytes(changed)), place


def test_nmea():
    nmea = Checksum("xor8", first=1, mark=b"*", in_text=True)
    # NMEA 0183's own form: between $ and *, two hexadecimal digits, of either case here.
    sentence = b"$GPGLL,5057.970,N,00146.110,E,142451,A"
    assert nmea.after(sentence + b"*") == b"27"
    assert nmea.fits(sentence + b"*27")
    lower = Checksum("sum8", in_text=True)
    assert lower.fits(b"\x7fzz" + lower.of(b"\x7fzz").lower())
    assert not nmea.fits(sentence + b"27"), "without its mark"


@pytest.mark.parametrize("message", [b"", b"*", b"*0", b"27"])
def test_what_is_too_short_does_not_fit(message):
    assert not Checksum("xor8", first=1, mark=b"*", in_text=True).fits(message)
