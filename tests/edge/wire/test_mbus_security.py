"""M-Bus security: known answers, and keys that are not the meter's."""

from __future__ import annotations

import pytest

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.mbus_security import (
    Config,
    Sender,
    cbc,
    check_mac,
    config_of,
    ctr,
    decrypt,
    derived,
    mac,
)

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
"""Of the examples of RFC 4493 and NIST SP 800-38A, appendix F."""
PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")


def test_known_answers():
    assert mac(KEY, b"").hex() == "bb1d6929e95937287fa37d129b756746"
    assert mac(KEY, PLAIN).hex() == "070a16b46b4d4144f79bdd9dd04a287c"
    start = bytes(range(16))
    assert cbc(KEY, start, bytes.fromhex("7649abac8119b246cee98e9b12e9197d")) == PLAIN
    counter = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    assert ctr(KEY, counter, bytes.fromhex("874d6191b620e3261bef6864990db6ce")) == PLAIN


def test_keys_of_one_message():
    """CEN/TR 17167:2018, F.3: both keys of its example of security mode 7."""
    address = bytes.fromhex("9315785634123303")
    sender = Sender(address, 0, bytes.fromhex("B30A0000"))
    key = bytes(range(16))
    assert derived(key, sender, 0).hex().upper() == "ECCF39D475D730B8284FDFDC1995D52F"
    assert derived(key, sender, 1).hex().upper() == "C9CD19FF5A9AAD5A6BBDA13BD2C4C7AD"
    with pytest.raises(DeviceMalformed, match="needs a message counter"):
        derived(key, Sender(address, 0), 0)


def test_the_configuration_field():
    assert config_of(0x0000) == Config()
    assert config_of(0x2520) == Config(5, 2)
    assert config_of(0x0720, 0x10) == Config(7, 2, 1)
    assert config_of(0x0800) == Config(8)
    assert config_of(0xFFFF) == Config(), "a signature of old"
    assert config_of(0x7545, is_radio=True) == Config(5, 4), "a Sharky 775 by radio"
    assert config_of(0x0500).is_clear
    assert not config_of(0x0800).is_clear


@pytest.mark.parametrize(
    ("config", "key", "words"),
    [
        (Config(5, 1), b"", "encrypted .security mode 5.: give the meter's key"),
        (Config(5, 1), KEY, "the key is not the meter's"),
        (Config(5, 3), KEY, "48 bytes should be encrypted, but there are 16"),
        (Config(7, 1, 2), KEY, "key derivation 2"),
        (Config(7, 1, 1), KEY, "needs a message counter"),
        (Config(13), KEY, "security mode 13 is not supported"),
    ],
)
def test_what_cannot_be_opened(config, key, words):
    with pytest.raises(DeviceMalformed, match=words) as caught:
        decrypt(config, bytes(16), key, Sender(bytes(8), 0))
    assert KEY.hex() not in str(caught.value).lower()


def test_what_is_clear_stays():
    assert decrypt(Config(5, 0), b"abc", b"", Sender(bytes(8), 0)) == b"abc"


def test_a_wrong_authentication_code():
    sender = Sender(bytes(8), 0, bytes(4))
    said = mac(derived(KEY, sender, 1), b"abc")[:8]
    check_mac(KEY, sender, b"abc", said)
    with pytest.raises(DeviceMalformed, match="authentication code is wrong"):
        check_mac(KEY, sender, b"abd", said)
