"""Checksums: the catalogue's check values, what they cover, and where they stand."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.checksums import KINDS, Checksum, Crc

DIGITS = b"123456789"
# The CRCs are the check values of the "catalogue of parametrised CRC algorithms"; the others are
# worked by hand: 0x31 + … + 0x39 = 0x1DD.
CHECKS = {
    "sum8": "dd", "sum8-inverted": "22", "lrc": "23", "sum16": "01dd", "xor8": "31",
    "crc8-smbus": "f4", "crc8-maxim": "a1", "crc8-nrsc5": "f7", "crc8-rohc": "d0",
    "crc8-itu": "a1", "crc8-j1850": "4b", "crc8-autosar": "df", "crc8-cdma2000": "da",
    "crc8-dvb-s2": "bc",
    "crc16-modbus": "4b37", "crc16-arc": "bb3d", "crc16-usb": "b4c8", "crc16-maxim": "44c2",
    "crc16-umts": "fee8", "crc16-ccitt": "29b1", "crc16-xmodem": "31c3",
    "crc16-aug-ccitt": "e5cc", "crc16-genibus": "d64e", "crc16-gsm": "ce3c",
    "crc16-x25": "906e", "crc16-kermit": "2189", "crc16-mcrf4xx": "6f91", "crc16-dnp": "ea82",
    "crc16-en-13757": "c2b7",
    "crc32": "cbf43926", "crc32-bzip2": "fc891918", "crc32-mpeg2": "0376e6e7",
    "crc32-iscsi": "e3069283",
}  # fmt: skip


def test_every_kind_has_its_check_value():
    assert {kind: Checksum(kind).of(DIGITS).hex() for kind in KINDS} == CHECKS


@given(st.binary(max_size=40))
def test_what_the_library_calculates_is_the_same(data):
    assert Crc(16, 0x1021, 0xFFFF).of(data) == binascii.crc_hqx(data, 0xFFFF)
    zip_crc = Crc(32, 0x04C11DB7, 0xFFFFFFFF, reflected=True, xor_out=0xFFFFFFFF)
    assert zip_crc.of(data) == binascii.crc32(data)


def test_any_other_crc_is_told_by_its_parameters():
    # The catalogue's CRC-24/OPENPGP, CRC-8/DARC, and CRC-16/TMS37157, whose init is no palindrome.
    openpgp = Checksum("crc", crc=Crc(24, 0x864CFB, 0xB704CE))
    assert (openpgp.of(DIGITS).hex(), openpgp.size) == ("21cf02", 3)
    assert Crc(8, 0x39, reflected=True).of(DIGITS) == 0x15
    assert Crc(16, 0x1021, 0x89EC, reflected=True).of(DIGITS) == 0x26B1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Crc(12, 0x80F), "8, 16, 24 or 32 bits wide, not 12"),
        (lambda: Crc(8, 0x131), "poly does not fit into 8 bits"),
        (lambda: Crc(8, 0x31, 0x100), "init does not fit into 8 bits"),
        (lambda: Crc(16, 0x8004), "poly 0x8004 is none"),
        (lambda: Checksum("crc"), 'go with kind = "crc"'),
        (lambda: Checksum("sum8", crc=Crc(8, 7)), 'go with kind = "crc"'),
    ],
)
def test_a_crc_that_is_none(make, words):
    with pytest.raises(ValueError, match=words):
        make()


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
