"""A name means one plug-in, and a mistyped one is told the nearest."""

import pytest

from citytwin.errors import ConfigError
from citytwin_edge import plugins
from citytwin_edge.catalogue.installed import distribution, nearest, own
from tests.edge.catalogue.installed_gauge import gauge
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]


def test_an_unknown_name_is_told_the_nearest(vendor):
    assert nearest("mbus") == "mbus"
    with pytest.raises(ConfigError, match='no adapter "Mobdus"; did you mean "modbus"'):
        nearest("Mobdus")
    with pytest.raises(ConfigError, match='installed are "ble", "dlms"'):
        nearest("xyzzy")
    words = 'no kernel "totals"; did you mean "total".* see: citytwin-edge kernels list'
    with pytest.raises(ConfigError, match=words):
        nearest("totals", plugins.KERNELS)


def test_ours_are_those_of_this_distribution(tmp_path, monkeypatch, vendor):
    before = own(plugins.ADAPTERS)
    with gauge(tmp_path, monkeypatch):
        assert own(plugins.ADAPTERS) == before
        assert distribution("gauge") == "example-gauge 1.0.0"
    assert "modbus" in before
    assert distribution("modbus").startswith("citytwin-edge ")
    assert "total" not in own(plugins.KERNELS)
