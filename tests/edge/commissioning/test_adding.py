"""A device is put at the end of a gateway's file, or the file stays as it is."""

import stat

import pytest

from citytwin.errors import ConfigError
from citytwin_edge import plugins
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.commissioning.adding import (
    added,
    connection_fields,
    device_text,
    free_name,
    value_text,
)

METER = {"name": "m", "profile": "eastron/sdm120", "host": "10.0.0.7", "unit": 3}
SHELF = Shelf([OURS])


def test_comments_and_order_of_the_file_stay(tmp_path):
    path = tmp_path / "edge.toml"
    old = '# Pump house\n[gateway]\nname = "g"   # as in the token\n'
    path.write_text(old)
    path.chmod(0o600)
    config = added(path, device_text(METER))
    assert path.read_text() == old + "\n" + device_text(METER)
    assert [device.name for device in config.devices] == ["m"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_first_device_makes_the_file(tmp_path):
    path = tmp_path / "edge.toml"
    assert added(path, device_text(METER), gateway="pump-house-7").name == "pump-house-7"


def test_a_file_that_would_be_wrong_is_left_as_it_was(tmp_path):
    path = tmp_path / "edge.toml"
    added(path, device_text(METER))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"left as it was: with the new device, line \d+: .*alre"):
        added(path, device_text({**METER, "name": "m-2"}))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["edge.toml"], "no draft is left behind"


def test_points_of_its_own_are_written_below_a_device(tmp_path):
    path = tmp_path / "edge.toml"
    text = device_text(METER, [{"name": "voltage", "normal": [207, 253]}])
    (device,) = added(path, text).devices
    assert device.points[0].point.normal is not None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (3, "3"), (0.5, "0.5"), ('a "b"', '"a \\"b\\""'), ([1, 2], "[1, 2]"),
        ({"a": 1, "ы": "x"}, '{ a = 1, "ы" = "x" }'), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_values_as_toml_writes_them(value, text):
    assert value_text(value) == text


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    path = tmp_path / "edge.toml"
    assert free_name(path, "m") == "m"
    added(path, device_text(METER))
    assert free_name(path, "m") == "m-2"


@pytest.mark.parametrize(
    ("profile", "given", "asked"),
    [
        ("sonoff/pow-r2", {}, ["host", "topic_name"]),
        ("eastron/sdm120", {}, ["serial", "unit"]),
        ("eastron/sdm120", {"host": "h"}, ["host", "unit"]),
        ("moxa/iologik-e1210", {}, ["host", "unit"]),
    ],
)
def test_a_technician_is_asked_where_the_device_is(profile, given, asked):
    found = SHELF.profile(profile)
    assert connection_fields(found, plugins.adapter(found.adapter), given) == asked
