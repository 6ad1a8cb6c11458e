"""Serial ports: whether each is there, may be opened by the agent's user, and who has it open."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from citytwin_edge.console import sentences as say
from citytwin_edge.console.doctor.findings import Finding, Result
from citytwin_edge.gateway import Device


class User(NamedTuple):
    """Somebody who opens ports: name, number, numbers of his groups."""

    name: str
    uid: int
    groups: frozenset[int]


def user_of(state: Path) -> User:
    """Return whose the state folder is: the agent's user; before there is one, whoever asks."""
    try:
        uid = state.stat().st_uid
    except OSError:
        uid = os.geteuid()
    if uid == os.geteuid():
        groups = {os.getegid(), *os.getgroups()}
        return User(_name(uid), uid, frozenset(groups))
    known = pwd.getpwuid(uid)
    return User(known.pw_name, uid, frozenset(os.getgrouplist(known.pw_name, known.pw_gid)))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def ports_of(devices: Iterable[Device]) -> list[str]:
    """Return the serial ports that devices name, each once: what adapters call ``serial``."""
    named = (getattr(device.settings, "serial", "") for device in devices)
    return list(dict.fromkeys(port for port in named if isinstance(port, str) and port))


def examine_ports(devices: Iterable[Device], user: User, agent: int = 0) -> list[Finding]:
    """Return how each port is; ``agent`` is the running agent's process, 0 when none runs."""
    return [_port(name, user, agent) for name in ports_of(devices)]


def _port(name: str, user: User, agent: int) -> Finding:
    check = f"port {name}"
    try:
        there = Path(name).stat()
    except OSError:
        return Finding(check, Result.FAILED, say.PORT_MISSING.said(port=name), say.PLUG_IN.said())
    if not _may_open(there, user):
        group = _group(there.st_gid)
        words = say.PORT_DENIED.said(user=user.name, port=name, group=group)
        return Finding(
            check, Result.FAILED, words, say.JOIN_GROUP.said(group=group, user=user.name)
        )
    holders = dict(_holders(there, agent))
    if agent in holders:
        return Finding(check, Result.OK, say.PORT_OURS.said(port=name))
    for pid, program in holders.items():
        words = say.PORT_BUSY.said(port=name, program=program, pid=pid)
        return Finding(check, Result.FAILED, words, say.END_PROGRAM.said(program=program))
    return Finding(check, Result.OK, say.PORT_FREE.said(port=name, user=user.name))


def _may_open(there: os.stat_result, user: User) -> bool:
    if user.uid == 0:
        return True
    if there.st_uid == user.uid:
        wanted = 0o600
    elif there.st_gid in user.groups:
        wanted = 0o060
    else:
        wanted = 0o006
    return there.st_mode & wanted == wanted


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _holders(there: os.stat_result, agent: int) -> Iterator[tuple[int, str]]:
    """Yield process and program of everybody who has a port open, as far as we may see it.

    A command that looks is left out; an agent that looks at itself is not.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid() != agent:
            continue
        try:
            is_open = any(_is_same(file, there) for file in (folder / "fd").iterdir())
            if is_open:
                yield int(folder.name), (folder / "comm").read_text().strip()
        except OSError:
            continue  # it has ended, or is another user's


def _is_same(file: Path, there: os.stat_result) -> bool:
    try:
        found = file.stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (there.st_dev, there.st_ino)
