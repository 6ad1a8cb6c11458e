"""scan and add, as a technician uses them, against a real meter's server."""

import asyncio
import json

import pytest
from serial.tools.list_ports_common import ListPortInfo

from citytwin_edge.adapters import connection_ports
from citytwin_edge.cli import main
from citytwin_edge.cli.commissioning import IMPLAUSIBLE, NOTHING
from citytwin_edge.commissioning import scanning
from citytwin_edge.config import load
from tests.edge.cli.cli_scenes import dialogue, ran
from tests.edge.commissioning.sdm120 import meter
from tests.edge.modbus_devices import peer_of_one


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def place(port, *more):
    return ["--set", "host=127.0.0.1", "--set", f"port={port}", "--set", "unit=3", *more]


async def test_a_meter_is_added_without_a_question(here, capsys):
    async with meter() as port:
        assert await ran("add", "eastron/sdm120", "--yes", "--gateway", "ph-7", *place(port)) == 0
    said = capsys.readouterr().out
    assert "edge.toml: sdm120 is added; 1 devices, 11 points" in said
    config = load(here / "edge.toml")
    assert (config.name, config.devices[0].settings.unit) == ("ph-7", 3)


async def test_a_meter_that_says_nonsense_is_not_added(here, capsys):
    async with meter(swapped=True) as port:
        assert await ran("add", "eastron/sdm120", "--yes", *place(port)) == IMPLAUSIBLE
        said = capsys.readouterr()
        assert "order = CDAB makes 11 instead of" in said.err
        assert "sdm120 was not added" in said.err
        assert not (here / "edge.toml").exists()
        again = ["--set", "order=CDAB", "--json"]
        assert await ran("add", "sdm120", "--yes", *place(port, *again)) == 0
        rows = json.loads(capsys.readouterr().out)
        assert {row["plausible"] for row in rows} == {"ok"}


async def test_a_silent_meter_is_added_only_if_that_is_wished(here, capsys):
    async with meter(unit=9) as port:
        more = place(port, "--set", "reply_timeout_s=0.1")
        assert await ran("add", "eastron/sdm120", "--yes", *more) == IMPLAUSIBLE
        assert await ran("add", "eastron/sdm120", "--yes", "--anyway", *more) == 0
    assert load(here / "edge.toml").devices[0].name == "sdm120"


async def test_words_that_fit_several_profiles_name_them(here, capsys):
    assert await ran("add", "eastron", "--yes") == 1
    said = capsys.readouterr().err
    assert "which profile is" in said
    assert "eastron/sdm120, eastron/sdm230" in said


async def test_a_dialogue_asks_for_what_is_missing_and_offers_the_better_order(here):
    """In a real terminal, as a technician answers it."""
    async with meter(swapped=True) as port:
        answers = [
            ("unit: ", "3"),
            ("name on this gateway [sdm120]: ", "hall"),
            ("use order = CDAB: yes or no [no]: ", "yes"),
        ]
        said = await asyncio.to_thread(
            dialogue, here, answers,
            ["add", "eastron/sdm120", "--set", "host=127.0.0.1", "--set", f"port={port}"],
        )  # fmt: skip
    assert "hall is added" in said
    (device,) = load(here / "edge.toml").devices
    assert (device.name, device.settings.order) == ("hall", "CDAB")


async def test_a_scan_shows_what_answers(here, capsys):
    async with meter() as port:
        where = ["--host", "127.0.0.1", "--set", f"port={port}", "--units", "3"]
        assert await ran("scan", "modbus", *where) == 0
        said = capsys.readouterr()
    assert "looking: modbus" in said.err
    header, row = said.out.splitlines()
    assert header.split() == ["adapter", "where", "address", "says", "dBm", "profile"]
    assert "unit = 3  answers" in row


async def test_a_scan_that_takes_too_long_shows_what_it_has_met(here, capsys, monkeypatch):
    monkeypatch.setattr(scanning, "SCAN_S_MAX", 2.0)
    async with peer_of_one(3).on_tcp() as port:
        where = ["--host", "127.0.0.1", "--set", f"port={port}", "--set", "reply_timeout_s=60"]
        assert await ran("scan", "modbus", "--json", "--units", "3-5", *where) == 0
        assert await ran("scan", "modbus", "--units", "4-5", *where) == 1
    said = capsys.readouterr()
    assert '"address": "unit = 3"' in said.out
    assert said.err.count("citytwin-edge: the scan ended after 2 s; there may be more") == 2


def test_mistakes_of_a_scan_are_told(here, capsys):
    assert main(["scan", "modbus", "--host", "127.0.0.1", "--units", "a-b"]) == 1
    assert "--units a-b: write 1-32" in capsys.readouterr().err
    assert main(["scan", "magic"]) == 1
    assert 'there is no adapter "magic"' in capsys.readouterr().err


def test_ports_are_listed(here, capsys, monkeypatch):
    code = main(["scan", "ports", "--json"])
    assert code == (0 if json.loads(capsys.readouterr().out) else NOTHING)
    plugged = ListPortInfo("/dev/ttyUSB7")
    plugged.description, plugged.vid, plugged.pid = "FT232R USB UART", 0x0403, 0x6001
    for ports, wanted in (([plugged], 0), ([], NOTHING)):
        monkeypatch.setattr(connection_ports, "comports", lambda found=ports, **_: found)
        assert main(["scan", "ports"]) == wanted
    said = capsys.readouterr().out
    assert "/dev/ttyUSB7  FT232R USB UART  0403:6001" in said
    assert said.endswith("(none)\n")
