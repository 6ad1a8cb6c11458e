"""The steps where there is no systemd; test_steps_booted.py has a machine with a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from citytwin_edge.outbox import EntryKind, Outbox
from installer import account
from installer import steps as module
from installer.bundle import Bundle, this_machine
from installer.errors import SAMPLES_WAIT, WENT_BACK, InstallError
from installer.layout import Layout
from installer.running import call
from installer.service import Service
from installer.steps import Steps
from installer.versions import DROP_IN, Versions


class Machine:
    """A folder as a machine's root, and bundles whose program is a shell script."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, list[str]()
        self.layout = Layout("edge", root=folder / "root")
        self.steps = Steps(self.layout, self.said.append, 0.5)
        self.versions = Versions(self.layout)
        self.purged = 0

    def bundle(self, name: str, check: int = 0) -> Bundle:
        folder = self.folder / name
        (folder / "wheels").mkdir(parents=True)
        contents = {"part": "edge", "version": name, "kinds": [this_machine()]}
        (folder / "contents.json").write_text(json.dumps(contents))
        (folder / "SHA256SUMS").write_text(name)
        (folder / "check").write_text(str(check))
        return Bundle(folder)

    def build(self, bundle: Bundle, _python: str) -> Path:
        folder = self.layout.home / bundle.version
        if folder.exists():
            return folder
        (folder / "bin").mkdir(parents=True)
        (folder / "setup").mkdir()
        for name in ("pyvenv.cfg", "complete", "setup/install.sh"):
            (folder / name).touch()
        (folder / "setup/edge.toml").write_text("[gateway]\n")
        (folder / "setup/citytwin-edge.service").write_text(bundle.version)
        program = folder / "bin/citytwin-edge"
        code = (bundle.folder / "check").read_text()
        program.write_text(f'#!/bin/sh\n[ "$1" != check ] || {{ echo wrong >&2; exit {code}; }}\n')
        program.chmod(0o755)
        return folder

    def current(self) -> str:
        found = self.versions.current
        return found.name.partition("-")[0] if found else ""

    def outbox(self) -> Outbox:
        return Outbox(self.layout.outbox, size_bytes_max=1 << 20)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: Any) -> Machine:
    machine = Machine(tmp_path)

    def as_anybody(*command: str | Path, user: str | None = None, **more: Any) -> Any:
        return call(*command, **more)

    def forget() -> None:
        machine.purged += 1

    monkeypatch.setattr(module, "call", as_anybody)
    monkeypatch.setattr(account, "make", lambda: None)
    monkeypatch.setattr(account, "remove", forget)
    monkeypatch.setattr(account, "_give", lambda *_, **__: None)
    monkeypatch.setattr(machine.steps.versions, "build", machine.build)
    return machine


def test_install_upgrade_back_and_forth(machine: Machine) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    assert "There is no systemd here" in "\n".join(machine.said)
    assert "citytwin-edge run --config" in machine.said[-1]
    layout = machine.layout
    assert layout.config.read_text() == "[gateway]\n"
    assert layout.command.readlink() == layout.home / "current/bin/citytwin-edge"
    layout.config.write_text("[gateway]\nname = 'mine'\n")
    machine.steps.install(machine.bundle("2"), "python")
    assert layout.config.read_text() == "[gateway]\nname = 'mine'\n"
    assert (machine.current(), layout.unit.read_text()[0]) == ("2", "2")
    machine.steps.rollback()
    assert (machine.current(), layout.unit.read_text()[0]) == ("1", "1")
    machine.steps.rollback()
    assert machine.current() == "2"
    machine.steps.install(machine.bundle("3"), "python")
    assert [folder.name[0] for folder in machine.versions.all()] == ["2", "3"]


def test_a_version_with_numba_may_make_memory_executable_and_no_other(machine: Machine) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    drop_in = machine.layout.drop_ins / DROP_IN
    assert not drop_in.exists()
    fast = machine.build(machine.bundle("2"), "python")
    (fast / "setup" / DROP_IN).write_text("[Service]\n")
    machine.steps.install(Bundle(machine.folder / "2"), "python")
    assert drop_in.read_text() == "[Service]\n"
    machine.steps.rollback()
    assert not drop_in.exists()


def test_installing_the_same_again_keeps_the_one_before(machine: Machine) -> None:
    one, two = machine.bundle("1"), machine.bundle("2")
    for bundle in (one, two, two):
        machine.steps.install(bundle, "python")
    assert machine.versions.previous is not None
    assert machine.versions.previous.name == one.version
    machine.steps.install(one, "python")
    assert machine.current() == "1"
    assert [folder.name[0] for folder in machine.versions.all()] == ["1", "2"]


def test_one_that_refuses_the_configuration_changes_nothing(machine: Machine) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    with pytest.raises(
        InstallError, match=r"version 2-.* cannot run with .*edge.toml: wrong; noth"
    ):
        machine.steps.install(machine.bundle("2", check=1), "python")
    assert machine.current() == "1"
    assert [folder.name[0] for folder in machine.versions.all()] == ["1"]
    assert machine.versions.previous is None


def test_there_is_nothing_to_go_back_to(machine: Machine) -> None:
    with pytest.raises(InstallError, match="there is no older version"):
        machine.steps.rollback()
    assert not machine.layout.home.exists()
    machine.steps.install(machine.bundle("1"), "python")
    machine.steps.install(machine.bundle("2"), "python")
    previous = machine.versions.previous
    assert previous is not None
    (previous / "bin/citytwin-edge").unlink()
    with pytest.raises(InstallError, match="does not start; install a bundle instead"):
        machine.steps.rollback()
    assert machine.current() == "2"


def test_a_version_from_before_this_installer_gets_its_unit_back(machine: Machine) -> None:
    old = machine.layout.home / "0123456789ab"
    (old / "bin").mkdir(parents=True)
    for name in ("pyvenv.cfg", "complete", "bin/citytwin-edge"):
        (old / name).write_text("#!/bin/sh\n")
    (old / "bin/citytwin-edge").chmod(0o755)
    (machine.layout.home / "current").symlink_to(old.name)
    machine.layout.unit.parent.mkdir(parents=True)
    machine.layout.unit.write_text("of old")
    machine.steps.install(machine.bundle("1"), "python")
    assert machine.layout.unit.read_text()[0] == "1"
    machine.steps.rollback()
    assert machine.layout.unit.read_text() == "of old"


def test_uninstall_keeps_what_the_gateway_has_kept(machine: Machine) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    outbox = machine.outbox()
    outbox.append(EntryKind.TELEMETRY, b"x", 7)
    outbox.close()
    machine.steps.uninstall(purge=False, yes=False)
    assert "7 samples in 1 entries wait in its outbox" in machine.said[-1]
    layout = machine.layout
    assert (layout.config.exists(), layout.outbox.exists(), machine.purged) == (True, True, 0)
    assert not any(path.exists() for path in (layout.home, layout.command, layout.unit))
    machine.steps.install(machine.bundle("1b"), "python")
    assert machine.current() == "1b"


@pytest.fixture
def _quick(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.001)


@pytest.mark.usefixtures("_quick")
def test_what_waits_for_the_hub_is_not_purged_unasked(machine: Machine) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    outbox = machine.outbox()
    last = outbox.append(EntryKind.TELEMETRY, b"x", 7)
    with pytest.raises(InstallError, match="7 samples in 1 entries wait") as said:
        machine.steps.uninstall(purge=True, yes=False)
    assert said.value.code == SAMPLES_WAIT
    assert machine.current() == "1"
    outbox.acknowledge(last)
    outbox.close()
    machine.steps.uninstall(purge=True, yes=False)
    assert machine.purged == 1
    left = [path for path in machine.layout.root.rglob("*") if not path.is_dir()]
    assert left == []
    assert not machine.layout.state.exists()
    assert not machine.layout.config_folder.exists()


@pytest.mark.usefixtures("_quick")
def test_with_yes_it_goes_as_it_is(machine: Machine) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    machine.layout.outbox.write_bytes(b"no database" * 99)
    with pytest.raises(InstallError, match="nobody knows what waits"):
        machine.steps.uninstall(purge=True, yes=False)
    machine.steps.uninstall(purge=True, yes=True)
    assert not machine.layout.state.exists()


def test_the_other_part_keeps_its_account_and_folder(machine: Machine) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    hub = Layout("hub", root=machine.layout.root)
    hub.state.mkdir(parents=True)
    hub.config.write_text("")
    machine.steps.uninstall(purge=True, yes=True)
    assert machine.purged == 0
    assert list(hub.config_folder.iterdir()) == [hub.config]


def test_a_hub_is_never_purged_by_accident(tmp_path: Path, monkeypatch: Any) -> None:
    layout = Layout("hub", root=tmp_path)
    layout.state.mkdir(parents=True)
    steps = Steps(layout, list[str]().append, 0.5)
    with pytest.raises(InstallError, match="the city's history"):
        steps.uninstall(purge=True, yes=False)
    assert layout.state.exists()


def fails_with(reasons: list[str]) -> Callable[[float], str]:
    return lambda _settle_s: reasons.pop(0)


@pytest.mark.parametrize(
    ("again", "how"), [("", "runs again"), ("no disk", "does not run either: no disk")]
)
def test_one_that_does_not_run_is_taken_back(
    machine: Machine, monkeypatch: Any, again: str, how: str
) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    running = Service(machine.layout).shown()._replace(active="active")
    monkeypatch.setattr(machine.steps.service, "shown", lambda: running)
    monkeypatch.setattr(machine.steps.service, "run", fails_with(["a flaw", again]))
    with pytest.raises(InstallError, match=f"did not run: a flaw\nversion 1-.* {how}") as said:
        machine.steps.install(machine.bundle("2"), "python")
    assert said.value.code == WENT_BACK
    assert (machine.current(), machine.layout.unit.read_text()[0]) == ("1", "1")
    assert [folder.name[0] for folder in machine.versions.all()] == ["1"]
    monkeypatch.setattr(machine.steps.service, "run", fails_with(["the disk is full"]))
    with pytest.raises(InstallError, match=r"version 1-.* does not run: the disk is full"):
        machine.steps.install(Bundle(machine.folder / "1"), "python")
    assert machine.current() == "1"


def test_an_interrupted_trial_is_taken_back(machine: Machine, monkeypatch: Any) -> None:
    machine.steps.install(machine.bundle("1"), "python")
    running = Service(machine.layout).shown()._replace(active="active")
    monkeypatch.setattr(machine.steps.service, "shown", lambda: running)
    tries = iter([KeyboardInterrupt(), None])

    def run(_settle_s: float) -> str:
        if error := next(tries):
            raise error
        return ""

    monkeypatch.setattr(machine.steps.service, "run", run)
    with pytest.raises(InstallError, match=r"it was interrupted\nversion 1-.* runs again"):
        machine.steps.install(machine.bundle("2"), "python")
    assert machine.current() == "1"
