"""Accounts: a password opens a session for a shift, and guessing is slowed down."""

import sqlite3

import pytest
from argon2 import PasswordHasher

from citytwin.errors import StoreError
from citytwin_hub.access import Access, AccessError
from citytwin_hub.accounts import (
    IDLE_NS_MAX,
    LOCK_NS,
    NAME_FAILURES_MAX,
    SESSION_NS_MAX,
    SESSIONS_MAX,
    SOURCE_FAILURES_MAX,
    Accounts,
    csrf_of,
)

NOW = 1_767_225_600 * 10**9
WORD = "Alatau over Medeu"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def made(tmp_path):
    access = Access(tmp_path / "access.db")
    access.add("aigul", "operator")
    accounts = Accounts(tmp_path / "access.db", QUICK)
    accounts.set_password("aigul", WORD)
    yield access, accounts
    accounts.close()
    access.close()


def refused(accounts, name, password, source="10.0.0.1", now_ns=NOW):
    with pytest.raises(AccessError) as caught:
        accounts.log_in(name, password, source, now_ns)
    return caught.value.status


def test_a_password_is_kept_as_argon2id_and_a_cookie_not_at_all(made, tmp_path):
    access, accounts = made
    opened = accounts.log_in("aigul", WORD, "10.0.0.1", NOW)
    accounts.close()
    access.close()
    kept = (tmp_path / "access.db").read_bytes()
    assert b"$argon2id$" in kept
    assert WORD.encode() not in kept
    assert opened.cookie.encode() not in kept
    strong = PasswordHasher()
    assert (strong.memory_cost, strong.type.name) >= (65_536, "ID")


def test_a_session_ends_when_it_is_idle_and_after_a_shift(made):
    _, accounts = made
    cookie = accounts.log_in("aigul", WORD, "10.0.0.1", NOW).cookie
    assert accounts.session(cookie, NOW + IDLE_NS_MAX - 1) == "aigul"
    assert accounts.session(cookie, NOW + 2 * IDLE_NS_MAX - 2) == "aigul"
    assert accounts.session(cookie, NOW + 3 * IDLE_NS_MAX) == ""
    used = NOW
    cookie = accounts.log_in("aigul", WORD, "10.0.0.1", NOW).cookie
    while used < NOW + SESSION_NS_MAX - IDLE_NS_MAX // 2:
        assert accounts.session(cookie, used) == "aigul"
        used += IDLE_NS_MAX // 2
    assert accounts.session(cookie, NOW + SESSION_NS_MAX) == ""
    assert (accounts.session("", NOW), accounts.session("other", NOW)) == ("", "")


def test_logging_out_another_password_and_removal_end_sessions(made):
    access, accounts = made

    def opened():
        return accounts.log_in("aigul", WORD, "10.0.0.1", NOW)

    first, second = opened(), opened()
    assert first.csrf == csrf_of(first.cookie) != second.csrf
    accounts.log_out(first.cookie)
    assert (accounts.session(first.cookie, NOW), accounts.session(second.cookie, NOW)) == (
        "",
        "aigul",
    )
    accounts.set_password("aigul", WORD)
    assert accounts.session(second.cookie, NOW) == ""
    third = opened()
    assert access.remove("aigul")
    access.add("aigul", "admin")
    assert accounts.session(third.cookie, NOW) == ""
    assert refused(accounts, "aigul", WORD) == 401, "the next one of that name has no password"


def test_a_user_has_only_so_many_sessions(made):
    _, accounts = made
    every = [
        accounts.log_in("aigul", WORD, "10.0.0.1", NOW + n).cookie for n in range(SESSIONS_MAX + 2)
    ]
    alive = [one for one in every if accounts.session(one, NOW + 100)]
    assert alive == every[2:]


def test_a_name_is_locked_for_longer_each_time(made):
    _, accounts = made
    for number in range(NAME_FAILURES_MAX):
        assert refused(accounts, "aigul", "wrong", f"10.0.1.{number}") == 401
    assert refused(accounts, "aigul", WORD) == 429, "also for who knows it"
    later = NOW + LOCK_NS
    assert refused(accounts, "aigul", "wrong", now_ns=later) == 401
    assert refused(accounts, "aigul", WORD, now_ns=later + LOCK_NS) == 429
    later += 2 * LOCK_NS
    assert accounts.log_in("aigul", WORD, "10.0.0.1", later).cookie
    assert refused(accounts, "aigul", "wrong", now_ns=later) == 401


def test_an_address_that_tries_many_names_has_to_wait(made):
    _, accounts = made
    for number in range(SOURCE_FAILURES_MAX):
        assert refused(accounts, f"guess-{number}", "wrong", "10.0.0.9") == 401
    assert refused(accounts, "aigul", WORD, "10.0.0.9") == 429
    assert accounts.log_in("aigul", WORD, "10.0.0.1", NOW).cookie


def test_what_is_no_password(made, tmp_path):
    _, accounts = made
    for word in ("short", "x" * 300):
        with pytest.raises(StoreError, match="12 to 256 characters"):
            accounts.set_password("aigul", word)
    with pytest.raises(StoreError, match="no user 'nobody'"):
        accounts.set_password("nobody", WORD)
    accounts.set_password("aigul", "")
    assert refused(accounts, "aigul", "") == 401
    db = sqlite3.connect(tmp_path / "access.db")
    assert db.execute("SELECT count(*) FROM passwords").fetchone() == (0,)
    db.close()
