"""adapters list and show, as a technician and a vendor use them."""

import json

import pytest

from citytwin_edge.cli import main
from citytwin_edge.cli.adapters import WRONG
from tests.edge.catalogue.installed_gauge import gauge


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_shows_what_each_can(here, capsys):
    assert main(["adapters", "list"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["adapter", "can", "profiles", "from", "for"]
    modbus = next(row for row in rows if row.startswith("modbus "))
    assert modbus.split()[1:4] == ["reads", "writes", "scans"]
    assert main(["adapters", "list", "--json"]) == 0
    by_name = {row["adapter"]: row for row in json.loads(capsys.readouterr().out)}
    assert "probes" in by_name["modbus"]["can"]
    assert by_name["modbus"]["profiles"] >= 40


def test_a_vendors_is_beside_ours(here, capsys, monkeypatch):
    with gauge(here, monkeypatch):
        assert main(["adapters", "list"]) == 0
        out = capsys.readouterr().out
        assert next(line for line in out.splitlines() if line.startswith("gauge")).split()[1:5] == [
            "reads", "0", "example-gauge", "1.0.0",
        ]  # fmt: skip
        assert main(["adapters", "show", "gauge"]) == 0
    out = capsys.readouterr().out
    assert "from: example-gauge 1.0.0" in out
    assert "host = text; must be there\n      name or address of the gauge." in out


def test_one_that_cannot_be_used_is_told_and_the_rest_shown(here, capsys, monkeypatch):
    with gauge(here, monkeypatch, "import no_such_driver\n"):
        assert main(["adapters", "list"]) == WRONG
        out = capsys.readouterr().out
        assert 'error: adapter "gauge"' in out
        assert "modbus" in out
        assert main(["adapters", "show", "gauge"]) == 1
    assert "no_such_driver" in capsys.readouterr().err


def test_show_is_the_page_in_three_ways(here, capsys):
    assert main(["adapters", "show", "serial"]) == 0
    out = capsys.readouterr().out
    assert "guide: docs/guides/serial.md" in out
    assert "baud = whole number, 50 … 4000000; by default 9600\n      speed of the serial" in out
    assert "[device.frame]" in out
    assert "bad: silent" in out
    assert "listens  Speaks by itself" in out
    assert "(only as Listening)" in out
    assert main(["adapters", "show", "--markdown", "serial"]) == 0
    assert capsys.readouterr().out.startswith("# Adapter `serial`\n")
    assert main(["adapters", "show", "--json", "serial"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["device"][0]["fields"][0]["name"] == "serial"


def test_show_names_the_nearest(here, capsys):
    assert main(["adapters", "show", "mobdus"]) == 1
    assert 'did you mean "modbus"?' in capsys.readouterr().err
