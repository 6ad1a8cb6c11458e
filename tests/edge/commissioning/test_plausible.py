"""What cannot be is told, and the order of bytes with which it could be is found."""

import pytest

from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.commissioning.plausible import hint, judge
from citytwin_edge.config import load
from citytwin_edge.probing import probe_device
from tests.edge.commissioning.sdm120 import VALUES, meter
from tests.edge.modbus_devices import new_site

SHELF = Shelf([OURS])


def configured(folder, port, more=""):
    path = folder / "edge.toml"
    path.write_text(
        '[gateway]\nname = "g"\n[[device]]\nname = "m"\nprofile = "eastron/sdm120"\n'
        f'host = "127.0.0.1"\nport = {port}\nunit = 3\n{more}'
    )
    return load(path).devices[0], SHELF.profile("eastron/sdm120")


async def tried(folder, more="", **meter_options):
    async with meter(**meter_options) as port:
        device, profile = configured(folder, port, more)
        judged = judge(device, await probe_device(device, new_site()), profile)
        return judged, await hint(device, judged, profile, new_site())


async def test_a_good_meter_is_plausible(tmp_path):
    judged, better = await tried(tmp_path)
    assert {row["plausible"] for row in judged.rows} == {"ok"}
    assert judged.sense == len(judged.rows)
    assert better is None


async def test_a_wrong_word_order_is_seen_and_the_right_one_found(tmp_path):
    judged, better = await tried(tmp_path, swapped=True)
    voltage = judged.rows[0]
    assert voltage["plausible"].startswith("implausible: outside 0 … ")
    assert better is not None
    assert (better.field, better.value) == ("order", "CDAB")
    assert better.judged.sense == len(better.judged.rows) > judged.sense


async def test_addresses_that_are_off_by_one_are_found(tmp_path):
    points = "".join(
        f'[[device.point]]\nname = "{name}"\naddress = {address + 1}\n'
        for name, address in [
            ("voltage", 0), ("current", 6), ("power", 12), ("apparent-power", 18),
            ("reactive-power", 24), ("power-factor", 30), ("frequency", 70),
            ("energy-import", 72), ("energy-export", 74), ("reactive-energy-import", 76),
            ("reactive-energy-export", 78),
        ]
    )  # fmt: skip
    _, better = await tried(tmp_path, points)
    assert better is not None
    assert (better.field, better.value) == ("one_based", True)


@pytest.mark.parametrize(
    ("register", "value", "point", "words"),
    [
        (12, 9500.0, "power", "P = S·cos φ: active_power is 9500"),
        (70, 5001.0, "frequency", "outside 0 … 1000 Hz"),
        (70, 75.0, "frequency", "outside 40 … 70 Hz"),
        (72, -5.0, "energy-import", "outside 0 … inf kW.h"),
    ],
)
async def test_one_value_that_cannot_be_is_named(tmp_path, register, value, point, words):
    judged, _ = await tried(tmp_path, values={**VALUES, register: value})
    remarks = {row["point"]: row["plausible"] for row in judged.rows if row["plausible"] != "ok"}
    assert words in remarks[point]


async def test_a_silent_device_has_nothing_to_judge(tmp_path):
    judged, better = await tried(tmp_path, more="reply_timeout_s = 0.1\n", unit=4)
    assert {row["plausible"] for row in judged.rows} == {"not read"}
    assert better is None
