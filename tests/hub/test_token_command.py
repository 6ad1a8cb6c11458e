"""`citytwin-hub token`: machines have tokens of their own, and each can be ended alone."""

import json

import pytest

from citytwin.clock import SystemClock
from citytwin_hub.access import Access, AccessError
from tests.hub.test_user_command import run

__all__ = ["run"]


def test_a_token_comes_and_goes(run):
    first = run("user", "add", "aigul")[1].strip()
    code, tablet = run("token", "add", "aigul", "tablet", "--days", "1.5")
    assert code == 0
    listed = json.loads(run("--json", "token", "list", "aigul")[1])
    assert [(one["label"], one["expires"] == "never") for one in listed] == [
        ("first", True), ("tablet", False),
    ]  # fmt: skip
    access, now_ns = Access(run.state / "access.db"), SystemClock().now_ns()
    assert access.user(tablet.strip(), now_ns).name == "aigul"
    with pytest.raises(AccessError):
        access.user(tablet.strip(), now_ns + 2 * 86_400 * 10**9)
    assert run("token", "revoke", "aigul", "tablet")[0] == 0
    with pytest.raises(AccessError):
        access.user(tablet.strip(), now_ns)
    assert access.user(first, now_ns).name == "aigul"
    access.close()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "aigul"), "needs a USER and a LABEL"),
        (("add", "nobody", "x"), "there is no user 'nobody'"),
        (("add", "aigul", "x", "--days", "-1"), "--days is 0 to"),
        (("add", "aigul", "first"), "has a token 'first' already"),
        (("revoke", "aigul", "x"), "has no token 'x'"),
    ],
)
def test_what_is_wrong_is_said(run, words, says):
    run("user", "add", "aigul")
    code, text = run("token", *words)
    assert (code, says in text) == (1, True), text
