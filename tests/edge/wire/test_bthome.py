"""BTHome: the vectors of its description, encryption, and another decoder beside ours."""

import math
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from citytwin import Quality
from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.adverts import address_bytes
from citytwin_edge.wire.bthome import FORMAT, SERVICE
from citytwin_edge.wire.bthome_objects import OBJECTS, QUANTITIES
from tests.edge.wire import advert_reference as reference
from tests.edge.wire.advert_telegrams import (
    check_ranges,
    check_sealed,
    decoded,
    decoder_of,
    numbers,
    service,
)

# "BTHome encryption": the example of the description.
ADDRESS = "54:48:E6:8F:80:A5"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
SEALED = "41a47266c95f730011223378237214"

# The examples of the table in "BTHome format", each with what it means.
EXAMPLES = {
    "0009": ("packet-id", 9),
    "0161": ("battery", 97),
    "02ca09": ("temperature", 25.06),
    "03bf13": ("humidity", 50.55),
    "04138a01": ("pressure", 1008.83),
    "05138a14": ("illuminance", 13460.67),
    "065e1f": ("mass", 80.3),
    "08ca06": ("dewpoint", 17.38),
    "0960": ("count", 96),
    "0a138a14": ("energy", 1346.067),
    "0b021b00": ("power", 69.14),
    "0c020c": ("voltage", 3.074),
    "0d120c": ("pm2.5", 3090),
    "0e021c": ("pm10", 7170),
    "0f01": ("generic", 1),
    "1001": ("power-on", 1),
    "1100": ("opening", 0),
    "12e204": ("co2", 1250),
    "133301": ("tvoc", 307),
    "14020c": ("moisture", 30.74),
    "2e23": ("humidity", 35),
    "2f23": ("moisture", 35),
    "3a04": ("button", 4),
    "3afe": ("button", 0x80),  # an older one of Shelly
    "3b0001": ("command", 1),
    "3c0103": ("dimmer", -3),
    "3c0204": ("dimmer", 4),
    "3d0960": ("count", 24585),
    "3e2a2c0960": ("count", 1611213866),
    "3f020c": ("rotation", 307.4),
    "400c00": ("distance", 0.012),
    "414e00": ("distance", 7.8),
    "424e3400": ("duration", 13.39),
    "434e34": ("current", 13.39),
    "444e34": ("speed", 133.9),
    "451101": ("temperature", 27.3),
    "4632": ("uv-index", 5.0),
    "478756": ("volume", 2215.1),
    "48dc87": ("volume", 34.78),
    "49dc87": ("flow", 34.78),
    "4a020c": ("voltage", 307.4),
    "4b138a14": ("gas", 1346.067),
    "4c41018a01": ("gas", 25821.505),
    "4d12138a14": ("energy", 344593.17),
    "4e87562a01": ("volume", 19551.879),
    "4f87562a01": ("water", 19551.879),
    "505d396164": ("timestamp", 1684093277),
    "518756": ("acceleration", 22.151),
    "528756": ("gyroscope", 22.151),
    "530c48656c6c6f20576f726c6421": ("text", "Hello World!"),
    "540c48656c6c6f20576f726c6421": ("raw", "48656c6c6f20576f726c6421"),
    "5587562a01": ("volume-storage", 19551.879),
    "56e803": ("conductivity", 1000),
    "57ea": ("temperature", -22),
    "58ea": ("temperature", -7.7),
    "59ea": ("count", -22),
    "5aeaea": ("count", -5398),
    "5bea0234ea": ("count", -365690134),
    "5c02fbffff": ("power", -12.78),
    "5d02ea": ("current", -5.63),
    "5e3f75": ("direction", 300.15),
    "5f11d5": ("precipitation", 5454.5),
    "6001": ("channel", 1),
    "61ac0d": ("rotational-speed", 3500),
    "624099dfff": ("speed", -2.123456),
    "630057d0ff": ("acceleration", -3.123456),
    "6402": ("light-level", 2),
    "6507": ("settings-revision", 7),
    "f00100": ("device-type", 1),
    "f100010204": ("firmware", "4.2.1.0"),
    "f2000106": ("firmware", "6.1.0"),
}


def said(data, address=ADDRESS, key=b""):
    return numbers(decoded(FORMAT, service(SERVICE, data), address, key))


def sealed(plain, counter, key=KEY, information=0x41):
    """Return what a device with this key sends."""
    count = counter.to_bytes(4, "little")
    nonce = address_bytes(ADDRESS) + b"\xd2\xfc" + bytes([information]) + count
    body = AESCCM(key, tag_length=4).encrypt(nonce, bytes.fromhex(plain), None)
    return service(SERVICE, bytes([information]) + body[:-4] + count + body[-4:])


@pytest.mark.parametrize(("data", "meaning"), EXAMPLES.items())
def test_each_object_of_the_table(data, meaning):
    name, value = meaning
    assert said("40" + data) == {name: value}


def test_the_examples_are_of_the_whole_table():
    binary = {number for number in OBJECTS if 0x0F <= number <= 0x2D} - {0x12, 0x13, 0x14}
    shown = {int(data[:2], 16) for data in EXAMPLES}
    assert set(OBJECTS) - binary - shown == {0x07}  # a pound, which is below
    assert len(binary) == 28
    for number in binary:
        assert said(f"40{number:02x}01") == {OBJECTS[number].name: 1}
        bad = decoded(FORMAT, service(SERVICE, f"40{number:02x}02")).values[OBJECTS[number].name]
        assert bad.quality == Quality.BAD_OUT_OF_RANGE
    assert said("40073e1d")["mass"] == pytest.approx(74.86 * 0.45359237)
    assert {one.name for one in OBJECTS.values()} == set(QUANTITIES)


def test_several_objects_and_several_of_one_name():
    assert said("400009015d025d0903b718") == {
        "packet-id": 9, "battery": 93, "temperature": 23.97, "humidity": 63.27,
    }  # fmt: skip
    assert said("4002ca0902cf0902cf08") == {
        "temperature": 25.06, "temperature-2": 25.11, "temperature-3": 22.55,
    }  # fmt: skip
    assert said("403a003a013a03") == {"button-2": 1, "button-3": 3}  # the first one was not pressed
    assert FORMAT.quantity("temperature-3") == QUANTITIES["temperature"]
    assert FORMAT.quantity("temperature-1") is None
    assert FORMAT.quantity("voc") is None
    with pytest.raises(DeviceMalformed, match="over 9 objects count"):
        said("40" + "0901" * 10)


def test_it_reads_on_to_the_first_object_that_it_does_not_know():
    assert said("40015dfe5d0903b718") == {"battery": 93}
    with pytest.raises(DeviceMalformed, match="object 0xfe is not one of BTHome's table"):
        said("40feca09")


@pytest.mark.parametrize("data", ["4002ca0903bf", "4053", "40530c4865", "403b"])
def test_what_is_cut_off_is_refused_whole(data):
    with pytest.raises(DeviceMalformed, match="is cut off"):
        said(data)


def test_unknown_events_and_texts_that_are_none_are_bad():
    for data, name in (("3afd", "button"), ("3b0009", "command"), ("530187", "text")):
        told = decoded(FORMAT, service(SERVICE, "40" + data)).values[name]
        assert told.quality == Quality.BAD_MALFORMED
        assert math.isnan(told.value)


def test_other_versions_and_nothing_are_refused():
    with pytest.raises(DeviceMalformed, match="version 7 of BTHome"):
        said("e102000c0404138a01")
    with pytest.raises(DeviceMalformed, match="empty"):
        said("")
    assert FORMAT.recognises(service(SERVICE, "40"), "")
    assert not FORMAT.recognises(service(SERVICE, "20"), "")
    assert not FORMAT.recognises(service(SERVICE, ""), "")


def test_the_packet_id_tells_repeats():
    assert decoded(FORMAT, service(SERVICE, "40000902ca09")).counter == 9
    assert decoded(FORMAT, service(SERVICE, "4002ca09")).counter is None


def test_the_device_s_own_address_may_stand_in_it():
    assert said("42b2188d38c1a404138a01", "A4:C1:38:8D:18:B2") == {"pressure": 1008.83}
    with pytest.raises(DeviceMalformed, match="another device's address"):
        said("42b2188d38c1a404138a01")
    assert said("43a5808fe64854f196c06ffb4900112233f08ecbde", key=KEY) == {
        "temperature": 25.06, "humidity": 50.55,
    }  # fmt: skip


# ---- encryption
def test_the_example_of_the_description_is_opened():
    telegram = decoded(FORMAT, service(SERVICE, SEALED), ADDRESS, KEY)
    assert numbers(telegram) == {"temperature": 25.06, "humidity": 50.55}
    assert telegram.counter == 0x33221100


def test_a_button_of_shelly_is_opened():
    key = bytes.fromhex("90bffd73cb6b26ef58a7a8eba9232036")  # captured; from bthome-ble's tests
    data = "450aeb84467f85ba0100003188788c"
    assert said(data, "B4:35:22:F5:3D:A4", key)["button"] == 1


def test_a_wrong_key_no_key_and_no_encryption_are_told_apart():
    with pytest.raises(DeviceMalformed, match="another device's"):
        said(SEALED, key=bytes(16))
    with pytest.raises(DeviceMalformed, match="key must have the device's own"):
        said(SEALED)
    with pytest.raises(DeviceMalformed, match="not encrypted, though key is set"):
        said("4002ca09", key=KEY)
    with pytest.raises(DeviceMalformed, match="too few"):
        said("41ba0db07aeef600", key=KEY)
    with pytest.raises(ValueError, match="32 hexadecimal digits, not 30"):
        FORMAT.decoder(address_bytes(ADDRESS), KEY[:15])


def test_an_old_telegram_is_not_believed_again():
    decoder = decoder_of(FORMAT, ADDRESS, KEY)
    assert decoder.decode(sealed("02ca09", 1000)).counter == 1000
    assert decoder.decode(sealed("02ca09", 1000)).counter == 1000  # heard twice: a repeat
    assert decoder.decode(sealed("02cb09", 1001)).counter == 1001
    with pytest.raises(DeviceMalformed, match="went back from 1001 to 1000"):
        decoder.decode(sealed("02ca09", 1000))
    assert decoder.decode(sealed("02ca09", 1002)).counter == 1002
    assert decoder.decode(sealed("02ca09", 3)).counter == 3  # a new battery
    with pytest.raises(DeviceMalformed, match="not encrypted"):
        decoder.decode(service(SERVICE, "4002ca09"))


def test_a_wrong_check_does_not_move_the_counter():
    decoder = decoder_of(FORMAT, ADDRESS, KEY)
    decoder.decode(sealed("02ca09", 1000))
    with pytest.raises(DeviceMalformed, match="does not fit"):
        decoder.decode(sealed("02ca09", 9000, key=bytes(16)))
    assert decoder.decode(sealed("02ca09", 1001)).counter == 1001


# ---- beside another decoder, and with bytes changed
NAMES = {
    "packet-id": "packet_id", "pm2.5": "pm25", "co2": "carbon_dioxide", "power-on": "power",
    "tvoc": "volatile_organic_compounds", "dewpoint": "dew_point", "uv-index": "uv_index",
    "flow": "volume_flow_rate", "volume-storage": "volume_storage", "mass": "mass",
    "battery-low": "battery", "battery-charging": "battery_charging",
    "moisture-detected": "moisture", "gas-detected": "gas", "garage-door": "garage_door",
    "carbon-monoxide": "carbon_monoxide",
}  # fmt: skip
FACTORS = {0x07: 0.45359237, 0x40: 0.001, 0x48: 0.001}


@pytest.mark.parametrize("number", [n for n in OBJECTS if n < 0x56 and n not in range(0x3A, 0x3D)])
def test_another_decoder_reads_the_same(number):
    thing, random = OBJECTS[number], Random(number)
    if not thing.size or number == 0x50:
        return
    for _ in range(20):
        own = bytes(random.randrange(256) for _ in range(thing.size))
        section = service(SERVICE, b"\x40" + bytes([number]) + own)
        ours = decoded(FORMAT, section).values[thing.name]
        if ours.quality != Quality.GOOD:
            continue
        theirs = reference.bthome(section, ADDRESS)[NAMES.get(thing.name, thing.name)]
        assert ours.value == pytest.approx(float(theirs) * FACTORS.get(number, 1.0))


def test_another_decoder_opens_the_same():
    theirs = reference.bthome(service(SERVICE, SEALED), ADDRESS, KEY)
    assert theirs == {"temperature": 25.06, "humidity": 50.55}


def test_ten_thousand_changed_telegrams_stay_in_range():
    sections = [service(SERVICE, "40" + data) for data in EXAMPLES]
    refused, taken = check_ranges(FORMAT, sections, ADDRESS)
    assert refused > 2000
    assert taken > 2000


def test_ten_thousand_changed_encrypted_telegrams_never_give_a_value():
    sections = [service(SERVICE, SEALED), sealed("000902ca0903bf13", 77), sealed("3a01", 5)]
    assert check_sealed(FORMAT, sections, ADDRESS, KEY) > 9000
