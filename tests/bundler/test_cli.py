"""The bundler's command line: for whom a bundle is made when little is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundler import cli
from bundler.bundle import BundleError, Made
from bundler.kinds import PYTHONS, this_machine


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ([], [("amd64", one) for one in PYTHONS] + [("arm64", one) for one in PYTHONS]),
        (["--for", "arm64", "--python", "3.13"], [("arm64", "3.13")]),
        (["--for", "armv7", "--for", "armv7"], [("armv7", one) for one in PYTHONS]),
        (["--for", "here"], [this_machine()]),
        (["--for", "here", "--compiled"], [this_machine()]),
    ],
)
def test_for_whom_it_is(
    words: list[str], kinds: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    seen: dict[str, Any] = {}

    def make(_root: Path, part: str, _folder: Path, kinds: Any, **more: bool) -> Made:
        seen.update(part=part, kinds=kinds, **more)
        return Made(12_345_678, 26, "somebody")

    monkeypatch.setattr(cli, "make", make)
    assert cli.main(["edge", str(tmp_path), *words]) == 0
    how = {"here": "here" in words, "compiled": "--compiled" in words}
    assert seen == {"part": "edge", "kinds": kinds, **how}
    assert "is ready: 12 MB, 26 wheels, for somebody; copy it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--python", "3"], "--python 3: write 3.N, such as 3.11"),
        (["--for", "here", "--for", "arm64"], "--for here goes with no other"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: Any
) -> None:
    assert cli.main(["edge", str(tmp_path / "x"), *words]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_what_cannot_be_had_is_one_sentence(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    def make(*_: Any, **__: Any) -> Made:
        raise BundleError("arm64 has none")

    monkeypatch.setattr(cli, "make", make)
    assert cli.main(["hub", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "bundle: arm64 has none\n"
