"""Sealed telegrams: ciphered by dlms-cosem, opened here; any split, wrong keys, repetition."""

from hypothesis import given

from citytwin_edge.wire.dlms import Keys
from citytwin_edge.wire.sealed_telegrams import SealedTelegramCutter
from tests.edge.wire.cuts import PLACES, fed, good
from tests.edge.wire.meter_recordings import DSMR5
from tests.edge.wire.test_dlms import AUTH, KEY, sealed

KEYS = Keys(KEY, AUTH)
STREAM = b"\xdb" + sealed(DSMR5, counter=1) + b"\xdb\x08" + sealed(DSMR5, counter=2)


def test_telegrams_are_opened():
    assert good(SealedTelegramCutter(KEYS, crc=True).feed(STREAM)) == [DSMR5[:-6]] * 2


@given(PLACES)
def test_any_split_says_the_same(places):
    whole = fed(SealedTelegramCutter(KEYS, crc=True), STREAM)
    assert fed(SealedTelegramCutter(KEYS, crc=True), STREAM, places) == whole


def test_a_wrong_key_or_a_repeated_telegram_is_broken():
    (message,) = SealedTelegramCutter(Keys(AUTH, AUTH), crc=True).feed(sealed(DSMR5))
    assert "does not fit" in message.broken
    (message,) = SealedTelegramCutter(Keys(AUTH), crc=True).feed(sealed(DSMR5))
    assert "wrong key" in message.broken
    cutter = SealedTelegramCutter(KEYS, crc=True)
    assert good(cutter.feed(sealed(DSMR5, counter=5))) == [DSMR5[:-6]]
    for counter in (5, 4):
        assert "sent before" in cutter.feed(sealed(DSMR5, counter=counter))[0].broken


def test_garbage_is_left_out():
    cutter = SealedTelegramCutter(KEYS, crc=True)
    assert cutter.feed(b"\xdb\x08" * 3000) == []
    assert cutter.skipped > 5000
    assert good(cutter.feed(sealed(DSMR5))) == [DSMR5[:-6]]
