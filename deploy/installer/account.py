"""The account under which the parts run, and the folders that belong to it."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from pathlib import Path
from typing import Final

from installer.layout import ACCOUNT, Layout
from installer.running import must

GROUPS: Final = ("dialout", "bluetooth")
"""Whom serial ports belong to, and who may speak with BlueZ."""


def exists() -> bool:
    """Tell whether the account is there."""
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        return False
    return True


def make() -> None:
    """Bring it into being, and into the groups that this machine has."""
    if not exists():
        must("useradd", "--system", "--user-group", "--no-create-home",
             "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", ACCOUNT)  # fmt: skip
    there = {group.gr_name for group in grp.getgrall()}
    for group in GROUPS:
        if group in there:
            must("usermod", "--append", "--groups", group, ACCOUNT)


def make_folders(layout: Layout) -> None:
    """Bring the folders into being; what is in them is left alone."""
    layout.state.mkdir(parents=True, exist_ok=True)
    _give(layout.state, 0o750, owner=True)
    layout.config_folder.mkdir(parents=True, exist_ok=True)
    # A gateway's agent may write there the configuration that its hub holds.
    _give(layout.config_folder, 0o775, owner=False)


def _give(folder: Path, mode: int, *, owner: bool) -> None:
    account = pwd.getpwnam(ACCOUNT)
    os.chown(folder, account.pw_uid if owner else 0, account.pw_gid)
    folder.chmod(mode)


def remove() -> None:
    """Remove the account, and its group where that does not go with it."""
    if exists():
        must("userdel", ACCOUNT)
    if any(group.gr_name == ACCOUNT for group in grp.getgrall()):
        must("groupdel", ACCOUNT)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it."""
    if folder.exists():
        shutil.rmtree(folder)
