"""Versions of configurations on disk: for the owner alone, bounded, nothing lost by a restart."""

import sqlite3

import pytest

from citytwin.errors import StoreError
from citytwin_hub import versions as module
from citytwin_hub.versions import Step, Version, Versions
from citytwin_protos.session import ConfigReported


def version(number, digest=None, gateway="g"):
    return Version(gateway, number, digest or f"d{number}", b"text", "aigul", "why", number * 10)


def test_versions_pushes_and_reports_survive_a_restart(tmp_path):
    path = tmp_path / "configs.db"
    first = Versions(path)
    first.add(version(1), None)
    first.add(version(2), "d1")
    first.step("g", 2, "submitted", 20, "")
    first.step("g", 2, "sent", 21, "")
    first.note_report("g", ConfigReported("d1", "all", 1, "confirmed"))
    first.note_report("h", ConfigReported("x", "off"))
    first.want("g", 1)
    first.close()
    again = Versions(path)
    assert again.version("g", 2) == version(2)
    assert again.versions("g") == [v._replace(text=b"") for v in (version(2), version(1))]
    (push,) = again.open_pushes()
    assert push == again.open_push("g") == again.push("g", 2) == again.newest_push("g")
    assert push.steps == (Step("submitted", 20, ""), Step("sent", 21, ""))
    assert (push.base, push.submitted_ns, push.state) == ("d1", 20, "sent")
    assert (again.wanted("g"), again.last("g"), again.last("h")) == (1, 2, 0)
    assert set(again.reports()) == {"g", "h"}
    assert again.reports()["g"].push == 1
    assert again.push("g", 1) is None
    again.step("g", 2, "confirmed", 22, "")
    assert again.open_push("g") is None


def test_the_version_before_is_the_newest_good_one_of_another_text(tmp_path):
    store = Versions(tmp_path / "configs.db")
    for number, digest, state in (
        (1, "a", None), (2, "b", "confirmed"), (3, "c", "refused"), (4, "b", "confirmed"),
    ):  # fmt: skip
        store.add(version(number, digest), None if state is None else "")
        if state:
            store.step("g", number, state, 1, "")
    assert store.before("g", 4) == 1
    assert store.before("g", 1) == 0
    assert store.number_of("g", "b") == 4


def test_the_oldest_go_but_not_the_wanted_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "VERSIONS_MAX", 3)
    store = Versions(tmp_path / "configs.db")
    for number in range(1, 7):
        store.add(version(number), "")
        store.step("g", number, "confirmed", number, "")
        if number == 2:
            store.want("g", 2)
    assert [one.number for one in store.versions("g")] == [6, 5, 4, 2]
    assert store.push("g", 3) is None
    assert store.last("g") == 6


def test_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "configs.db"
    path.write_bytes(b"")
    path.chmod(0o644)
    store = Versions(path)
    store.add(version(1), None)
    found = list(tmp_path.iterdir())
    assert len(found) > 1, "the log of it, too"
    assert {one.stat().st_mode & 0o777 for one in found} == {0o600}


def test_a_disk_that_refuses_is_told(tmp_path):
    (tmp_path / "configs.db").write_bytes(b"no database at all, but long enough to look like one")
    with pytest.raises(StoreError, match="cannot be read"):
        Versions(tmp_path / "configs.db")
    store = Versions(tmp_path / "other.db")
    store.close()
    with pytest.raises(StoreError, match="cannot be read"):
        store.last("g")
    store._db = sqlite3.connect(":memory:")
    with pytest.raises(StoreError, match="cannot be kept"):
        store.want("g", 1)
