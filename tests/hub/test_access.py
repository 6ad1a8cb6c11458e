"""Access: tokens are shown once, roles include one another, guessing is slowed down."""

import contextlib
import sqlite3
import stat

import pytest

from citytwin.errors import IdentityError, StoreError
from citytwin_hub.access import (
    FAILURES_MAX,
    FIRST,
    START,
    Access,
    AccessError,
    Role,
    hashed,
    local_token,
)

NOW = 1_767_225_600 * 10**9


def test_a_token_opens_and_says_the_roles(tmp_path):
    access = Access(tmp_path / "access.db")
    token = access.add("aigul", (Role.OPERATOR, "planner"))
    assert access.user(token, NOW) == ("aigul", ("operator", "planner"))
    assert access.roles("aigul") == ("operator", "planner")
    assert access.roles("nobody") == ()
    assert token.encode() not in (tmp_path / "access.db").read_bytes()


def test_a_user_has_several_tokens_that_end_one_by_one(tmp_path):
    access = Access(tmp_path / "access.db")
    first = access.add("scada", Role.VIEWER)
    pump = access.issue("scada", "pump-house", NOW, life_ns=60 * 10**9)
    other = access.issue("scada", "office", NOW)
    assert {access.user(one, NOW).name for one in (first, pump, other)} == {"scada"}
    assert [(one.label, one.expires_ns) for one in access.tokens()] == [
        (FIRST, 0),
        ("office", 0),
        ("pump-house", NOW + 60 * 10**9),
    ]
    with pytest.raises(StoreError, match="a token 'office' already"):
        access.issue("scada", "office", NOW)
    with pytest.raises(StoreError, match="no user 'nobody'"):
        access.issue("nobody", "office", NOW)
    with pytest.raises(AccessError, match="a valid token"):
        access.user(pump, NOW + 60 * 10**9)
    assert access.revoke("scada", "office")
    assert not access.revoke("scada", "office")
    with pytest.raises(AccessError, match="a valid token"):
        access.user(other, NOW)
    assert access.user(first, NOW).name == "scada"


def test_users_of_an_older_hub_keep_their_tokens(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "access.db")) as db, db:
        db.execute(
            "CREATE TABLE users "
            "(name TEXT PRIMARY KEY, role INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE) STRICT"
        )
        db.executemany(
            "INSERT INTO users VALUES (?, ?, ?)",
            [("aigul", 2, hashed("ct_old")), ("su", 1, hashed("ct_su"))],
        )
    for _ in range(2):
        with contextlib.closing(Access(tmp_path / "access.db")) as access:
            assert access.user("ct_old", NOW) == ("aigul", ("operator",))
            assert access.user("ct_su", NOW) == ("su", ("viewer",))


def test_a_new_token_ends_the_old_one_and_removal_ends_both(tmp_path):
    access = Access(tmp_path / "access.db")
    old, new = access.add("aigul", Role.VIEWER), access.add("aigul", Role.VIEWER)
    with pytest.raises(AccessError):
        access.user(old, NOW)
    assert access.user(new, NOW).name == "aigul"
    assert [user.name for user in access.users()] == ["aigul"]
    assert access.remove("aigul")
    assert not access.remove("aigul")
    with pytest.raises(AccessError):
        access.user(new, NOW)


def test_no_token_can_be_taken_for_an_option(tmp_path):
    access = Access(tmp_path / "access.db")
    # A random first letter would be a dash once in 64 tokens.
    assert {access.add("aigul", Role.VIEWER)[:3] for _ in range(500)} == {START}
    assert not START.startswith("-")


def test_guessing_is_slowed_down(tmp_path):
    access = Access(tmp_path / "access.db")
    token = access.add("aigul", Role.VIEWER)
    for number in range(FAILURES_MAX):
        with pytest.raises(AccessError):
            access.user(f"guess {number}", NOW)
    with pytest.raises(AccessError, match="wait a minute") as caught:
        access.user("one more", NOW)
    assert caught.value.status == 429
    assert access.user(token, NOW).name == "aigul", "who has a token is not locked out by others"
    with pytest.raises(AccessError, match="a valid token is needed"):
        access.user("one more", NOW + 61 * 10**9)


def test_names_and_the_machines_own_token(tmp_path):
    access = Access(tmp_path / "access.db")
    with pytest.raises(IdentityError):
        access.add("Айгүл", Role.VIEWER)
    path = tmp_path / "admin.token"
    token = local_token(access, path)
    assert path.read_text() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert access.user(token, NOW) == ("local-admin", ("admin",))
