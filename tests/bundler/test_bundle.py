"""A bundle for a machine of another kind: complete, ready-made, and known by its hashes."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from bundler import bundle
from bundler.bundle import BundleError, make
from bundler.kinds import Kind
from tests.bundles import registry_is_silent
from tests.clean_gateway import ROOT

ARM = [Kind("arm64", "3.13"), Kind("arm64", "3.11")]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bundle.Made]:
    if reason := registry_is_silent():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("bundle") / "citytwin-edge"
    return folder, make(ROOT, "edge", folder, ARM, here=False)


def test_nothing_in_it_has_to_be_built(made: tuple[Path, bundle.Made]) -> None:
    folder, said = made
    wheels = list((folder / "wheels").iterdir())
    assert len(wheels) == said.wheels > 25
    for wheel in wheels:
        assert wheel.suffix == ".whl", f"{wheel.name} is no ready-made file"
        assert zipfile.is_zipfile(wheel)
        *_, tags = parse_wheel_filename(wheel.name)
        assert all(tag.platform == "any" or tag.platform.endswith("aarch64") for tag in tags)


@pytest.mark.parametrize("kind", ARM)
def test_each_kind_finds_every_requirement_in_its_version(
    made: tuple[Path, bundle.Made], kind: Kind
) -> None:
    folder, _ = made
    machine = {f"cp{kind.python.replace('.', '')}", "abi3", "none"}
    there = set()
    for wheel in (folder / "wheels").iterdir():
        name, version, _, tags = parse_wheel_filename(wheel.name)
        if {tag.abi for tag in tags} & machine:
            there.add((name, str(version)))
    for line in (folder / "requirements.txt").read_text().splitlines():
        requirement = Requirement(line)
        if kind.wants(requirement.marker):
            wanted = str(requirement.specifier).removeprefix("==")
            assert (canonicalize_name(requirement.name), wanted) in there
    assert {name for name, _ in there} >= {"citytwin", "citytwin-protos", "citytwin-edge", "pip"}


def test_it_says_what_it_is_and_is_known_by_its_hashes(made: tuple[Path, bundle.Made]) -> None:
    folder, said = made
    assert said.words == "arm64 with Python 3.13, 3.11"
    assert said.size_bytes == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()
                                  and p.name != "SHA256SUMS")  # fmt: skip
    contents = json.loads((folder / "contents.json").read_text())
    assert (contents["part"], contents["kinds"]) == ("edge", [list(kind) for kind in ARM])
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=folder, check=False, timeout=60).returncode == 0
    summed = {line.split("  ./")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there - summed == {"SHA256SUMS"}
    assert {"install.sh", "python.sh", "edge.toml", "citytwin-edge.service", "installer/cli.py",
            "guides/technician.md"} <= there  # fmt: skip


def test_what_is_not_ready_made_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: Any
) -> None:
    def source(_lock: Any, _kind: Any, wheels: Path) -> None:
        (wheels / "numpy-2.0.tar.gz").touch()

    monkeypatch.setattr(bundle, "fetch", source)
    with pytest.raises(BundleError, match=r"not ready-made: numpy-2\.0\.tar\.gz"):
        make(ROOT, "edge", tmp_path / "bundle", ARM, here=False)
    assert list(tmp_path.iterdir()) == []
