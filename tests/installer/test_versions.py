"""Versions beside each other: one link says which is used, one which was, the rest goes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from installer.errors import InstallError
from installer.layout import Layout
from installer.versions import COMPILED, Versions


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(Layout("edge", tmp_path / "home"))


def version(versions: Versions, name: str, answers: int = 0) -> Path:
    folder = versions.home / name
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    (folder / "complete").touch()
    (folder / "setup").mkdir()
    (folder / "setup/install.sh").touch()
    command = folder / "bin/citytwin-edge"
    command.write_text(f"#!/bin/sh\nexit {answers}\n")
    command.chmod(0o755)
    return folder


def test_the_links_follow_and_only_two_are_kept(versions: Versions) -> None:
    first, second, third = (version(versions, name) for name in ("1", "2", "3"))
    versions.use(first)
    versions.keep(None)
    assert (versions.current, versions.previous, versions.all()) == (first, None, [first])
    second, third = version(versions, "2"), version(versions, "3")
    versions.use(second)
    versions.keep(first)
    assert (versions.current, versions.previous) == (second, first)
    assert versions.all() == [first, second]
    assert not third.exists()
    assert (versions.home / "install.sh").resolve() == second / "setup/install.sh"


def test_what_somebody_else_has_put_there_stays(versions: Versions) -> None:
    first = version(versions, "1")
    other = versions.home / "notes"
    other.mkdir()
    versions.use(first)
    versions.keep(None)
    versions.remove()
    assert list(versions.home.iterdir()) == [other]
    other.rmdir()
    versions.remove()
    assert not versions.home.exists()


def test_a_link_that_leads_elsewhere_is_no_version(versions: Versions, tmp_path: Path) -> None:
    versions.home.mkdir()
    (tmp_path / "pyvenv.cfg").touch()
    (versions.home / "previous").symlink_to(tmp_path)
    assert versions.previous is None
    (versions.home / "current").symlink_to("gone")
    assert versions.current is None


@pytest.mark.parametrize(("answers", "works"), [(0, True), (1, False)])
def test_a_version_works_when_it_starts(versions: Versions, answers: int, works: bool) -> None:
    folder = version(versions, "1", answers)
    assert versions.works(folder) is works
    (folder / "complete").unlink()
    assert versions.works(folder) is False


def test_one_whose_python_has_gone_does_not_work(versions: Versions) -> None:
    folder = version(versions, "1")
    (folder / "bin/citytwin-edge").write_text("#!/usr/bin/python3.2\n")
    assert versions.works(folder) is False


def test_a_second_installer_waits_outside(versions: Versions) -> None:
    """Another process, as a lock is one's own as long as one lives."""
    look = (
        "import sys; from pathlib import Path; from installer.layout import Layout\n"
        "from installer.versions import COMPILED, Versions\n"
        "with Versions(Layout('edge', Path(sys.argv[1]))).locked(): print('in')"
    )
    command = [sys.executable, "-c", look, str(versions.home)]
    place = {"PYTHONPATH": str(Path(__file__).parents[2] / "deploy")}
    with versions.locked():
        done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=60,
                              check=False)  # fmt: skip
        assert "another installer is at work" in done.stderr
        with pytest.raises(InstallError, match="another installer is at work"), versions.locked():
            pass
    done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=60,
                          check=False)  # fmt: skip
    assert done.stdout == "in\n"
    assert not versions.home.exists()  # nothing came into being


@pytest.mark.parametrize(("has_numba", "asked"), [(True, ["-c", "-OO"]), (False, ["-c"])])
def test_code_is_made_when_a_version_has_a_compiler(
    versions: Versions, tmp_path: Path, has_numba: bool, asked: list[str]
) -> None:
    folder = version(versions, "1")
    python = folder / "bin/python"
    log = tmp_path / "log"
    python.write_text(f"#!/bin/sh\necho $1 $3 >> {log}\nexit {0 if has_numba else 1}\n")
    python.chmod(0o755)
    assert versions._compile(folder) == has_numba
    lines = log.read_text().splitlines()
    assert [line.split()[0] for line in lines] == asked
    if has_numba:
        assert lines[1].split()[1] == COMPILED
        assert importlib.util.find_spec(COMPILED), "there is such a module"
