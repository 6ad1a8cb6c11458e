"""Captures: what went over a real line becomes a golden case that proves the profile."""

import pytest

from citytwin.adapter import Direction, Exchange, Tapped
from citytwin.errors import DeviceError
from citytwin_edge.catalogue.golden import check
from citytwin_edge.catalogue.profile import load as load_profile
from citytwin_edge.catalogue.shelf import Shelf
from citytwin_edge.commissioning.capturing import (
    agree,
    capture,
    capture_running,
    case_text,
    differences,
    paired,
)
from citytwin_edge.config import load as load_gateway
from citytwin_edge.device_tables import Owner
from tests.edge.commissioning.sdm120 import meter
from tests.edge.commissioning.test_plausible import configured
from tests.edge.console import console_scenes as scenes
from tests.edge.modbus_devices import device, new_site, tcp_server


def seen(*parts):
    return [Tapped(0, "line", "d", way, data, note) for way, data, note in parts]


TX, RX = Direction.SENT, Direction.RECEIVED


@pytest.mark.parametrize(
    ("parts", "exchanges"),
    [
        ([(TX, b"?", ""), (RX, b"a", ""), (RX, b"b", ""), (TX, b"!", ""), (RX, b"c", "")],
         [Exchange(b"?", b"ab"), Exchange(b"!", b"c")]),
        ([(TX, b"?", ""), (TX, b"!", ""), (RX, b"c", "")], [Exchange(b"!", b"c")]),
        ([(RX, b"a", ""), (RX, b"b", "")], [Exchange(b"", b"a"), Exchange(b"", b"b")]),
        ([(RX, b"a", "t/1"), (RX, b"b", "t/2")], [Exchange(b"t/1", b"a"), Exchange(b"t/2", b"b")]),
        ([(TX, b"?", "")], []),
    ],
)  # fmt: skip
def test_answers_are_put_to_what_was_asked(parts, exchanges):
    assert paired(seen(*parts)) == exchanges


async def test_a_capture_of_a_real_meter_proves_its_profile(tmp_path):
    async with meter() as port:
        device, profile = configured(tmp_path, port)
        captured = await capture(device, new_site())
    assert len(captured.exchanges) == len(device.points)
    display = {"voltage": 231.4, "power": 0.95e3}
    assert differences(captured, display) == []
    folder = tmp_path / "profiles" / "eastron"
    folder.mkdir(parents=True)
    path = folder / "sdm120.toml"
    path.write_text(profile.path.read_text())
    path.with_name("sdm120.frames.toml").write_text(case_text(captured, "captured", display))
    shelf = Shelf([tmp_path / "profiles"])
    assert list(check(load_profile(path, "eastron/sdm120"), Owner("g", None, shelf))) == []


async def test_a_display_that_shows_something_else_is_told(tmp_path):
    async with meter(swapped=True) as port:
        device, _ = configured(tmp_path, port)
        captured = await capture(device, new_site())
    (said,) = differences(captured, {"voltage": 231.4})
    assert said.startswith("voltage: the display shows 231.4, the frames say 2.7")
    assert "no value of it" in differences(captured, {"frequency-2": 50.0})[0]


async def test_a_silent_device_leaves_nothing_to_keep(tmp_path):
    async with meter() as port:
        pass
    device, _ = configured(tmp_path, port, "connect_timeout_s = 0.3\n")
    with pytest.raises(DeviceError, match="device m: nothing was heard of it"):
        await capture(device, new_site())


@pytest.mark.parametrize(
    ("value", "shown", "same"),
    [(230.21, 230.2, True), (230.0, 233.0, False), (0.04, 0.0, True), (12.0, 12, True),
     (1e-9, 0.1, True), ("ok", "ok ", True), ("ok", "no", False), (5.0, "5", False)],
)  # fmt: skip
def test_a_display_rounds(value, shown, same):
    assert agree(value, shown) is same


async def test_a_capture_through_a_running_agent_has_the_bytes_of_its_line(tmp_path):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        async with scenes.running(tmp_path, scenes.tcp("d", port)) as gateway:
            (one,) = load_gateway(gateway.folder / "edge.toml").devices
            captured = await capture_running(gateway.state, one)
    assert {row["point"]: row["value"] for row in captured.rows} == {"flow": 10.0, "level": 7.0}
    assert captured.readings["flow"].value == 10.0
    assert all(exchange.request for exchange in captured.exchanges)
