"""An adapter is described from its code: ours, and a vendor's that was installed beside them."""

from citytwin_edge.catalogue.capabilities import described
from citytwin_edge.catalogue.shelf import Shelf
from tests.edge.catalogue.installed_gauge import gauge
from tests.edge.catalogue.profiles import put, shelf


def test_ours_is_described(tmp_path):
    put(tmp_path)
    one = described("modbus", shelf(tmp_path))
    assert one.title.startswith("Modbus: meters, controllers and converters")
    assert one.distribution.startswith("citytwin-edge ")
    assert one.guide == "docs/guides/modbus.md"
    assert one.can == (
        "reads", "picks", "writes", "probes", "scans", "decodes", "locates", "taps",
    )  # fmt: skip
    assert one.examples == ('host = "192.0.2.7"', 'serial = "/dev/ttyUSB0"')
    assert one.refuses.startswith("a point does not fit, or another device uses")
    assert one.profiles == ("acme/m1",)
    unit = next(field for field in one.device[0].fields if field.name == "unit")
    assert (unit.allowed, unit.default) == ("0 … 255", "1")


def test_a_profile_that_is_wrong_is_left_out(tmp_path):
    put(tmp_path).write_text("vendor = 1\n")
    assert described("modbus", shelf(tmp_path)).profiles == ()


def test_a_vendors_is_described_alike(tmp_path, monkeypatch):
    with gauge(tmp_path, monkeypatch):
        one = described("gauge", Shelf([]))
    assert one.title.startswith("Adapter of an imagined level gauge.")
    assert one.distribution == "example-gauge 1.0.0"
    assert (one.guide, one.profiles, one.can) == ("", (), ("reads",))
    assert {field.name: field.meaning for field in one.device[0].fields} == {
        "host": "name or address of the gauge.", "port": "its TCP port.",
    }  # fmt: skip
    assert "bad: not a number" in {reason.words for reason in one.reasons}
