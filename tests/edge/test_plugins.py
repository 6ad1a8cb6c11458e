"""Adapters are found by entry point, imported when named, and told about in one sentence."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from citytwin.errors import ConfigError
from citytwin_edge import plugins
from citytwin_edge.adapters.modbus import MODBUS
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution with adapters that do not load."""
    (tmp_path / "acme.py").write_text("GOOD = object()\n")
    (tmp_path / "acme_old.py").write_text("import no_such_driver\n")
    (tmp_path / "acme_bad.py").write_text("raise RuntimeError('no licence')\n")
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[citytwin.adapters]\nacme = acme:GOOD\nacme-old = acme_old:X\n"
        "acme-none = acme:MISSING\nacme-bad = acme_bad:X\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()
    for name in ("acme", "acme_old", "acme_bad"):
        sys.modules.pop(name, None)


def test_ours_is_found():
    assert plugins.adapter("modbus") is MODBUS


def test_what_is_found_is_what_is_installed(installed):
    everything = {one.name: one.value for one in entry_points(group=plugins.ADAPTERS)}
    assert plugins.installed() == everything
    assert everything["acme"] == "acme:GOOD"


def test_what_installers_write_is_read():
    text = """
[console_scripts]
modbus = no:adapter
[citytwin.adapters]
# a comment = x
one=a.b:C
  two = d:E [extra]
[citytwin.adapters.more]
three = f:G
"""
    assert list(plugins._entries(text, plugins.ADAPTERS)) == [("one", "a.b:C"), ("two", "d:E")]


def test_looking_for_them_takes_no_more_memory_than_it_must():
    code = (
        "import sys; from citytwin_edge import plugins; plugins.adapter('modbus');"
        "import citytwin_edge.agent; print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == [b"False"], "it takes 2.4 MiB"


def test_one_that_is_not_there():
    with pytest.raises(ConfigError, match=r'no adapter "profibus"; installed are .*"modbus"'):
        plugins.adapter("profibus")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acme", r'"acme" \(acme:GOOD\) has no device_settings; it is none'),
        (
            "acme-old",
            r"ModuleNotFoundError: No module named 'no_such_driver' \(acme_old.py, line 1\)",
        ),
        ("acme-none", "cannot be imported: AttributeError: .*'MISSING'$"),
        ("acme-bad", r"cannot be imported: RuntimeError: no licence \(acme_bad.py, line 1\)$"),
    ],
)
def test_those_that_do_not_load(installed, name, words):
    with pytest.raises(ConfigError, match=words):
        plugins.adapter(name)


def test_kernels_are_plug_ins_too(vendor):
    assert plugins.kernel("total").settings.__name__ == "Settings"
    with pytest.raises(ConfigError, match=r'no kernel "fly"; installed are .*"none", .*"total"'):
        plugins.kernel("fly")
    with pytest.raises(ConfigError, match=r'kernel "none" \(acme_kernels:NONE\) has no settings'):
        plugins.kernel("none")


def test_only_what_is_named_is_imported(installed):
    plugins.adapter("modbus")
    assert "acme_bad" not in sys.modules
