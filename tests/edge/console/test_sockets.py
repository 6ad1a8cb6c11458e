"""The socket in the state folder: whose it is, what is left of a dead agent, and long paths."""

import os
import socket
import stat

import pytest

from citytwin_edge.console import sockets
from citytwin_edge.console.sockets import NAME, Peer


def test_both_ends_meet_and_know_each_other(tmp_path):
    with sockets.listening(tmp_path) as end, sockets.connected(tmp_path) as client:
        end.setblocking(True)
        server, _ = end.accept()
        with server:
            peer = sockets.peer_of(server)
            assert (peer.pid, peer.uid) == (os.getpid(), os.geteuid())
            assert peer.is_trusted
            client.sendall(b"hello")
            assert server.recv(10) == b"hello"


def test_only_the_owner_may_even_connect(tmp_path):
    with sockets.listening(tmp_path):
        mode = (tmp_path / NAME).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600


def test_a_socket_that_a_dead_agent_left_is_replaced(tmp_path):
    dead = sockets.listening(tmp_path)
    dead.close()
    with pytest.raises(ConnectionRefusedError):
        sockets.connected(tmp_path)
    with sockets.listening(tmp_path), sockets.connected(tmp_path):
        pass


def test_a_state_folder_may_lie_deep(tmp_path):
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    with sockets.listening(folder), sockets.connected(folder):
        assert (folder / NAME).exists()


def test_no_folder_no_socket(tmp_path):
    for touch in (sockets.listening, sockets.connected):
        with pytest.raises(FileNotFoundError):
            touch(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        sockets.connected(tmp_path)


def test_users_have_names_and_others_are_not_trusted():
    assert Peer(1, 0).name == "root"
    assert Peer(1, 0).is_trusted
    assert Peer(1, 4_000_000).name == "user 4000000"
    assert not Peer(1, 4_000_000).is_trusted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_kernel_says_who_asks(tmp_path):
    with sockets.listening(tmp_path) as end:
        client = socket.socket(socket.AF_UNIX)
        (tmp_path / NAME).chmod(0o666)
        tmp_path.chmod(0o755)
        folder = os.open(tmp_path, os.O_PATH)
        child = os.fork()
        if not child:
            # The folders above are root's, so he goes in by what was opened before.
            os.fchdir(folder)
            os.setresuid(65534, 65534, 65534)
            os._exit(client.connect_ex(NAME))
        end.setblocking(True)
        end.settimeout(20)
        server, _ = end.accept()
        with server, client:
            peer = sockets.peer_of(server)
        os.close(folder)
        _, status = os.waitpid(child, 0)
    assert status == 0
    assert (peer.uid, peer.is_trusted) == (65534, False)
