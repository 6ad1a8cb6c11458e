"""Cayenne LPP: the published examples, every type, and what is broken."""

import contextlib

import pytest
from cayennelpp import LppFrame
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.cayenne import KINDS, LppField
from citytwin_edge.wire.payload import Absent


def read(name, data):
    return LppField(name).find(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("name", "data", "value"),
    [
        # The examples of myDevices' document of Cayenne LPP.
        ("temperature_3", "03 67 01 10 05 67 00 FF", 27.2),
        ("temperature_5", "03 67 01 10 05 67 00 FF", 25.5),
        ("temperature_1", "01 67 FF D7 06 71 04 D2 FB 2E 00 00", -4.1),
        ("accelerometer_6.x", "01 67 FF D7 06 71 04 D2 FB 2E 00 00", 1.234),
        ("accelerometer_6.y", "01 67 FF D7 06 71 04 D2 FB 2E 00 00", -1.234),
        ("accelerometer_6.z", "01 67 FF D7 06 71 04 D2 FB 2E 00 00", 0.0),
        ("gps_1.latitude", "01 88 06 76 5f f2 96 0a 00 03 e8", 42.3519),
        ("gps_1.longitude", "01 88 06 76 5f f2 96 0a 00 03 e8", -87.9094),
        ("gps_1.altitude", "01 88 06 76 5f f2 96 0a 00 03 e8", 10.0),
        # Every other type, worked out from their sizes and steps.
        ("digital_in_0", "00 00 01", 1.0), ("digital_out_255", "FF 01 64", 100.0),
        ("analog_in_2", "02 02 80 00", -327.68), ("analog_out_2", "02 03 04 D2", 12.34),
        ("generic_1", "01 64 FF FF FF FF", 4_294_967_295.0),
        ("luminosity_1", "01 65 FF FF", 65_535.0), ("presence_1", "01 66 01", 1.0),
        ("relative_humidity_1", "01 68 7D", 62.5), ("barometric_pressure_1", "01 73 27 73", 1009.9),
        ("voltage_1", "01 74 5A 00", 230.4), ("current_1", "01 75 30 39", 12.345),
        ("frequency_1", "01 76 33 BC A1 00", 868_000_000.0), ("percentage_1", "01 78 37", 55.0),
        ("altitude_1", "01 79 FF 9C", -100.0), ("concentration_1", "01 7D 01 90", 400.0),
        ("power_1", "01 80 0B B8", 3000.0), ("distance_1", "01 82 00 00 30 39", 12.345),
        ("energy_1", "01 83 00 01 E2 40", 123.456), ("direction_1", "01 84 01 67", 359.0),
        ("time_1", "01 85 69 55 B9 00", 1_767_225_600.0),
        ("gyrometer_1.y", "01 86 00 01 FF FF 00 00", -0.01), ("colour_1.b", "01 87 01 02 03", 3.0),
        ("switch_1", "01 8E 01", 1.0),
    ],
)  # fmt: skip
def test_values(name, data, value):
    assert read(name, data) == pytest.approx(value, abs=1e-9)


def test_every_type_was_tried():
    (mark,) = vars(test_values)["pytestmark"]
    tried = {name.rpartition("_")[0] for name, _, _ in mark.args[1]}
    assert tried == {kind.name for kind in KINDS.values()}


def test_the_last_of_several_counts_and_what_precedes_a_strange_one():
    assert read("temperature_1", "01 67 00 0A 01 67 00 14") == 2.0
    assert read("temperature_1", "01 67 00 0A 02 EE 00 14") == 1.0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("01 67 00", "ends within a temperature"), ("01", "ends too soon at byte 0"),
        ("09 EE 00 01 67 00 0A", "unknown type 238 at byte 0"),
    ],
)  # fmt: skip
def test_broken(data, says):
    with pytest.raises(DeviceMalformed, match=says):
        read("temperature_1", data)


@pytest.mark.parametrize("data", ["", "02 67 00 0A", "01 68 7D"])
def test_absent(data):
    with pytest.raises(Absent, match="no temperature_1"):
        read("temperature_1", data)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("temperature", "write a type and its channel"), ("warmth_1", "types are digital_in,"),
        ("temperature_256", "no value of Cayenne"), ("gps_1", "there is gps_1.latitude, gps_1.lo"),
        ("temperature_1.x", "there is temperature_1 alone"), ("gps_1.x", "there is gps_1.lat"),
    ],
)  # fmt: skip
def test_names_that_are_none(name, says):
    with pytest.raises(ValueError, match=says):
        LppField(name)


@given(st.binary(max_size=60))
def test_whatever_comes_is_a_number_absent_or_malformed(data):
    for name in ("temperature_1", "gps_0.altitude"):
        with contextlib.suppress(DeviceMalformed):
            assert abs(LppField(name).find(data)) < 1e6


# ---- beside pycayennelpp, which we did not write
@given(
    st.lists(
        st.tuples(
            st.integers(0, 255), st.sampled_from(sorted(KINDS)), st.binary(min_size=9, max_size=9)
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda one: (one[0], one[1]),
    )
)
def test_every_type_is_read_as_another_decoder_reads_it(values):
    payload = b"".join(
        bytes([channel, code]) + raw[: sum(KINDS[code].sizes)] for channel, code, raw in values
    )
    theirs = LppFrame.from_bytes(payload)
    assert len(theirs) == len(values)
    for one in theirs:
        kind = KINDS[int(one.type)]
        for part, value in zip(kind.parts, one.value, strict=True):
            name = f"{kind.name}_{one.channel}" + (f".{part}" if part else "")
            assert LppField(name).find(payload) == pytest.approx(value, abs=1e-9), name


def test_what_another_encoder_writes_is_read():
    frame = LppFrame()
    frame.add_temperature(3, -27.2)
    frame.add_humidity(4, 61.5)
    frame.add_gps(1, 43.2567, 76.9286, 812.5)
    frame.add_energy(9, 12345.678)
    payload = bytes(frame)
    wanted = {
        "temperature_3": -27.2, "relative_humidity_4": 61.5, "gps_1.latitude": 43.2567,
        "gps_1.longitude": 76.9286, "gps_1.altitude": 812.5, "energy_9": 12345.678,
    }  # fmt: skip
    assert {name: LppField(name).find(payload) for name in wanted} == pytest.approx(wanted)
