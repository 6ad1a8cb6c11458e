"""DLMS: what real meters push, ciphered or not; the same as dlms-cosem and gurux; wrong keys."""

import random
from typing import Any

import pytest
from dlms_cosem.security import SecurityControlField, encrypt
from gurux_dlms import GXDLMSTranslator
from gurux_dlms.enums import InterfaceType

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.axdr import decode
from citytwin_edge.wire.dlms import Blocks, Keys, items, opened, places
from citytwin_edge.wire.dlms_cutters import MbusCutter
from citytwin_edge.wire.hdlc import HdlcCutter
from tests.edge.wire import meter_recordings as recorded

TITLE = b"CIT\x00\x00\x00\x00\x01"
KEY, AUTH = bytes(range(16)), bytes(range(16, 32))
BODY = bytes.fromhex("0f000000010002010600000532")


def sealed(plain, *, authenticated=True, encrypted=True, counter=7, key=KEY):
    """Cipher a message as dlms-cosem does."""
    control = SecurityControlField(
        security_suite=0, authenticated=authenticated, encrypted=encrypted
    )
    if encrypted:
        content = encrypt(control, TITLE, counter, key, plain, AUTH)
        content = content if authenticated else content[: len(plain)]
    else:
        content = plain
    inside = control.to_bytes() + counter.to_bytes(4) + content
    return b"\xdb\x08" + TITLE + b"\x82" + len(inside).to_bytes(2) + inside


def said(push):
    return {str(one.code): (one.value, one.scaler, one.unit) for one in items(push.body)}


def test_aidon_kaifa_iskra():
    aidon = said(opened(HdlcCutter().feed(recorded.AIDON)[0].data, Keys()))
    assert aidon["1-0:1.7.0"] == (1362, 0, "W")
    assert aidon["1-0:32.7.0"] == (2500, -1, "V")
    assert aidon["0-0:96.1.7"] == (b"6515", 0, "")
    iskra = said(opened(HdlcCutter().feed(recorded.ISKRA)[0].data, Keys()))
    assert iskra["1-0:1.8.2"] == (179501, 0, "W.h")
    assert iskra["0-0:96.1.1"] == (b"160456", 0, ""), "six octets behind a code are a value"
    kaifa = opened(HdlcCutter().feed(recorded.KAIFA)[0].data, Keys())
    assert items(kaifa.body) == []
    assert [one.value for one in places(kaifa.body)[3:]] == [
        948, 0, 0, 64, 1416, 3241, 3119, 2385, 0, 2389,
    ]  # fmt: skip


def test_ciphered_ones_of_kaifa_and_landis_gyr():
    (message,) = MbusCutter().feed(recorded.EVN)
    evn = opened(message.data, Keys(bytes.fromhex(recorded.EVN_KEY)))
    assert said(evn)["1-0:1.8.0"] == (12937, 0, "W.h")
    assert (evn.system_title, evn.counter, evn.is_authentic) == (b"KFMgP\0\0\x09", 35, False)
    keys = Keys(*map(bytes.fromhex, recorded.E450_KEYS))
    blocks = Blocks()
    joined = [blocks.feed(one.data) for one in HdlcCutter().feed(recorded.E450)]
    assert joined[:2] == [None, None]
    assert joined[2] is not None
    e450 = opened(joined[2], keys)
    assert e450.is_authentic
    assert said(e450)["1-0:1.8.0"] == (4408736, 0, "")


def test_a_list_that_says_first_what_it_is_of():
    energomera = opened(recorded.ENERGOMERA_PUSH, Keys())
    assert said(energomera) == {
        "0-0:96.5.134": (1, 0, ""),
        "0-0:42.0.0": (b"EMR0222173608710", 0, ""),
        "0-0:96.1.0": (b"012415173608710" + b"\0" * 17, 0, ""),
        "0-0:97.98.0": (16, 0, ""),
        "0-0:97.98.10": (65535, 0, ""),
    }, "attribute numbers of the description are not values"


@pytest.mark.parametrize(("authenticated", "encrypted"), [(True, True), (False, True)])
def test_what_dlms_cosem_ciphers(authenticated, encrypted):
    message = sealed(BODY, authenticated=authenticated, encrypted=encrypted)
    push = opened(message, Keys(KEY, AUTH))
    assert push.body == decode(BODY[6:])
    assert push.is_authentic is authenticated
    assert opened(message, Keys(KEY)).body == push.body, "without the key that checks, unchecked"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (Keys(), "needs key"),
        (Keys(AUTH, AUTH), "does not fit"),
        (Keys(KEY, KEY), "does not fit"),
        (Keys(AUTH), "wrong key"),
    ],
)
def test_wrong_keys(keys, why):
    with pytest.raises(DeviceMalformed, match=why):
        opened(sealed(BODY), keys)


def test_an_open_message_is_refused_where_there_is_a_key():
    with pytest.raises(DeviceMalformed, match="not ciphered"):
        opened(BODY, Keys(KEY))


def test_keys_show_nothing():
    assert repr(Keys(KEY, AUTH)) == "Keys(…)"


def test_a_missing_block():
    blocks, parts = Blocks(), [one.data for one in HdlcCutter().feed(recorded.E450)]
    assert blocks.feed(parts[0]) is None
    with pytest.raises(DeviceMalformed, match="block is missing"):
        blocks.feed(parts[2])
    with pytest.raises(DeviceMalformed):
        Blocks().feed(parts[1])


def test_the_same_as_gurux():
    """Gurux decodes the same message into XML with the same numbers."""
    translator: Any = GXDLMSTranslator()
    translator.interfaceType = InterfaceType.PDU
    apdu = HdlcCutter().feed(recorded.AIDON)[0].data
    xml = translator.pduToXml(apdu)
    for value, _, _ in said(opened(apdu, Keys())).values():
        shown = value.decode() if isinstance(value, bytes) else f"{value:X}"
        assert shown in xml


def test_ten_thousand_mutations_of_an_authentic_message_never_pass():
    pick, message, keys = random.Random(5), sealed(BODY), Keys(KEY, AUTH)
    for _ in range(10_000):
        bad = bytearray(message)
        for _ in range(pick.randint(1, 3)):
            bad[pick.randrange(len(bad))] ^= 1 << pick.randrange(8)
        if bytes(bad) == message:
            continue
        with pytest.raises(DeviceMalformed):
            opened(bytes(bad), keys)
