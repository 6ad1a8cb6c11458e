"""MiBeacon: telegrams that were captured (from xiaomi-ble's tests), and its decoder beside ours."""

import struct
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from citytwin import Quality
from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.adverts import address_bytes
from citytwin_edge.wire.mibeacon import FORMAT, QUANTITIES, SERVICE, parsed
from tests.edge.wire import advert_reference as reference
from tests.edge.wire.advert_telegrams import (
    check_ranges,
    check_sealed,
    decoded,
    decoder_of,
    numbers,
    service,
)

LYWSD03 = "A4:C1:38:02:83:F4"
KEY = bytes.fromhex("e9ea895fac7cca6d30532432a516f3a8")
SEALED = b"XX[\x05P\xf4\x83\x028\xc1\xa4\x95\xefXv<&\x00\x00\x97\xe2\xab\xb5"
PLAIN = b"P0[\x05\x03L\x94\xb48\xc1\xa4\r\x10\x04\x10\x01\xea\x01"
CAPTURED = [
    # data, address, key, what it says
    (PLAIN, "A4:C1:38:B4:94:4C", "", {"temperature": 27.2, "humidity": 49.0}),
    (SEALED, LYWSD03, KEY.hex(), {"humidity": 46.7}),
    (b"P \xaa\x01\xa3\xbf.;4-X\r\x10\x04\xb4\x00\x95\x02\n\x10\x01;", "58:2D:34:3B:2E:BF", "",
     {"temperature": 18.0, "humidity": 66.1, "battery": 59}),
    (b"XXH\x0bh_\x124-XZ\x0b\x18A\xe2\xaa\x00\x0e\x00\xa4\x96O\xb5", "5A:58:2D:34:12:5F",
     "814aac74c4f17b6c1581e1ab87816b99", {"humidity": 59.6}),
    (b"XXo\x06\x07\x89 \x124-X_\x17m\xd5O\x02\x00\x00/\xa4S\xfa", "58:2D:34:12:20:89",
     "a3bfe9853dd85a620debe3620caaa351", {"temperature": 22.6}),
    (b"HXYO\xefTo\x0etPr\x93!\x01\x008\xd7C3", "58:2D:34:87:94:0C",
     "872ea1bb02ba9713e885cb054c537368", {"temperature": 23.8}),
    (b"HY\x03\x12\xa4\x1bwn|\x96\xad\xd7\x00\x00\x00\xf2\xbfT[", "2C:11:65:25:70:04",
     "b2cf9a553d53571b5657defd582d676e", {"humidity": 45.0}),
    (b"q \x98\x00hz>j\x8d|\xc4\r\t\x10\x02W\x02", "C4:7C:8D:6A:3E:7A", "", {"conductivity": 599}),
    (b"q \x98\x00Gz>j\x8d|\xc4\r\x08\x10\x01@", "C4:7C:8D:6A:3E:7A", "", {"moisture": 64}),
    (bytes.fromhex("5040df0201df02008d7cc41010027d00"), "C4:7C:8D:00:02:DF", "",
     {"formaldehyde": 1.25}),
    (b"XY\x97\tf\xbc\x9c\xe3D\xefT\x01\x08\x12\x05\x00\x00\x00q^\xbe\x90", "54:EF:44:E3:9C:BC",
     "5b51a7c91cde6707c9ef18dfda143a58", {"smoke": 1}),
]  # fmt: skip


def said(data, address, key=b""):
    return numbers(decoded(FORMAT, service(SERVICE, data), address, key))


@pytest.mark.parametrize(("data", "address", "key", "meaning"), CAPTURED)
def test_captured_telegrams(data, address, key, meaning):
    assert said(data, address, bytes.fromhex(key)) == meaning


@pytest.mark.parametrize(
    ("data", "address", "key", "meaning"),
    [one for one in CAPTURED if one[0][2:4] != b"YO"],  # a newer one than theirs
)
def test_another_decoder_reads_the_same(data, address, key, meaning):
    theirs = reference.xiaomi(service(SERVICE, data), address, bytes.fromhex(key))
    for name, value in meaning.items():
        assert theirs[name] == pytest.approx(value)


def sealed(objects, counter, key=KEY, control=0x5858):
    address = address_bytes(LYWSD03)
    head = struct.pack("<HHB", control, 0x055B, counter & 0xFF)
    random = (counter >> 8).to_bytes(3, "little")
    nonce = address[::-1] + head[2:5] + random
    body = AESCCM(key, tag_length=4).encrypt(nonce, objects, b"\x11")
    return service(SERVICE, head + address[::-1] + body[:-4] + random + body[-4:])


WARM = bytes.fromhex("041002e700")  # 23.1 °C


def test_a_telegram_without_objects_says_nothing():
    assert (
        decoded(FORMAT, service(SERVICE, b"0X[\x05\x02H<\xd48\xc1\xa4\x08"), "A4:C1:38:D4:3C:48")
        is None
    )


def test_the_counter_tells_repeats():
    telegram = decoded(FORMAT, service(SERVICE, PLAIN), "A4:C1:38:B4:94:4C")
    assert (telegram.counter, telegram.counts) == (3, 0)
    assert decoded(FORMAT, sealed(WARM, 0x1234), LYWSD03, KEY).counter == 0x1234


def test_a_wrong_key_no_key_and_no_encryption_are_told_apart():
    with pytest.raises(DeviceMalformed, match="another device's, or bytes"):
        said(SEALED, LYWSD03, bytes(16))
    with pytest.raises(DeviceMalformed, match="key must have the device's own"):
        said(SEALED, LYWSD03)
    with pytest.raises(DeviceMalformed, match="not encrypted, though key is set"):
        said(PLAIN, "A4:C1:38:B4:94:4C", KEY)
    with pytest.raises(DeviceMalformed, match="another device's address in it: a4:c1:38:02:83:f4"):
        said(SEALED, "A4:C1:38:02:83:F5", KEY)


def test_encryption_without_a_check_is_refused():
    old = b"X0\xb6\x03\xd2\x8b\x98\xc5A$\xf8\xc3I\x14vu~\x00\x00\x00\x99"
    with pytest.raises(DeviceMalformed, match="version 3 has no check"):
        said(old, "F8:24:41:C5:98:8B", KEY)


def test_an_old_telegram_is_not_believed_again():
    decoder = decoder_of(FORMAT, LYWSD03, KEY)
    assert decoder.decode(sealed(WARM, 0x9000)).counter == 0x9000
    assert decoder.decode(sealed(WARM, 0x9001)).counter == 0x9001
    with pytest.raises(DeviceMalformed, match="went back"):
        decoder.decode(sealed(WARM, 0x9000))
    assert decoder.decode(sealed(WARM, 0x0005)).counter == 5  # a new battery
    version_4 = decoder_of(FORMAT, LYWSD03, KEY)  # whose three bytes are by chance
    assert version_4.decode(sealed(WARM, 0x9000, control=0x4858))
    assert version_4.decode(sealed(WARM, 0x8000, control=0x4858))


def test_heads_of_every_kind():
    address = "A4:C1:38:00:00:01"
    assert said("4050 5b05 01 041002e700", address)["temperature"] == 23.1  # no address in it
    assert said("6050 5b05 01 08 041002e700", address)["temperature"] == 23.1  # a capability
    assert said("6050 5b05 01 28 0000 041002e700", address)["temperature"] == 23.1  # with I/O
    for data, why in (
        ("4050 5b05", "too few"), ("c050 5b05 01", "of a mesh"), ("4010 5b05 01", "version 1"),
        ("6050 5b05 01", "cut off"), ("4850 5b05 01 00", "too few to be encrypted"),
    ):  # fmt: skip
        with pytest.raises(DeviceMalformed, match=why):
            said(data, address, KEY if "encrypted" in why else b"")


def test_objects_of_every_kind():
    def meaning(objects, product=0x055B):
        return {n: t.text or t.value for n, t in parsed(bytes.fromhex(objects), product).items()}

    assert meaning("0f0003640000") == {"motion": 1, "illuminance": 100}
    assert meaning("05100201 5f") == {"power-on": 1, "temperature": 95}
    assert meaning("0710035c0100") == {"illuminance": 348}
    assert meaning("12100101 13100132 14100101 18100100") == {
        "power-on": 1, "consumable": 50, "moisture-detected": 1, "light": 0,
    }  # fmt: skip
    assert meaning("17100478000000") == {"idle": 120}
    assert meaning("19100100") == {"opening": 1, "left-open": 0}
    assert meaning("19100101") == {"opening": 0, "left-open": 0}
    assert meaning("19100102") == {"opening": 1, "left-open": 1}
    assert meaning("19100103") == {}
    warm = struct.pack("<f", 21.5).hex()
    assert meaning(f"014c04{warm} 024c012d 034c0164", 0x2542) == {
        "temperature": 21.5, "humidity": 45, "battery": 100,
    }  # fmt: skip
    assert meaning(f"014c04{warm} 0a100164") == {"battery": 100}  # another product: who knows
    for broken in ("0410", "041002e7", "041001e7"):
        with pytest.raises(DeviceMalformed, match=r"cut off|has 2 bytes, not 1"):
            meaning(broken)
    nothing = parsed(bytes.fromhex("014c04" + struct.pack("<f", float("inf")).hex()), 0x2542)
    assert nothing["temperature"].quality == Quality.BAD_NOT_A_NUMBER
    shown = "0f0003640000 05100201 5f 0610025602 0810012f 0910025702 0a100164 101002 7d00"
    shown += "121001 01 13100132 14100101 15100100 17100478000000 18100100 19100102"
    assert set(meaning(shown)) == set(QUANTITIES)


def test_ten_thousand_changed_telegrams_stay_in_range():
    sections = [service(SERVICE, data) for data, _, key, _ in CAPTURED if not key]
    objects = "041002e700 0610025602 0a10015a 0710035c0100"
    sections.append(service(SERVICE, "4050 5b05 01" + objects))
    refused, taken = check_ranges(FORMAT, sections, "A4:C1:38:B4:94:4C")
    assert refused > 3000
    assert taken > 500


def test_ten_thousand_changed_encrypted_telegrams_never_give_a_value():
    sections = [service(SERVICE, SEALED), sealed(WARM, 7), sealed(WARM + WARM, 0x123456)]
    assert check_sealed(FORMAT, sections, LYWSD03, KEY) > 5000


def test_another_decoder_opens_what_is_made_here():
    random = Random(3)
    for count in range(1, 100):
        tenths = random.randrange(-300, 600)
        section = sealed(struct.pack("<HBh", 0x1004, 2, tenths), count)
        theirs = reference.xiaomi(section, LYWSD03, KEY)["temperature"]
        ours = numbers(decoded(FORMAT, section, LYWSD03, KEY))["temperature"]
        assert ours == pytest.approx(theirs) == tenths / 10
