"""Locks are read as they are, and every kind of machine gets one version of each distribution."""

from __future__ import annotations

import re

import pytest

from bundler.kinds import PYTHONS, Kind
from bundler.locks import Entry, entries, wanted
from tests.clean_gateway import ROOT

LOCK = entries((ROOT / "deploy/requirements/edge.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("python", PYTHONS)
def test_each_kind_gets_one_version_of_each(python: str) -> None:
    mine = wanted(LOCK, Kind("arm64", python))
    names = [entry.requirement.name for entry in mine]
    assert len(names) == len(set(names))
    others = {entry.requirement.name for entry in LOCK if names_another_system(entry)}
    assert others  # bleak has parts for Windows and macOS
    assert set(names) == {entry.requirement.name for entry in LOCK} - others


def names_another_system(entry: Entry) -> bool:
    return re.search(r'(Windows|Darwin|win32|darwin)"', str(entry.requirement.marker)) is not None


def test_an_entry_has_its_hashes_with_and_without_its_condition() -> None:
    text = (
        "a==1 ; python_version < '3.12' \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\n"
        "b==2 \\\n    --hash=sha256:2"
    )
    first, second = entries(text)
    assert first.without_marker.split() == [
        "a==1",
        "\\",
        "--hash=sha256:0",
        "\\",
        "--hash=sha256:1",
    ]
    assert first.without_hashes == 'a==1; python_version < "3.12"'
    assert (first.name, second.name) == ("a 1", "b 2")
    assert second.text == second.without_marker
