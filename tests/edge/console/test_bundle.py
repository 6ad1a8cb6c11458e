"""The support bundle: what is in it, that nothing secret is, and its limit."""

import json
import tarfile

import pytest

from citytwin.errors import CityTwinError
from citytwin_edge.console import bundle
from citytwin_edge.console.bundle import Material, write_bundle

MIB = 1 << 20


def contents(path):
    with tarfile.open(path) as archive:
        members = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        return {name: file.read() for name, file in members.items() if file}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "_journal", lambda: "Nov 26 journal says planted-1\n")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "key.pem").write_text("planted-key")
    (tmp_path / "edge.toml").write_text('[gateway]\nname = "g"\npassword = "planted-1"\n')
    return tmp_path


def written(place, material, size=MIB, name="help.tar.gz"):
    return write_bundle(
        place / name, place / "edge.toml", place / "state", material, size_bytes_max=size
    )


def test_what_is_in_it(place):
    status = {"gateway": "g", "devices": [{"error": "device said planted-1"}]}
    material = Material([{"check": "clock", "found": "planted-1"}], status, [{"event": "e"}])
    rows = written(place, material)
    files = contents(place / "help.tar.gz")
    assert {row["file"]: row["bytes"] for row in rows} == {
        name.removeprefix("help/"): len(content) for name, content in files.items()
    }
    assert set(files) == {
        f"help/{name}"
        for name in ("edge.toml", "status.json", "doctor.json", "versions.json",
                     "state-folder.json", "log.jsonl", "journal.txt")
    }  # fmt: skip
    assert not any(b"planted" in content for content in files.values())
    assert json.loads(files["help/status.json"])["gateway"] == "g"
    assert "python" in json.loads(files["help/versions.json"])
    (key,) = json.loads(files["help/state-folder.json"])
    assert (key["file"], key["bytes"]) == ("key.pem", 11)
    assert list(place.glob("*.partial")) == []


def test_logs_are_cut_to_the_limit_and_the_newest_stay(place):
    lines = [{"event": "e", "number": n, "text": "x" * 1000} for n in range(2000)]
    written(place, Material([], None, lines), size=MIB)
    files = contents(place / "help.tar.gz")
    assert sum(map(len, files.values())) <= MIB
    first, *kept = files["help/log.jsonl"].splitlines()
    assert first == b"(older lines are left out)"
    assert json.loads(kept[0])["number"] > 1000
    assert json.loads(kept[-1])["number"] == 1999


def test_without_a_configuration_there_is_still_a_bundle(place):
    (place / "edge.toml").unlink()
    written(place, Material([], None, []))
    assert b"cannot be read: No such file" in contents(place / "help.tar.gz")["help/edge.toml"]


def test_what_cannot_be_written_is_said_and_leaves_nothing(place):
    with pytest.raises(CityTwinError, match="too few for a bundle"):
        written(place, Material([], None, []), size=1000)
    with pytest.raises(CityTwinError, match=r"cannot be written: No such file.*; name another"):
        written(place, Material([], None, []), name="none/help.tar.gz")
    assert not list(place.glob("help*"))


def test_the_journal_is_what_systemd_has(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle.shutil, "which", lambda _name: None)
    assert bundle._journal() == ""
    script = tmp_path / "journalctl"
    script.write_text('#!/bin/sh\necho "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(bundle.shutil, "which", lambda _name: str(script))
    assert "--unit citytwin-edge" in bundle._journal()
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(bundle, "JOURNAL_S_MAX", 0.1)
    assert bundle._journal() == ""
