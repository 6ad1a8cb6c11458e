"""kernels list and show, as a technician and a vendor use them."""

import json

import pytest

from citytwin_edge.cli import main
from citytwin_edge.cli.adapters import WRONG
from tests.edge.catalogue.installed_ohm import ohm
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ohm(tmp_path, monkeypatch):
        yield


def test_list_shows_what_each_calculates(installed, capsys):
    assert main(["kernels", "list"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["kernel", "of", "calculates"]
    row = next(row for row in rows if row.startswith("ohm "))
    assert row.endswith("power of a voltage and a current, after Ohm (1827)")
    assert main(["kernels", "list", "--json"]) == 0
    by_name = {row["kernel"]: row for row in json.loads(capsys.readouterr().out)}
    assert by_name["ohm"]["inputs"] == ["voltage", "power | factor"]
    assert by_name["ohm"]["from"] == "ohm-kernel 2.0"


def test_one_that_cannot_be_used_is_told_and_the_rest_shown(vendor, capsys):
    assert main(["kernels", "list"]) == WRONG
    rows = capsys.readouterr().out.splitlines()
    assert any(row.startswith("none") and "has no settings" in row for row in rows)
    assert any(row.startswith("total") and row.endswith("does not say)") for row in rows)


def test_show_is_the_page_in_three_ways(installed, capsys):
    assert main(["kernels", "show", "ohm"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ohm  power of a voltage and a current, after Ohm (1827)\n")
    assert "from: ohm-kernel 2.0" in out
    assert "valid for direct current" in out
    assert '    "device/point",  # voltage, V\n' in out
    assert "  power: W; Power\n" in out
    assert "factor = number, above 0 up to 10; must be there\n      how many there are." in out
    assert "It is refused when the sun does not shine." in out
    assert main(["kernels", "show", "--markdown", "ohm"]) == 0
    assert capsys.readouterr().out.startswith("# `ohm`\n")
    assert main(["kernels", "show", "--json", "ohm"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["unit"] == "W"


def test_a_vendors_that_says_little_is_shown(vendor, capsys):
    assert main(["kernels", "show", "total"]) == 0
    out = capsys.readouterr().out
    assert "factor = number; by default 1" in out
    assert "(its code does not say)" in out


def test_show_names_the_nearest(installed, capsys):
    assert main(["kernels", "show", "Ohms"]) == 1
    assert 'did you mean "ohm"?' in capsys.readouterr().err
