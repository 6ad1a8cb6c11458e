"""scan and add, as a technician uses them, against a real meter's server."""

import asyncio
import json
import os
import termios
from collections import Counter

import pytest
from serial.tools.list_ports_common import ListPortInfo

from citytwin_edge.adapters import connection_ports
from citytwin_edge.cli import main
from citytwin_edge.cli.commissioning import IMPLAUSIBLE, NOTHING
from citytwin_edge.commissioning import scanning
from citytwin_edge.config import load
from tests.edge.cli.cli_scenes import dialogue, ran
from tests.edge.commissioning.sdm120 import meter
from tests.edge.modbus_devices import Peer, peer_of_one, registers, settled


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def place(port, *more):
    return ["--set", "host=127.0.0.1", "--set", f"port={port}", "--set", "unit=3", *more]


async def nobody(*_):
    """Answer nothing."""
    return []


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
        told = json.loads(capsys.readouterr().out)
        assert {row["plausible"] for row in told["points"]} == {"ok"}
        assert (told["added"], told["suggestion"], told["file"]) == (True, None, "edge.toml")
        assert told["device"] == {
            "name": "sdm120", "profile": "eastron/sdm120", "host": "127.0.0.1", "port": port,
            "unit": 3, "order": "CDAB",
        }  # fmt: skip


async def test_scripts_read_one_object_with_the_suggestion_whatever_comes_of_it(here, capsys):
    more = ["--json", "--set", "reply_timeout_s=0.1"]
    async with meter(swapped=True) as port:
        assert await ran("add", "sdm120", "--yes", *place(port, *more)) == IMPLAUSIBLE
        told = json.loads(capsys.readouterr().out)
        assert list(told) == ["added", "file", "device", "points", "suggestion"]
        assert told["added"] is False
        assert told["suggestion"] == {"field": "order", "value": "CDAB", "sense": 11}
        assert len(told["points"]) == 11
    async with Peer(nobody).on_tcp() as port:
        assert await ran("add", "sdm120", "--yes", *place(port, *more)) == IMPLAUSIBLE
        told = json.loads(capsys.readouterr().out)
        assert (told["added"], told["suggestion"]) == (False, None)
        assert {row["quality"] for row in told["points"]} == {"bad: silent"}
    assert not (here / "edge.toml").exists()


async def test_a_silent_meter_is_added_only_if_that_is_wished(here, capsys):
    async with meter(unit=9) as port:
        more = place(port, "--set", "reply_timeout_s=0.1")
        assert await ran("add", "eastron/sdm120", "--yes", *more) == IMPLAUSIBLE
        assert await ran("add", "eastron/sdm120", "--yes", "--anyway", *more) == 0
    assert load(here / "edge.toml").devices[0].name == "sdm120"


async def test_a_silent_meter_is_one_sentence_and_what_to_do(here, capsys):
    async with Peer(nobody).on_tcp() as port:
        more = place(port, "--set", "reply_timeout_s=0.1")
        assert await ran("add", "eastron/sdm120", "--yes", *more) == IMPLAUSIBLE
    said = capsys.readouterr()
    assert said.out == "", "no table of points that were not asked"
    assert "sdm120 says nothing: " in said.err
    assert "citytwin-edge scan modbus --host 127.0.0.1 looks for" in said.err


async def test_who_may_not_change_the_file_is_told_before_anything_is_asked(
    here, capsys, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda path, how: False)  # root may write everywhere
    assert await ran("add", "eastron/sdm120", *place(1)) == 1
    assert capsys.readouterr().err == (
        "citytwin-edge: edge.toml cannot be changed by this user: type sudo before the command\n"
    )


async def test_a_place_that_is_taken_is_told_before_the_device_is_read(here, capsys):
    async with meter() as port:
        assert await ran("add", "eastron/sdm120", "--yes", *place(port)) == 0
        capsys.readouterr()
    assert await ran("add", "eastron/sdm120", "--yes", *place(port)) == 1
    said = capsys.readouterr()
    assert 'is device "sdm120" on line' in said.err
    assert said.out == ""


async def test_a_number_on_a_label_is_a_text_where_a_text_is_wanted(here, capsys):
    where = ["--set", f"serial={here}/ttyUSB0", "--set", "id=32323232"]
    more = ["--name", "heat", "--yes", "--anyway"]
    assert await ran("add", "kamstrup/multical-603-mbus", *where, *more) == 0
    assert load(here / "edge.toml").devices[0].settings.id == "32323232"


async def test_words_that_fit_several_profiles_name_them(here, capsys):
    assert await ran("add", "eastron", "--yes") == 1
    said = capsys.readouterr().err
    assert "which profile is" in said
    assert "eastron/sdm120, eastron/sdm230" in said


async def test_a_dialogue_asks_for_what_is_missing_and_offers_the_better_order(here):
    """In a real terminal, as a technician answers it."""
    async with meter(swapped=True) as port:
        answers = [
            ("unit [1]: ", "three"),
            ("expected int, got str\nunit [1]: ", "3"),
            ("name on this gateway [sdm120]: ", "hall"),
            ("use order = CDAB: yes or no [no]: ", "yes"),
        ]
        said = await asyncio.to_thread(
            dialogue, here, answers,
            ["add", "eastron/sdm120", "--set", "host=127.0.0.1", "--set", f"port={port}"],
        )  # fmt: skip
    assert "unit: unit id; 1 to 247" in said, "what is asked for is said"
    assert "hall is added" in said
    (device,) = load(here / "edge.toml").devices
    assert (device.name, device.settings.order) == ("hall", "CDAB")


async def test_a_scan_shows_what_answers(here, capsys):
    async with meter() as port:
        where = ["--host", "127.0.0.1", "--set", f"port={port}", "--units", "3"]
        assert await ran("scan", "modbus", *where) == 0
        said = capsys.readouterr()
    assert "looking: modbus" in said.err
    assert "met: unit = 3  answers" in said.err, "before it is known what it is"
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


async def test_a_scan_that_meets_nothing_says_what_to_do(here, capsys):
    async with Peer(nobody).on_tcp() as port:
        where = ["--host", "127.0.0.1", "--set", f"port={port}", "--units", "8-9"]
        assert await ran("scan", "modbus", *where) == NOTHING
    said = capsys.readouterr().err
    assert "scan_units = 8-9" in said
    assert "nothing was met; check power, wiring" in said
    assert "--units 1-247" in said


def test_a_scan_of_a_line_tries_an_even_parity_too(here, capsys):
    assert main(["scan", "modbus", "--serial", str(here / "ttyUSB0")]) == 1
    said = capsys.readouterr().err
    assert said.count("parity = even") == said.count("parity = none") == 2
    assert said.count("is not reachable") == 1, "a reason is told once"


@pytest.mark.parametrize(
    ("baud", "parity", "where", "words"),
    [
        (termios.B2400, 0, {"baud": 2400, "parity": "none", "pass": "wide"}, "others"),
        (termios.B19200, termios.PARENB, {"baud": 19200, "parity": "even", "pass": "quick"}, ""),
    ],
)
async def test_a_unit_is_found_at_its_own_speed_and_parity(
    here, capsys, monkeypatch, baud, parity, where, words
):
    with settled(monkeypatch, 2, baud, parity, registers) as unit:
        looks = ["--serial", unit.port, "--units", "1-3", "--set", "reply_timeout_s=0.1"]
        assert await ran("scan", "modbus", "--json", *looks) == 0
    said = capsys.readouterr()
    (row,) = json.loads(said.out)
    assert row["address"] == "unit = 2"
    assert where.items() <= row.items()
    assert ("looking at the others" in said.err) is bool(words)
    bauds = (9600, 19200, 2400, 4800, 115200)
    asked = [said.err.count(f"baud = {one}, parity") for one in bauds]
    assert asked == ([2, 2, 2, 2, 2] if words else [2, 2, 0, 0, 0])
    # Three unit ids each, once; the one that answers is also asked what it is.
    times = Counter(unit.heard)
    assert times.pop((baud, parity)) >= 3
    assert len(times) == sum(asked) - 1
    assert set(times.values()) == {3}


async def test_a_speed_that_was_asked_for_is_the_only_one(here, capsys, monkeypatch):
    with settled(monkeypatch, 2, termios.B2400, 0, registers) as unit:
        looks = ["--serial", unit.port, "--units", "2", "--set", "reply_timeout_s=0.1"]
        assert await ran("scan", "modbus", "--baud", "9600", *looks) == NOTHING
        assert {speed for speed, _ in unit.heard} == {termios.B9600}
        assert await ran("scan", "modbus", "--baud", "2400", "--set", "parity=none", *looks) == 0
    assert "baud = 2400  unit = 2" in capsys.readouterr().out


def test_mistakes_of_a_scan_are_told(here, capsys):
    assert main(["scan", "modbus", "--host", "127.0.0.1", "--units", "a-b"]) == 1
    assert "--units a-b: write 1-32" in capsys.readouterr().err
    assert main(["scan", "modbus"]) == 1
    assert "adapter modbus: say where to look: --host ADDRESS" in capsys.readouterr().err
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
