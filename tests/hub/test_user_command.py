"""`citytwin-hub user`: users get the roles of the policy, and the log says who did it."""

import io
import json

import pytest

from citytwin_hub import cli
from citytwin_hub.access import Access
from citytwin_hub.accounts import Accounts
from citytwin_hub.audit import entries


class Run:
    """Runs the command line on a configuration, and returns its code and words."""

    def __init__(self, config, capsys, state):
        self.state, self._config, self._capsys = state, config, capsys

    def __call__(self, *words):
        code = cli.main(["--config", str(self._config), *words])
        told = self._capsys.readouterr()
        return code, told.out + told.err


@pytest.fixture
def run(tmp_path, capsys):
    config = tmp_path / "hub.toml"
    config.write_text(f'[hub]\nstate = "{tmp_path / "hub"}"\n')
    (tmp_path / "policy.toml").write_text('[role.medeu]\n[[role.medeu.may]]\nacts = ["read"]\n')

    return Run(config, capsys, tmp_path / "hub")


def test_a_user_comes_changes_and_goes(run):
    code, token = run("user", "add", "aigul", "--role", "medeu", "--role", "operator")
    access = Access(run.state / "access.db")
    assert code == 0
    assert access.user(token.strip(), 1) == ("aigul", ("medeu", "operator"))
    assert "aigul: done" in run("user", "roles", "aigul", "--role", "viewer")[1]
    assert json.loads(run("--json", "user", "list")[1]) == [{"name": "aigul", "role": "viewer"}]
    assert access.user(token.strip(), 1).roles == ("viewer",)
    assert run("user", "remove", "aigul")[0] == 0
    assert access.users() == []
    access.close()
    told = [(one.deed.who, one.deed.what, one.deed.on) for one in entries(run.state / "audit")]
    assert told == [
        ("command line", "user add", "aigul as medeu, operator"),
        ("command line", "user roles", "aigul as viewer"),
        ("command line", "user remove", "aigul"),
    ]


def test_a_password_comes_from_a_pipe(run, monkeypatch):
    run("user", "add", "aigul")
    monkeypatch.setattr("sys.stdin", io.StringIO("Alatau over Medeu\n"))
    assert "aigul: done" in run("user", "password", "aigul")[1]
    accounts = Accounts(run.state / "access.db")
    assert accounts.log_in("aigul", "Alatau over Medeu", "", 1).cookie
    accounts.close()
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert "12 to 256 characters" in run("user", "password", "aigul")[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add",), "user add needs a NAME"),
        (("add", "x", "--role", "none"), "there is no role 'none'; the policy has admin"),
        (("remove", "x"), "there is no user 'x'"),
        (("roles", "x"), "there is no user 'x'"),
        (("roles", "y"), "needs --role"),
    ],
)
def test_what_is_wrong_is_said(run, words, says):
    run("user", "add", "y")
    code, text = run("user", *words)
    assert (code, says in text) == (1, True), text


def test_users_are_listed_only_where_a_hub_has_run(run):
    assert "no hub has run" in run("user", "list")[1]
