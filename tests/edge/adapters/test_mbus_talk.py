"""M-Bus talk: frame count bits, repeats, several telegrams, answers of others."""

from __future__ import annotations

import math

import pytest

from citytwin.errors import DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin_edge.wire.mbus_frames import long_frame
from tests.edge.mbus_meters import VOLUME, Meter, build, bus
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import opened

DATA = bytes.fromhex("04 13 15 31 00 00")
SEVERAL = (DATA + b"\x1f", b"\x04\x06\x01\x00\x00\x00\x1f", b"\x04\x2b\x02\x00\x00\x00")
ENERGY = {"record": {"quantity": "energy"}, "unit": "kW.h"}
POWER = {"record": {"quantity": "power"}, "unit": "W"}


def controls(line):
    return [f"{frame.control:02X}" for frame in line.asked]


async def test_a_reading_begins_anew(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5)) as line:
        async with opened(build(new_site(), [VOLUME], serial=port, address=5)) as adapter:
            for _ in range(2):
                assert (await adapter.read()).value.tolist() == [12.565]
        assert controls(line) == ["40", "7B"] * 2


async def test_without_a_new_beginning_the_count_goes_on(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5)) as line:
        adapter = build(new_site(), [VOLUME], serial=port, address=5, initialise=False)
        async with opened(adapter):
            for _ in range(3):
                await adapter.read()
        assert controls(line) == ["7B", "5B", "7B"]


async def test_several_telegrams(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", SEVERAL, address=5)) as line:
        points = [VOLUME, ENERGY, POWER]
        async with opened(build(new_site(), points, serial=port, address=5)) as adapter:
            for _ in range(2):
                assert (await adapter.read()).value.tolist() == [12.565, 1, 2]
        assert controls(line) == ["40", "7B", "5B", "7B"] * 2


async def test_a_meter_that_never_ends_is_left_after_telegrams_max(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", (DATA + b"\x1f",), address=5)) as line:
        adapter = build(new_site(), [VOLUME], serial=port, address=5, telegrams_max=4)
        async with opened(adapter):
            assert (await adapter.read()).value.tolist() == [12.565]
        assert len(controls(line)) == 5


async def test_selection_by_secondary_address(tmp_path):
    port = str(tmp_path / "port")
    other = Meter("06855818", SEVERAL)
    async with bus(port, Meter("06855817"), other) as line:
        async with opened(build(new_site(), [POWER], serial=port, id="06855818")) as adapter:
            for _ in range(2):
                assert (await adapter.read()).value.tolist() == [2]
        assert controls(line) == ["53", "7B", "5B", "7B"] * 2


async def test_selection_by_fabrication_number(tmp_path):
    port = str(tmp_path / "port")
    twins = [Meter("06855817", fabrication="00000001"),
             Meter("06855817", (b"\x04\x13\x05\x00\x00\x00",), fabrication="00000002")]  # fmt: skip
    async with bus(port, *twins):
        adapter = build(new_site(), [VOLUME], serial=port, id="06855817", fabrication="00000002")
        async with opened(adapter):
            assert (await adapter.read()).value.tolist() == [0.005]


async def test_a_disturbed_answer_is_asked_for_again_with_the_same_count(tmp_path):
    port = str(tmp_path / "port")
    meter = Meter("06855817", address=5, spoil=2)
    async with bus(port, meter) as line:
        async with opened(build(new_site(), [VOLUME], serial=port, address=5)) as adapter:
            assert (await adapter.read()).value.tolist() == [12.565]
            assert controls(line) == ["40", "7B", "7B", "7B"]
            meter.spoil = 3
            with pytest.raises(DeviceMalformed, match="its checksum is wrong"):
                await adapter.read()


async def test_noise_before_an_answer_does_no_harm(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5, noise=b"\x00\x68\xff\x68\x04")):
        async with opened(build(new_site(), [VOLUME], serial=port, address=5)) as adapter:
            assert (await adapter.read()).value.tolist() == [12.565]


async def test_a_silent_meter_is_asked_once_only_the_next_time(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5, is_dead=True)) as line:
        async with opened(build(new_site(), [VOLUME], serial=port, address=5)) as adapter:
            for asked in (3, 4, 5):
                with pytest.raises(DeviceSilent, match=r"meter 5 at .* gave no answer in time"):
                    await adapter.read()
                assert len(line.asked) == asked
            line.meters[0].is_dead = False
            assert (await adapter.read()).value.tolist() == [12.565]


async def test_two_meters_with_one_address_are_no_value(tmp_path):
    port = str(tmp_path / "port")
    meters = [Meter("06855817", address=5), Meter("16855818", SEVERAL, address=5)]
    async with bus(port, *meters):
        async with opened(build(new_site(), [VOLUME], serial=port, address=5)) as adapter:
            with pytest.raises(DeviceMalformed, match="what came is no answer"):
                await adapter.read()


async def test_another_meter_than_the_one_that_is_meant(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5)):
        adapter = build(new_site(), [VOLUME], serial=port, address=5, id="06855818")
        async with opened(adapter):
            with pytest.raises(DeviceMalformed, match=r"06855817\.KAM\.8\.4 answered instead of"):
                await adapter.read()


async def test_whoever_is_there(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5)):
        async with opened(build(new_site(), [VOLUME], serial=port, address=254)) as adapter:
            assert (await adapter.read()).value.tolist() == [12.565]


async def test_an_application_reset_where_it_is_wanted(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5)) as line:
        adapter = build(new_site(), [VOLUME], serial=port, address=5, application_reset=0x10)
        async with opened(adapter):
            assert (await adapter.read()).value.tolist() == [12.565]
        reset = line.asked[1]
        assert (reset.control, reset.ci, reset.data) == (0x53, 0x50, b"\x10")


async def test_an_echo_on_the_line(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5), echo=True):
        async with opened(build(new_site(), [VOLUME], serial=port, address=5, echo=True)) as one:
            assert (await one.read()).value.tolist() == [12.565]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (long_frame(0x08, 5, 0x70, b"\x08"), DeviceRefused, "application busy"),
        (long_frame(0x08, 6, 0x78, DATA), DeviceMalformed, "meter 6 answered instead of 5"),
        (long_frame(0x53, 5, 0x78, DATA), DeviceMalformed, "control field 53 is no answer"),
        (long_frame(0x08, 5, 0x78, b"\x04"), DeviceMalformed, "within the VIF"),
    ],
)
async def test_answers_that_are_none(tmp_path, answer, error, words):
    port = str(tmp_path / "port")
    meter = Meter("06855817", address=5)
    async with bus(port, meter) as line:
        line.meters[0].always = answer
        async with opened(build(new_site(), [VOLUME], serial=port, address=5)) as adapter:
            with pytest.raises(error, match=words):
                await adapter.read()
            (probed,) = await adapter.probe()
            assert math.isnan(probed.value)
            assert words in probed.note
