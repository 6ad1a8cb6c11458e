"""The command new: what it writes and says, and its exit codes."""

import json

import pytest

from citytwin_edge.cli import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_says_what_was_written_and_what_comes_next(here, capsys):
    assert main(["new", "adapter", "acme-gauge"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("citytwin-acme-gauge: adapter acme-gauge\n")
    for word in ("citytwin_acme_gauge/adapter.py", "cd citytwin-acme-gauge", "pytest"):
        assert f"  {word}\n" in said
    assert (here / "citytwin-acme-gauge/README.md").is_file()


def test_scripts_get_json(here, capsys):
    assert main(["new", "profile", "acme/m1", "--to", "sub/mine", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kind"], said["name"], said["package"]) == ("profile", "acme/m1", "citytwin_acme")
    assert said["folder"] == "sub/mine"
    assert all((here / "sub/mine" / file).is_file() for file in said["files"])
    assert said["next"][-1].endswith("profiles check citytwin_acme/profiles/acme/m1.toml")


def test_a_second_time_is_refused(here, capsys):
    assert main(["new", "kernel", "heat"]) == 0
    capsys.readouterr()
    assert main(["new", "kernel", "heat"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("citytwin-edge: citytwin-heat is there already")


def test_a_wrong_name_is_refused(here, capsys):
    assert main(["new", "adapter", "Acme Gauge"]) == 1
    assert "'Acme Gauge' cannot be the name of your adapter" in capsys.readouterr().err
    assert not list(here.iterdir())


def test_a_wrong_kind_is_refused(here):
    with pytest.raises(SystemExit) as left:
        main(["new", "hub", "x"])
    assert left.value.code == 2


def test_its_help_names_the_kinds(capsys):
    with pytest.raises(SystemExit):
        main(["new", "--help"])
    assert "profile|adapter|kernel" in capsys.readouterr().out
