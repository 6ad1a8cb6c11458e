"""Fetching from the registry: what has no ready-made file is named, and so is a silent registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundler.fetching import BundleError, build, fetch
from bundler.kinds import Kind
from bundler.locks import entries, wanted
from tests.bundler.test_locks import LOCK
from tests.bundles import registry_is_silent

SOME = {"msgspec", "structlog", "tabulate"}


def test_what_has_no_ready_made_file_is_named(tmp_path: Path) -> None:
    if reason := registry_is_silent():
        pytest.skip(reason)
    kind = Kind("armv7", "3.11")
    some = [entry for entry in wanted(LOCK, kind) if entry.requirement.name in SOME]
    with pytest.raises(
        BundleError, match=r"^armv7 with Python 3\.11 has no ready-made file of "
    ) as said:
        fetch(some, kind, tmp_path)
    assert "msgspec" in str(said.value)
    assert "structlog" not in str(said.value)
    assert "--for here builds them" in str(said.value)


def test_a_silent_registry_is_not_blamed_on_the_files(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    some = [entry for entry in LOCK if entry.requirement.name in SOME]
    with pytest.raises(BundleError, match="the package registry gives nothing: "):
        fetch(some, Kind("amd64", "3.11"), tmp_path / "wheels")
    with pytest.raises(BundleError, match="pip could not get what this machine needs: "):
        build(some, tmp_path / "wheels")


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    if reason := registry_is_silent():
        pytest.skip(reason)
    (entry,) = [entry for entry in LOCK if entry.requirement.name == "tabulate"]
    (forged,) = entries(f"{entry.requirement} \\\n    --hash=sha256:{'0' * 64}")
    with pytest.raises(BundleError, match=r"(?i)hash"):
        fetch([forged], Kind("amd64", "3.11"), tmp_path)
