"""The shelf finds profiles by name; the nearest folder comes first."""

import pytest

from citytwin.errors import ConfigError
from citytwin_edge import plugins
from citytwin_edge.catalogue.shelf import OURS, Shelf, name_of, shelf_for
from tests.edge.catalogue.profiles import METER, put, shelf


def test_a_profile_is_found_by_vendor_and_model(tmp_path):
    path = put(tmp_path)
    there = shelf(tmp_path)
    assert there.names() == ["acme/m1"]
    assert there.path("acme/m1") == path
    assert there.profile("acme/m1").product == "Acme M1"
    assert name_of(path) == "acme/m1"


def test_the_first_folder_counts(tmp_path):
    put(tmp_path / "a", METER.replace('"M1"', '"ours"'))
    put(tmp_path / "b")
    both = Shelf([tmp_path / "a" / "profiles", tmp_path / "b" / "profiles", OURS])
    assert both.profile("acme/m1").file.model == "ours"
    assert both.names().count("acme/m1") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acme/m2", "near it are acme/m1"),
        ("ACME M1", "near it are acme/m1"),
        ("../../etc/passwd", "profiles list"),
        ("acme/m1.frames", "near it are acme/m1"),
    ],
)
def test_a_name_that_is_none_says_what_is_near(tmp_path, name, words):
    put(tmp_path)
    with pytest.raises(ConfigError, match=f'there is no profile "{name}"; .*{words}'):
        shelf(tmp_path).profile(name)


def test_a_vendor_ships_profiles_in_a_distribution(tmp_path, monkeypatch):
    site = tmp_path / "site"
    put(site / "acme_devices")
    (site / "acme_devices" / "__init__.py").touch()
    info = site / "acme_devices-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[citytwin.profiles]\nacme = acme_devices\n")
    monkeypatch.syspath_prepend(str(site))
    plugins.installed.cache_clear()
    try:
        there = shelf_for(tmp_path / "edge.toml")
        assert site / "acme_devices" / "profiles" in there.folders
        assert there.profile("acme/m1").adapter == "modbus"
    finally:
        plugins.installed.cache_clear()
