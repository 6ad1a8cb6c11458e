"""Scaffold: names, whole projects or none, and nothing overwritten."""

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from citytwin.errors import CityTwinError
from citytwin_edge import plugins, scaffold
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]

NAMES = {"adapter": "acme-gauge", "kernel": "steam-power", "profile": "acme/m1"}


def test_what_a_project_is_called():
    words = {kind: scaffold.project(kind, name).words for kind, name in NAMES.items()}
    assert [one["project"] for one in words.values()] == [
        "citytwin-acme-gauge", "citytwin-steam-power", "citytwin-acme",
    ]  # fmt: skip
    assert [one["entry"] for one in words.values()] == [
        'acme-gauge = "citytwin_acme_gauge.adapter:ADAPTER"',
        'steam-power = "citytwin_steam_power.kernel:KERNEL"',
        'acme = "citytwin_acme"',
    ]
    groups = [one["group"] for one in words.values()]
    assert groups == [plugins.ADAPTERS, plugins.KERNELS, "citytwin.profiles"]


@pytest.mark.parametrize(
    "name", ["", "Gauge", "2nd", "a--b", "a_b", "-a", "a-", "a/b", "ж", "a" * 41]
)
def test_what_cannot_be_a_name_is_told_what_can(name):
    with pytest.raises(CityTwinError, match="cannot be the name of your adapter: one word of"):
        scaffold.project("adapter", name)


@pytest.mark.parametrize("name", ["acme", "acme/", "/m1", "acme/m1/x", "acme/M1", "2/m", "../m1"])
def test_a_profile_has_vendor_and_model(name):
    with pytest.raises(CityTwinError, match=r"your profile: vendor/model, each of .*as acme/m1"):
        scaffold.project("profile", name)


def test_what_is_installed_is_not_made_again(vendor):
    with pytest.raises(CityTwinError, match=r'"modbus" is the name of an installed adapter \('):
        scaffold.project("adapter", "modbus")
    with pytest.raises(CityTwinError, match='"total" is the name of an installed kernel'):
        scaffold.project("kernel", "total")
    assert scaffold.project("kernel", "modbus").name == "modbus"


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_nothing_is_left_to_fill_in(kind, tmp_path):
    made = scaffold.project(kind, NAMES[kind])
    written = scaffold.write(made, tmp_path / "new" / "project")
    assert written == sorted(dict(scaffold.files(made)))
    there = {path for path in (tmp_path / "new" / "project").rglob("*") if path.is_file()}
    assert {str(path.relative_to(tmp_path / "new" / "project")) for path in there} == set(written)
    for path in there:
        assert not re.search(r"@[a-z]+@", f"{path} {path.read_text()}"), path
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["project"]


@pytest.mark.parametrize("what", ["a folder", "a file", "a link to nothing"])
def test_what_is_there_is_not_touched(what, tmp_path):
    place = tmp_path / "x"
    if what == "a folder":
        place.mkdir()
    elif what == "a file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CityTwinError, match="x is there already; nothing was written"):
        scaffold.write(scaffold.project("adapter", "gauge"), place)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert not place.is_file() or place.read_text() == "mine"


def test_a_disk_that_refuses_leaves_nothing_half_written(tmp_path, monkeypatch):
    whole = list(scaffold.files(scaffold.project("adapter", "gauge")))

    def until_full(_made):
        yield from whole[:4]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scaffold, "files", until_full)
    with pytest.raises(OSError, match="No space"):
        scaffold.write(scaffold.project("adapter", "gauge"), tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [1, 40])
@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_whatever_its_name_its_own_check_passes(kind, length, tmp_path):
    """A longer name makes a longer line, a shorter one a list that would fit into one."""
    name = (
        "a" * length if kind != "profile" else ("a/m" if length == 1 else f"{'a' * 19}/{'m' * 20}")
    )
    scaffold.write(scaffold.project(kind, name), tmp_path / "project")
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "."], cwd=tmp_path / "project",
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
