"""Exchanges of Bluetooth devices, decoded without them."""

import math

import pytest

from citytwin import Quality
from citytwin.adapter import Decodes, Exchange
from citytwin.errors import DeviceMalformed
from citytwin_edge.adapters.ble import BLE
from citytwin_edge.adapters.ble_frames import frames
from tests.edge.ble_devices import bound, device, new_site

TAG = "CB:B8:33:4C:88:4F"
RAWV2 = "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
POINTS = {
    "temperature": {"field": "temperature", "unit": "Cel"},
    "signal": {"field": "rssi", "unit": "dB[mW]"},
    "co2": {"field": "co2", "unit": "[ppm]"},
}


def exchange(request, response):
    return Exchange(request.encode(), bytes.fromhex(response))


def decoded(points, exchanges, **settings):
    own = device(new_site(), points, **settings)._settings
    return BLE.decode(own, bound("tag", points), exchanges, new_site())


def test_what_was_heard():
    assert isinstance(BLE, Decodes)
    said = decoded(POINTS, [exchange(f"{TAG} company:0499 rssi:-67", RAWV2)], format="ruuvi")
    assert [(one.point, one.value, one.quality) for one in said] == [
        (0, 24.3, Quality.GOOD), (1, -67.0, Quality.GOOD),
    ]  # fmt: skip
    assert said[0].raw == bytes.fromhex(RAWV2)
    (only,) = decoded(POINTS, [exchange(f"{TAG.lower()} company:0499", RAWV2)], format="ruuvi")
    assert only.value == 24.3
    assert decoded(POINTS, [], format="ruuvi") == []


def test_of_several_the_last_counts_and_what_is_wrong_is_bad():
    later = RAWV2.replace("12FC", "1300").replace("00CD", "00CE")
    pair = [exchange(f"{TAG} company:0499", one) for one in (RAWV2, later)]
    assert decoded(POINTS, pair, format="ruuvi")[0].value == 24.32
    pair.append(exchange(f"{TAG} company:0499", RAWV2[:-2]))
    wrong = decoded(POINTS, pair, format="ruuvi")[0]
    assert wrong.quality == Quality.BAD_MALFORMED
    assert math.isnan(wrong.value)
    assert "too few" in wrong.note


def test_what_was_read():
    points = {"t": {"characteristic": "2a6e", "at": 0, "type": "int16", "unit": "Cel"}}
    request = f"{TAG} characteristic:2a6e"
    (one,) = decoded(points, [exchange(request, "9a09")], mode="polled")
    assert one.value == 2458
    with pytest.raises(DeviceMalformed, match="no point is of the characteristic"):
        decoded(points, [exchange(f"{TAG} characteristic:2a6f", "9a09")], mode="polled")
    with pytest.raises(DeviceMalformed, match="is a characteristic, not an advertisement"):
        decoded(POINTS, [exchange(request, "9a09")], format="ruuvi")


@pytest.mark.parametrize(
    "request_",
    ["", TAG, f"{TAG} company", f"{TAG} company:499", f"{TAG} person:0499", "CB:B8 company:0499",
     f"{TAG} company:0499 lqi:3", f"{TAG} company:0499 rssi:x", f"{TAG} characteristic:2"],
)  # fmt: skip
def test_requests_that_say_nothing(request_):
    with pytest.raises(DeviceMalformed, match="is not one such as"):
        frames([exchange(request_, "00")])


def test_one_device_at_a_time():
    with pytest.raises(DeviceMalformed, match="several devices"):
        frames(
            [
                exchange(f"{TAG} company:0499", "00"),
                exchange("00:" + TAG[3:] + " service:fcd2", "00"),
            ]
        )
