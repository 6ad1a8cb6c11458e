"""Access: tokens are shown once, roles include one another, guessing is slowed down."""

import stat

import pytest

from citytwin.errors import IdentityError
from citytwin_hub.access import (
    FAILURES_MAX,
    START,
    Access,
    AccessError,
    Role,
    local_token,
)

NOW = 1_767_225_600 * 10**9


def test_a_token_opens_by_its_role(tmp_path):
    access = Access(tmp_path / "access.db")
    token = access.add("aigul", Role.OPERATOR)
    assert access.user(token, NOW) == ("aigul", Role.OPERATOR)
    with pytest.raises(AccessError, match="needs admin") as caught:
        access.user(token, NOW, Role.ADMIN)
    assert caught.value.status == 403
    assert token.encode() not in (tmp_path / "access.db").read_bytes()


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
    assert access.user(token, NOW, Role.ADMIN).name == "local-admin"
