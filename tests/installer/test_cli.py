"""The installer's command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from installer import cli
from installer.errors import SAMPLES_WAIT, InstallError
from installer.layout import Layout


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "contents.json").write_text(json.dumps({"part": "edge"}))
    (tmp_path / "wheels").mkdir()
    return tmp_path


class Steps:
    """Keeps what it was told to do."""

    done: list[Any] = []  # noqa: RUF012  # of one test

    def __init__(self, layout: Layout, _tell: Any, settle_s: float) -> None:
        Steps.done = [layout.home, settle_s]

    def install(self, bundle: Any, _python: str) -> None:
        Steps.done += ["install", bundle]

    def rollback(self) -> None:
        Steps.done += ["rollback"]

    def uninstall(self, *, purge: bool, yes: bool) -> None:
        Steps.done += ["uninstall", purge, yes]
        if purge and not yes:
            raise InstallError("12 samples wait", SAMPLES_WAIT)


@pytest.fixture(autouse=True)
def _steps(monkeypatch: Any) -> None:
    monkeypatch.setattr(cli, "Steps", Steps)
    monkeypatch.setattr(cli, "Bundle", lambda folder: folder.name)
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--rollback"], ["rollback"]),
        (["--uninstall"], ["uninstall", False, False]),
        (["--uninstall", "--purge", "--yes"], ["uninstall", True, True]),
    ],
)
def test_what_is_done(here: Path, words: list[str], what: list[Any]) -> None:
    assert cli.main(words, here) == 0
    assert Steps.done == [Path("/opt/citytwin-edge"), cli.SETTLE_S, *what]


def test_a_prefix_is_where_the_technician_stands(here: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(here)
    assert cli.main(["--prefix", "there", "--settle", "3"], here) == 0
    assert Steps.done == [here / "there", 3.0, "install", here.name]


def test_only_root_installs_a_service(here: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main([], here) == 1
    assert "installed by root: sudo ./install.sh" in capsys.readouterr().err
    assert cli.main(["--prefix", str(here / "x")], here) == 0


def test_scripts_learn_what_went_wrong(here: Path, capsys: Any) -> None:
    assert cli.main(["--uninstall", "--purge"], here) == SAMPLES_WAIT
    assert capsys.readouterr().err == "install: 12 samples wait\n"
    assert cli.main(["--purge"], here) == 1
    assert "--purge goes with --uninstall" in capsys.readouterr().err


def test_an_installed_one_knows_where_it_belongs_and_has_nothing_to_install(
    tmp_path: Path, capsys: Any
) -> None:
    setup = tmp_path / "home/0.1.0-abc/setup"
    setup.mkdir(parents=True)
    (setup.parent / "pyvenv.cfg").touch()
    (setup / "contents.json").write_text(json.dumps({"part": "edge"}))
    assert cli.main(["--rollback"], setup) == 0
    assert Steps.done[0] == tmp_path / "home"
    assert cli.main([], setup) == 1
    assert "this is no bundle but an installed version" in capsys.readouterr().err


def test_a_folder_without_contents_is_said(tmp_path: Path, capsys: Any) -> None:
    assert cli.main([], tmp_path) == 1
    assert "contents.json" in capsys.readouterr().err


@pytest.mark.parametrize("here", ["/", "/mnt", "/media/stick/citytwin-edge"])
def test_a_stick_may_be_anywhere(here: str) -> None:
    assert cli._own_prefix(Path(here), "edge") is None
