"""What an adapter can do and say is read off its code, and not guessed where that is silent."""

import sys

import pytest

from citytwin.adapter import Adapter
from citytwin_edge import plugins
from citytwin_edge.adapters.ble import BLE
from citytwin_edge.adapters.modbus import MODBUS
from citytwin_edge.adapters.replay import REPLAY
from citytwin_edge.catalogue import abilities


def test_each_form_can_what_its_class_has():
    (modbus,) = abilities.forms(MODBUS)
    assert modbus.can == ("reads", "picks", "writes", "probes", "scans")
    assert {form.name: form.can for form in abilities.forms(BLE)} == {
        "Advertised": ("listens", "probes", "scans"),
        "Polled": ("reads", "picks", "writes", "probes"),
        "Notified": ("listens", "writes", "probes"),
    }
    assert abilities.of_type(MODBUS) == ["decodes", "locates"]
    assert abilities.of_type(REPLAY) == []


@pytest.mark.parametrize("said", [{"return": Adapter}, {}, {"return": "NoSuchName"}])
def test_what_build_does_not_say_is_not_guessed(said):
    def build(self, settings, bindings, site):
        return None

    build.__annotations__ = said
    assert abilities.forms(type("Vague", (), {"build": build})()) == []


def test_every_ability_has_a_meaning():
    for word in (*abilities.CAPABILITIES, *abilities.OF_TYPES, abilities.TAPS):
        assert abilities.meaning_of(word).endswith(".")


def test_modules_are_those_of_its_own_package():
    names = abilities.modules(plugins.installed()["modbus"])
    assert names[0] == "citytwin_edge.adapters.modbus"
    assert "citytwin_edge.wire.registers" in names
    assert all(name.startswith("citytwin_edge.") for name in names)
    assert abilities.taps(names)
    assert not abilities.taps(abilities.modules(plugins.installed()["replay"]))


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A vendor's package of two modules."""
    package = tmp_path / "acme_pkg"
    package.mkdir()
    (package / "__init__.py").write_text('"""Acme."""\n')
    (package / "main.py").write_text(
        "from citytwin.errors import DeviceRefused\n"
        "from . import deep\nfrom .deep import LATE_MAX\n"
        "def f(quality):\n    if quality == Quality.BAD_STALE:\n        raise DeviceRefused('no')\n"
    )
    (package / "deep.py").write_text(
        "from citytwin import Quality\n"
        'LATE_MAX = 5\n"""So many."""\nBARE_MAX = 6\n_OWN_MAX = 7\n"""Hidden."""\n'
        "X = [Quality.UNCERTAIN_CLOCK]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield abilities.modules("acme_pkg.main:X")
    for name in [name for name in sys.modules if name.startswith("acme_pkg")]:
        del sys.modules[name]


def test_a_vendors_modules_are_followed(acme):
    assert set(acme) == {"acme_pkg.main", "acme_pkg.deep", "acme_pkg"}


def test_limits_are_those_with_a_meaning(acme):
    assert abilities.limits(acme) == [abilities.Limit("LATE_MAX", 5, "So many.")]


def test_reasons_are_what_is_given_not_what_is_compared(acme):
    said = {reason.words: reason.meaning for reason in abilities.reasons(acme)}
    assert list(said) == ["uncertain: clock", "bad: refused"]
    assert said["bad: refused"] == "The device answered with an exception for this point."


def test_a_module_without_text_says_nothing():
    assert abilities.modules("no_such_module_at_all:X") == []
    assert abilities.reasons(["no_such_module_at_all"]) == []
