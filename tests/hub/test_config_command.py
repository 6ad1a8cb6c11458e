"""`citytwin-hub config` as people see it; tests/city/test_config_push.py types it."""

import argparse

import pytest

from citytwin.errors import CityTwinError
from citytwin_hub import config_command
from citytwin_hub.config_command import NotConfirmed, add_to, answer, lines

PUSH = {"number": 2, "state": "refused", "reason": "no", "history": []}


def asked(*words):
    parser = argparse.ArgumentParser()
    add_to(parser)
    return parser.parse_args(["g", *words])


class Client:
    def __init__(self, *states):
        self.states, self.calls = list(states), []

    def get(self, path, **query):
        self.calls.append((path, query))
        return {"push": {**PUSH, "state": self.states.pop(0)}, "text": "x\n", "diff": "",
                "versions": [], "gateway": "g", "number": 1}  # fmt: skip

    def post(self, path, body):
        self.calls.append((path, body))
        return {**PUSH, "state": "sent"}


def test_what_is_asked_and_shown(tmp_path):
    client = Client("sent", "applied", "sent")
    assert list(lines(asked("show"), answer(asked("show"), client))) == ["x"]
    assert list(lines(asked("diff"), answer(asked("diff"), client))) == ["(no difference)"]
    rows = list(lines(asked("status"), answer(asked("status"), client)))
    assert rows[1].split()[0] == "g"
    history = [{"number": 1, "at_ms": 5, "by": "x", "why": "", "digest": "d", "push": None}]
    assert "found at the gateway" in list(lines(asked("history"), history))[1]
    assert list(lines(asked("accept"), {"number": 4})) == ["version 4 is what g shall run"]
    file = tmp_path / "new.toml"
    file.write_bytes("а\r\n".encode())
    pushed = answer(asked("push", str(file), "--why", "w", "--force"), client)
    assert client.calls[-1][1] == {"text": "а\r\n", "why": "w", "force": True}
    assert list(lines(asked("push", "x"), pushed)) == ["push 2 is sent"]
    answer(asked("rollback", "--number", "3"), client)
    assert client.calls[-1] == ("gateways/g/config/rollback", {"number": 3, "why": ""})
    answer(asked("cancel"), client)
    assert client.calls[-1][0] == "gateways/g/config/cancel"


def test_waiting_ends_with_what_became_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(config_command, "WAIT_S", 0.001)
    file = tmp_path / "new.toml"
    file.write_text("x")
    words = ("push", str(file), "--wait")
    assert answer(asked(*words), Client("sent", "applied", "confirmed"))["state"] == "confirmed"
    with pytest.raises(NotConfirmed, match="push 2 rolled-back: no"):
        answer(asked(*words), Client("rolled-back"))
    monkeypatch.setattr(config_command, "WAIT_S_MAX", 0.003)
    with pytest.raises(CityTwinError, match="has not answered"):
        answer(asked(*words), Client(*["sent"] * 10))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CityTwinError, match="needs a FILE"):
        answer(asked("push"), Client())
    with pytest.raises(CityTwinError, match="cannot be read: No such file"):
        answer(asked("push", str(tmp_path / "none")), Client())
    (tmp_path / "bad").write_bytes(b"\xff")
    with pytest.raises(CityTwinError, match="is not UTF-8"):
        answer(asked("push", str(tmp_path / "bad")), Client())
