"""Serial ports: missing, forbidden, in use by us, in use by another."""

import grp
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from citytwin_edge.console.doctor import ports
from citytwin_edge.console.doctor.ports import User, examine_ports, ports_of, user_of

NOBODY = User("nobody", 65534, frozenset({65534}))
OURS = User("root", os.geteuid(), frozenset(os.getgroups()))


def device(port) -> Any:
    return SimpleNamespace(settings=SimpleNamespace(serial=port))


@pytest.fixture
def port(tmp_path):
    """A port that nobody has open."""
    path = tmp_path / "ttyUSB0"
    path.touch()
    path.chmod(0o660)
    return path


def one(port, user=OURS, **more):
    (finding,) = examine_ports([device(str(port))], user, **more)
    return finding


def test_ports_are_named_once():
    others: Any = SimpleNamespace(settings=SimpleNamespace(host="10.0.0.1"))
    odd = device(7)
    assert ports_of([device("/dev/a"), device(""), others, odd, device("/dev/a")]) == ["/dev/a"]


def test_a_port_that_is_free(port):
    finding = one(port)
    assert (finding.result, finding.found) == ("ok", f"{port} is there, and root may open it")


def test_a_port_that_is_not_there(tmp_path):
    finding = one(tmp_path / "none")
    assert finding.result == "failed"
    assert "by-id" in finding.remedy


def test_a_port_that_the_agents_user_may_not_open(port):
    group = grp.getgrgid(port.stat().st_gid).gr_name
    finding = one(port, NOBODY)
    assert finding.result == "failed"
    assert finding.found == f"nobody may not open {port}, which belongs to the group {group}"
    assert finding.remedy.startswith(f"sudo usermod --append --groups {group} nobody")
    member = User("nobody", 65534, frozenset({port.stat().st_gid}))
    assert one(port, member).result == "ok"
    port.chmod(0o600)
    assert one(port, member).result == "failed"
    port.chmod(0o666)
    assert one(port, NOBODY).result == "ok"


def test_a_port_that_somebody_has_open(port):
    script = "import sys; f = open(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        finding = one(port)
        assert finding.result == "failed"
        assert f"(process {other.pid})" in finding.found
        assert one(port, agent=other.pid).found == f"{port} is open, by the agent"
        other.communicate(b"\n")
    with port.open():
        assert one(port).result == "ok", "who looks is not somebody else"
        assert one(port, agent=os.getpid()).found == f"{port} is open, by the agent"


def test_whose_folder_whose_agent(tmp_path):
    assert user_of(tmp_path / "none").uid == os.geteuid()
    assert user_of(tmp_path) == user_of(tmp_path / "none")
    if os.geteuid() == 0:
        os.chown(tmp_path, 65534, 65534)
        assert user_of(tmp_path) == NOBODY


def test_numbers_without_names_are_shown_as_numbers():
    assert ports._group(4_000_000) == "4000000"
    assert ports._name(4_000_000) == "user 4000000"
