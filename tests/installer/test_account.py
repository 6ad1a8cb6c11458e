"""The account, with programs that only say what they do; test_steps_booted.py has real ones."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from installer import account
from installer.layout import Layout


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: Any) -> Path:
    for program in ("useradd", "usermod", "userdel", "groupdel"):
        path = tmp_path / program
        path.write_text(f'#!/bin/sh\necho "{program} $*" >>{tmp_path}/asked\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "asked").touch()
    return tmp_path / "asked"


def has(monkeypatch: Any, *groups: str) -> None:
    """Let the machine have these groups."""
    found = [SimpleNamespace(gr_name=name) for name in groups]
    monkeypatch.setattr(grp, "getgrall", lambda: found)


def test_it_may_use_serial_ports_and_bluetooth_where_there_are_any(
    asked: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(account, "exists", lambda: False)
    has(monkeypatch, "dialout")
    account.make()
    made, serial = asked.read_text().splitlines()
    assert made.startswith("useradd --system")
    assert made.endswith("--shell /usr/sbin/nologin citytwin")
    assert serial == "usermod --append --groups dialout citytwin"
    monkeypatch.setattr(account, "exists", lambda: True)
    has(monkeypatch, "dialout", "bluetooth")
    asked.write_text("")
    account.make()
    assert [line.split()[3] for line in asked.read_text().splitlines()] == ["dialout", "bluetooth"]


def test_it_goes_with_its_group(asked: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(account, "exists", lambda: True)
    has(monkeypatch, "citytwin")
    account.remove()
    assert asked.read_text() == "userdel citytwin\ngroupdel citytwin\n"
    asked.write_text("")
    monkeypatch.setattr(account, "exists", lambda: False)
    has(monkeypatch)
    account.remove()
    assert asked.read_text() == ""


def test_nobody_is_called_so_here(monkeypatch: Any) -> None:
    monkeypatch.setattr(account, "ACCOUNT", "no-such-user-here")
    assert not account.exists()


def test_the_state_is_closed_and_the_configuration_open_to_read(
    tmp_path: Path, monkeypatch: Any
) -> None:
    mine = SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid())
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: mine)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    layout = Layout("edge", root=tmp_path)
    account.make_folders(layout)
    assert oct(layout.state.stat().st_mode)[-3:] == "750"
    assert oct(layout.config_folder.stat().st_mode)[-3:] == "775"
    account.remove_folder(layout.state)
    account.remove_folder(layout.state)
    assert not layout.state.exists()
