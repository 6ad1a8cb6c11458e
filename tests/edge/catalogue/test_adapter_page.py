"""A page has what is known, says what is not, and spoils no table."""

import pytest

from citytwin_edge.catalogue.adapter_page import UNSAID, allowed, default, page
from citytwin_edge.catalogue.capabilities import described
from citytwin_edge.catalogue.fields import Field
from citytwin_edge.catalogue.shelf import Shelf
from tests.edge.catalogue.installed_gauge import gauge


def test_a_page_names_what_only_one_form_can():
    text = page(described("ble", Shelf([])), lambda path: f"../../{path}")
    assert "| scans | Can look for devices on its line. | Advertised |" in text
    assert "[ble.md](../../docs/guides/ble.md)" in text
    assert "None on the shelf." in text


@pytest.mark.parametrize("name", ["ble", "modbus", "mqtt", "serial"])
def test_every_row_has_the_columns_of_its_table(name):
    columns = 0
    for line in page(described(name, Shelf([]))).splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        cells = line.replace("\\|", "").count("|")
        assert cells == (columns or cells), line
        columns = cells


def test_what_a_vendor_does_not_say_is_shown_as_unsaid(tmp_path, monkeypatch):
    bare = (
        "import msgspec\n"
        "class D(msgspec.Struct):\n    host: str\n"
        "class GaugeType:\n    device_settings = D\n    point_settings = D\n"
        "    def build(self, settings, bindings, site):\n        ...\n"
        "GAUGE = GaugeType()\n"
    )
    with gauge(tmp_path, monkeypatch, bare):
        text = page(described("gauge", Shelf([])))
    assert f"What it builds is not told {UNSAID}." in text
    assert f"| `host` | {UNSAID} | text | must be there |" in text


def test_a_field_in_one_line():
    field = Field(name="wait_s", meaning="", kind="number", allowed="up to 60", unit="s")
    assert (allowed(field), default(field)) == ("number, up to 60 s", "")
