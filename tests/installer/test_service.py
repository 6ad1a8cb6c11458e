"""The service, with a systemctl that is told what to say; test_steps_booted.py has a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from installer.errors import InstallError
from installer.layout import Layout
from installer.service import Service, Shown
from installer.versions import DROP_IN


class Fake:
    """A systemctl that gives its answers one after the other, and keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.asked = folder / "asked"
        self.asked.touch()
        self.says("systemctl", "")
        self.says("journalctl", "citytwin-edge: the disk is full")

    def says(self, program: str, text: str, code: int = 0) -> None:
        path = self.folder / "bin" / program
        path.write_text(
            f'#!/bin/sh\necho "{program} $*" >>{self.asked}\ncat <<END\n{text}\nEND\nexit {code}\n'
        )
        path.chmod(0o755)

    def changes(self, *texts: str) -> None:
        """Let ``show`` say one after the other, the last for ever; everything else succeeds."""
        for number, text in enumerate(texts):
            (self.folder / str(number)).write_text(text)
        path = self.folder / "bin/systemctl"
        path.write_text(
            f'#!/bin/sh\necho "systemctl $*" >>{self.asked}\n[ "$1" = show ] || exit 0\n'
            f"cd {self.folder}; n=$(cat n 2>/dev/null || echo 0); cat $n\n"
            f"[ -e $((n + 1)) ] && echo $((n + 1)) >n; exit 0\n"
        )


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: Any) -> Fake:
    fake = Fake(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return fake


@pytest.fixture
def service(tmp_path: Path) -> Service:
    (tmp_path / "root/run/systemd/system").mkdir(parents=True)
    return Service(Layout("edge", root=tmp_path / "root"))


def state(active: str, life: str) -> str:
    return f"ActiveState={active}\nInvocationID={life}\nUnitFileState=enabled\n"


@pytest.mark.parametrize(
    ("active", "wanted"),
    [("active", True), ("activating", True), ("inactive", False), ("failed", False)],
)
def test_what_systemd_says(fake: Fake, service: Service, active: str, wanted: bool) -> None:
    fake.says("systemctl", state(active, "a1"))
    assert service.shown() == Shown(active, "a1", "enabled")
    assert service.shown().is_wanted is wanted


def test_one_that_stays_up_runs(fake: Fake, service: Service) -> None:
    fake.says("systemctl", state("active", "a1"))
    assert service.run(1.0) == ""
    assert "systemctl restart citytwin-edge.service" in fake.asked.read_text()


def test_one_that_does_not_start_leaves_its_last_words(fake: Fake, service: Service) -> None:
    fake.says("systemctl", state("activating", "a1"), code=0)
    assert service.run(1.0) == "citytwin-edge: the disk is full"
    assert "_SYSTEMD_INVOCATION_ID=a1" in fake.asked.read_text()


@pytest.mark.parametrize("later", [state("active", "a2"), state("failed", "a1")])
def test_one_that_falls_soon_does_not_run(fake: Fake, service: Service, later: str) -> None:
    """It is up again, or it is down for good."""
    fake.changes(state("active", "a1"), state("active", "a1"), later)
    assert service.run(5.0) == "citytwin-edge: the disk is full"


def test_without_a_log_its_state_is_the_reason(fake: Fake, service: Service) -> None:
    fake.says("journalctl", "", code=1)
    fake.changes(state("active", "a1"), state("failed", ""))
    assert service.run(5.0) == "it did not stay up (failed)"


def test_a_unit_takes_the_place_of_another(fake: Fake, service: Service, tmp_path: Path) -> None:
    unit = tmp_path / "new"
    unit.write_text("[Service]\n")
    service.put(unit, tmp_path / DROP_IN)
    assert service.layout.unit.read_text() == "[Service]\n"
    assert [p.name for p in service.layout.unit.parent.iterdir()] == ["citytwin-edge.service"]
    assert "daemon-reload" in fake.asked.read_text()
    service.layout.drop_ins.mkdir()
    service.remove()
    assert list(service.layout.unit.parent.iterdir()) == []
    assert "disable --now citytwin-edge.service" in fake.asked.read_text()


def test_a_drop_in_comes_and_goes_with_its_version(
    fake: Fake, service: Service, tmp_path: Path
) -> None:
    unit, drop_in = tmp_path / "new", tmp_path / DROP_IN
    unit.write_text("[Service]\n")
    drop_in.write_text("[Service]\nMemoryDenyWriteExecute=no\n")
    service.put(unit, drop_in)
    there = service.layout.drop_ins / DROP_IN
    assert there.read_text() == drop_in.read_text()
    service.put(unit, tmp_path / "older" / DROP_IN)
    assert not service.layout.drop_ins.exists()
    service.put(unit, drop_in)
    own = service.layout.drop_ins / "override.conf"
    own.touch()
    service.put(unit, tmp_path / "older" / DROP_IN)
    assert list(service.layout.drop_ins.iterdir()) == [own], "what people have changed stays"


def test_a_systemctl_that_fails_is_quoted(fake: Fake, service: Service) -> None:
    fake.says("systemctl", "no such unit", code=5)
    with pytest.raises(InstallError, match=r"systemctl stop citytwin-edge\.service: no such unit"):
        service.stop()
    with pytest.raises(InstallError, match="no such unit"):
        service.start()


def test_without_systemd_nothing_is_asked(fake: Fake, tmp_path: Path) -> None:
    service = Service(Layout("edge", root=tmp_path / "other"))
    assert not service.has_manager
    assert service.shown().is_wanted is False
    unit = tmp_path / "new"
    unit.touch()
    service.put(unit, tmp_path / DROP_IN)
    service.stop()
    service.start()
    service.remove()
    assert fake.asked.read_text() == ""
