"""Programs are run without what the installer was started with, and never for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from installer.errors import InstallError
from installer.running import NOT_STARTED, call, must


def test_what_concerns_python_stays_here(monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("CITYTWIN_TEST", "kept")
    said = must("sh", "-c", "echo $PYTHONPATH $CITYTWIN_TEST; pwd")
    assert said == "kept\n/\n"


def test_one_that_hangs_is_given_up() -> None:
    with pytest.raises(InstallError, match=r"sleep gave no answer within 0\.1 s"):
        call("sleep", "60", wait_s_max=0.1)


def test_one_that_fails_is_quoted() -> None:
    assert call("false").returncode == 1
    with pytest.raises(InstallError, match=r"sh -c .*: it is broken"):
        must("sh", "-c", "echo it is broken >&2; exit 3")
    with pytest.raises(InstallError, match="false: 1"):
        must("false")


def test_one_that_is_not_there_or_not_ours_to_run(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"cannot be run: .*No such file"):
        call(tmp_path / "nothing")
    (tmp_path / "text").touch()
    assert call(tmp_path / "text").returncode == NOT_STARTED
