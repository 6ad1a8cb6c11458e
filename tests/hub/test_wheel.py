"""The hub's wheel carries the page as it was built, and not what it was built from."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = "citytwin_hub/web/"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "-w", str(folder), str(ROOT / "hub")], check=True, timeout=120)
    (wheel,) = folder.iterdir()
    return zipfile.ZipFile(wheel).namelist()


def test_the_page_is_in_it(names: list[str]) -> None:
    built = ROOT / "hub" / WEB / "dist"
    assert (built / "index.html").is_file(), "build the page first: make web"
    expected = {f"{WEB}dist/{p.relative_to(built)}" for p in built.rglob("*") if p.is_file()}
    assert {name for name in names if name.startswith(WEB)} >= expected


def test_nothing_that_the_page_is_built_from_is_in_it(names: list[str]) -> None:
    stray = [n for n in names if n.startswith(WEB) and not n.startswith(f"{WEB}dist/")]
    assert [n for n in stray if not n.endswith(".py")] == []
