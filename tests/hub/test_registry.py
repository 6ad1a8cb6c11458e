"""The registry: tokens serve once, rows are for ever, and two processes may use the file."""

import sqlite3
import threading

import numpy as np
import pytest

from citytwin import Point
from citytwin.errors import EnrolmentError, IdentityError, StoreError
from citytwin_hub import registry as module
from citytwin_hub.registry import SCHEMA, Registry
from citytwin_protos.token import read_token

NOW, HOUR = 1_767_225_600 * 10**9, 3600 * 10**9
FINGERPRINT = b"f" * 32


def opened(folder):
    return Registry(folder / "registry.db")


def secret_of(token):
    return read_token(token).secret


def issued(registry, gateway="g-1", **options):
    return secret_of(registry.issue_token(gateway, FINGERPRINT, NOW, **options))


def point(name, **fields):
    return Point(id=f"g-1/d/{name}", **fields)


# ---- tokens
def test_a_token_serves_once_for_its_gateway_and_its_time(tmp_path):
    registry = opened(tmp_path)
    secret, spare = issued(registry), issued(registry)
    registry.check_token("g-1", secret, NOW + HOUR - 1)
    for gateway, given, at, words in (
        ("g-1", b"x" * 16, NOW, "never issued here"),
        ("g-2", secret, NOW, "issued for gateway 'g-1', not 'g-2'"),
        ("g-1", secret, NOW + HOUR, "has expired"),
    ):
        with pytest.raises(EnrolmentError, match=words):
            registry.check_token(gateway, given, at)
    registry.enrol("g-1", secret, "a1", NOW)
    with pytest.raises(EnrolmentError, match="has been used"):
        registry.check_token("g-1", secret, NOW)
    with pytest.raises(EnrolmentError, match="has been used"):
        registry.enrol("g-1", secret, "a2", NOW)
    with pytest.raises(EnrolmentError, match="enrolled already; choose another name, revoke it"):
        registry.check_token("g-1", spare, NOW)
    with pytest.raises(EnrolmentError, match="enrolled already"):
        issued(registry)
    assert registry.refusal("g-1", "a1") == ""


def test_only_a_hash_of_the_secret_is_kept(tmp_path):
    registry = opened(tmp_path)
    secret = issued(registry)
    registry.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret not in kept


def test_replacing_and_revoking(tmp_path):
    registry = opened(tmp_path)
    registry.enrol("g-1", issued(registry), "a1", NOW)
    replacing = issued(registry, replace=True)
    registry.check_token("g-1", replacing, NOW)
    registry.enrol("g-1", replacing, "a2", NOW)
    assert "enrolled anew" in registry.refusal("g-1", "a1")
    assert registry.refusal("g-1", "a2") == ""
    registry.revoke("g-1")
    assert "was revoked" in registry.refusal("g-1", "a2")
    assert "not enrolled at this hub" in registry.refusal("g-9", "a2")
    with pytest.raises(EnrolmentError, match="there is no gateway 'g-9'"):
        registry.revoke("g-9")
    issued(registry)  # a revoked name is free again


def test_of_two_that_race_with_one_token_one_gets_in(tmp_path):
    opened(tmp_path).close()
    first = opened(tmp_path)
    secret, results, refused = issued(first), [], []
    barrier = threading.Barrier(4)

    def race(serial):
        mine = opened(tmp_path)
        barrier.wait(10)
        try:
            mine.enrol("g-1", secret, serial, NOW)
        except EnrolmentError as error:
            refused.append(str(error))
        else:
            results.append(serial)
        mine.close()

    threads = [threading.Thread(target=race, args=(f"a{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (winner,) = results
    assert refused == ["this token has been used; a token serves once"] * 3
    assert first.refusal("g-1", winner) == ""


def test_open_tokens_have_a_limit_and_old_ones_go(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TOKENS_MAX", 3)
    registry = opened(tmp_path)
    for number in range(3):
        issued(registry, f"g-{number}")
    with pytest.raises(EnrolmentError, match="3 tokens are open"):
        issued(registry, "g-9")
    registry.issue_token("g-9", FINGERPRINT, NOW + 40 * HOUR)
    with pytest.raises(IdentityError):
        issued(registry, "no/slash")


# ---- points and texts
def test_rows_are_for_ever_and_side_by_side(tmp_path):
    registry = opened(tmp_path)
    first = registry.rows([point("a"), point("b"), point("c")])
    assert np.diff(first).tolist() == [1, 1]
    assert registry.rows([point("b"), point("d"), point("a")]).tolist() == [
        first[1], first[2] + 1, first[0],
    ]  # fmt: skip
    registry.close()
    again = opened(tmp_path)
    assert again.rows([point("c")]).tolist() == [first[2]]
    assert again.row("g-1/d/d") == first[2] + 1
    assert again.row("g-1/d/none") is None


def test_rows_are_never_used_again(tmp_path):
    registry = opened(tmp_path)
    (last,) = registry.rows([point("a")])
    registry.close()
    with sqlite3.connect(tmp_path / "registry.db") as other:
        other.execute("DELETE FROM points")
    other.close()
    assert opened(tmp_path).rows([point("b")]).tolist() == [last + 1]


def test_a_changed_point_keeps_its_row_and_is_told(tmp_path):
    registry = opened(tmp_path)
    (row,) = registry.rows([point("a", feeds="urn:ngsi-ld:x:1")])
    version = registry.version
    assert registry.rows([point("a", feeds="urn:ngsi-ld:x:1")]).tolist() == [row]
    assert registry.version == version
    assert registry.rows([point("a", feeds="urn:ngsi-ld:x:2")]).tolist() == [row]
    assert registry.version > version
    assert registry.points[row].feeds == "urn:ngsi-ld:x:2"
    assert opened(tmp_path).points[row].feeds == "urn:ngsi-ld:x:2"


def test_a_point_of_another_unit_has_another_row_and_the_history_keeps_its_own(tmp_path):
    registry = opened(tmp_path)
    bar, metre = point("a", unit="bar"), point("a", unit="m")
    (first,) = registry.rows([bar]).tolist()
    # A gateway that knows of no "gone" just says what it has.
    (second,) = registry.rows([metre]).tolist()
    assert second != first
    for one in (registry, opened(tmp_path)):
        assert (one.points[first], one.points[second], one.row(bar.id)) == (bar, metre, second)
        assert one.gone == {first}
    # Back again: the same meaning, the same row. Old entries may still be of the other one.
    assert registry.rows([bar, metre, bar], gone={1}).tolist() == [first, second, first]
    for one in (registry, opened(tmp_path)):
        assert (one.row(bar.id), one.gone) == (first, {second})


def test_what_a_gateway_has_no_more_is_gone_until_it_comes_back(tmp_path):
    registry = opened(tmp_path)
    rows = registry.rows([point("a"), point("b")]).tolist()
    version = registry.version
    assert registry.rows([point("a"), point("b")], gone={0}).tolist() == rows
    assert registry.version > version
    for one in (registry, opened(tmp_path)):
        assert (one.row(point("a").id), one.row(point("b").id)) == (None, rows[1])
        assert one.points[rows[0]] == point("a")
    registry.rows([point("a")])
    assert opened(tmp_path).row(point("a").id) == rows[0]
    assert not registry.gone


def test_texts_have_one_number_each(tmp_path):
    registry = opened(tmp_path)
    numbers = registry.text_numbers(["ok", "қате", "ok"])
    assert numbers[0] == numbers[2] != numbers[1]
    assert opened(tmp_path).text_numbers(["қате"]) == [numbers[1]]
    assert registry.text(numbers[1]) == "қате"
    assert registry.text(999) is None


def test_a_city_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "POINTS_MAX", 2)
    monkeypatch.setattr(module, "TEXTS_MAX", 1)
    registry = opened(tmp_path)
    rows = registry.rows([point("a"), point("b")])
    with pytest.raises(StoreError, match="holds 2 points; no more fit"):
        registry.rows([point("a"), point("c")])
    assert (
        registry.rows([point("b"), point("a", feeds="urn:ngsi-ld:x:1")]).tolist()
        == rows[::-1].tolist()
    )
    registry.text_numbers(["one"])
    with pytest.raises(StoreError, match="holds 1 texts"):
        registry.text_numbers(["one", "two"])
    assert registry.text_numbers(["one"]) == [1]


# ---- gateways
def test_what_is_known_of_a_gateway(tmp_path):
    registry = opened(tmp_path)
    registry.enrol("g-1", issued(registry), "a1", NOW)
    registry.seen("g-1", "edge 1", "ipv4:10.0.0.1:5", NOW + 1)
    registry.refused("g-1", 1, "entry 4: point number 3 was not announced", NOW + 2)
    registry.refused("g-1", 2, "entry 5: too large", NOW + 3)
    registry.close()
    (gateway,) = opened(tmp_path).gateways()
    assert gateway[:7] == ("g-1", "a1", "enrolled", NOW, "edge 1", "ipv4:10.0.0.1:5", NOW + 1)
    assert (gateway.refused, gateway.refused_ns) == (3, NOW + 3)
    assert gateway.refused_reason == "entry 5: too large"


# ---- the file
def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path):
    path = tmp_path / "registry.db"
    with sqlite3.connect(path) as old:
        old.executescript(f"{module._STEPS[0]} PRAGMA user_version = 1;")
        columns, values = "name, serial, state, enrolled_ns", "'g', 'a', 'enrolled', 1"
        old.execute(f"INSERT INTO gateways ({columns}) VALUES ({values})")
    old.close()
    (gateway,) = Registry(path).gateways()
    assert (gateway.name, gateway.refused, gateway.refused_reason) == ("g", 0, "")
    with sqlite3.connect(path) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        now.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    now.close()
    with pytest.raises(StoreError, match=f"written by a newer hub .schema {SCHEMA + 1}"):
        Registry(path)


def test_a_damaged_file_is_named(tmp_path):
    registry = opened(tmp_path)
    registry.rows([point(f"p{n}") for n in range(500)])
    registry.close()
    path = tmp_path / "registry.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StoreError, match=f"the registry {path} cannot be opened"):
        Registry(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=f"the registry {path} cannot be opened: file is not"):
        Registry(path)
    path.write_bytes(whole)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE points SET point = x'ff' WHERE row = 7")
    other.close()
    with pytest.raises(StoreError, match=f"the registry {path} is damaged .*backup"):
        Registry(path)


def test_what_cannot_be_written_is_a_store_error_and_leaves_no_half(tmp_path, monkeypatch):
    """Another process holds the file: the same as a full disk, and real."""
    monkeypatch.setattr(module, "BUSY_S_MAX", 0.05)
    registry = opened(tmp_path)
    registry.enrol("g-1", issued(registry), "a1", NOW)
    other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for attempt in (
        lambda: registry.rows([point("a")]),
        lambda: registry.text_numbers(["x"]),
        lambda: registry.revoke("g-1"),
        lambda: registry.seen("g-1", "", "", NOW),
        lambda: registry.refused("g-1", 1, "", NOW),
        lambda: issued(registry, "g-2"),
    ):
        with pytest.raises(StoreError, match="cannot be written: database is locked"):
            attempt()
    assert registry.refusal("g-1", "a1") == "", "who reads is not held up"
    other.execute("ROLLBACK")
    other.close()
    assert registry.row("g-1/d/a") is None
    assert len(registry.rows([point("a")])) == 1
    assert registry.text_numbers(["x"]) == [1]
