"""`citytwin-hub audit`, through the command line, on a log that was really written."""

import json

import pytest

from citytwin_hub import cli
from citytwin_hub.audit import Audit, Deed


@pytest.fixture
def run(tmp_path, capsys):
    config = tmp_path / "hub.toml"
    config.write_text(f'[hub]\nstate = "{tmp_path}"\n')

    def run(*words):
        code = cli.main(["--config", str(config), "audit", *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


@pytest.fixture
def log(tmp_path):
    audit = Audit(tmp_path / "audit")
    for number in range(3):
        audit.append(Deed("dana", "write", f"urn:t:{number}", "204"), number * 10**9)
    audit.close()
    return next((tmp_path / "audit").glob("*.log"))


def test_what_is_shown_of_a_whole_log(run, log):
    code, text = run("verify")
    assert code == 0
    assert "3 records, none of them changed" in text
    note = text.split()[-1]
    assert run("verify", "--note", note)[0] == 0
    code, text = run("show", "--limit", "2")
    assert code == 0
    assert text.splitlines()[-1].split() == [
        "3", "1970-01-01T00:00:02Z", "dana", "write", "urn:t:2", "204",
    ]  # fmt: skip
    assert "urn:t:0" not in text
    assert [one["number"] for one in json.loads(run("show", "--json")[1])] == [1, 2, 3]


def test_a_changed_log_is_neither_verified_nor_shown(run, log):
    log.write_bytes(log.read_bytes().replace(b"dana", b"aman", 1))
    for action in ("verify", "show"):
        code, text = run(action)
        assert code == 1
        assert f"{log}:1: this record, or one before it, was changed" in text


def test_a_torn_end_is_said_to_be_no_tampering(run, log):
    with log.open("ab") as file:
        file.write(b"12345")
    code, text = run("verify")
    assert code == 0
    assert "5 bytes of a record that was not finished, which is no tampering" in text


def test_what_is_asked_wrongly_is_said(run, log):
    assert "is not NUMBER:HASH" in run("verify", "--note", "3")[1]
    assert "--limit is from 1" in run("show", "--limit", "0")[1]


def test_without_a_log(run):
    code, text = run("verify")
    assert code == 1
    assert "there is no audit log in" in text
