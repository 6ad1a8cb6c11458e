"""ContextStore: what is kept survives, each tenant sees its own, and there is an end to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from citytwin_hub.entities.errors import TooManyResults
from citytwin_hub.jsonld import store as module
from citytwin_hub.jsonld.store import ContextStore, Kind

TERMS = {"level": "urn:x:level"}
URL = "https://example.org/c.jsonld"


def test_what_is_kept_survives(tmp_path: Path) -> None:
    store = ContextStore(tmp_path / "contexts.sqlite")
    hosted = store.host("", TERMS, 10)
    made = store.make("", [URL, TERMS], 20)
    store.cache("", URL, TERMS, 30, 99)
    store.used({("", hosted): (2, 40)})
    store.used({("", hosted): (1, 50)})
    store.close()
    store = ContextStore(tmp_path / "contexts.sqlite")
    cached, implicit, first = store.listed("")
    assert (first.id, first.kind, first.body) == (hosted, Kind.HOSTED, TERMS)
    assert (first.created_ns, first.used_ns, first.hits) == (10, 50, 3)
    assert (implicit.id, implicit.kind, implicit.body) == (made, Kind.IMPLICIT, [URL, TERMS])
    assert (implicit.used_ns, implicit.hits, implicit.expires_ns) == (None, 0, None)
    assert (cached.kind, cached.url, cached.expires_ns) == (Kind.CACHED, URL, 99)
    assert store.get("", URL) == cached == store.get("", cached.id)
    assert store.listed("", Kind.HOSTED) == [first]
    store.delete("", cached.id)
    assert store.get("", URL) is None
    store.close()


def test_a_tenant_sees_its_own_only(tmp_path: Path) -> None:
    store = ContextStore(tmp_path / "contexts.sqlite")
    hosted = store.host("water", TERMS, 1)
    store.cache("water", URL, TERMS, 1, 2)
    assert store.get("heat", hosted) is None
    assert store.get("heat", URL) is None
    assert store.listed("heat") == []
    store.delete("heat", hosted)
    assert store.get("water", hosted) is not None
    store.close()


def test_the_same_is_made_once_and_fetched_anew_in_place(tmp_path: Path) -> None:
    store = ContextStore(tmp_path / "contexts.sqlite")
    assert store.make("", [URL, TERMS], 1) == store.make("", [URL, TERMS], 2)
    assert store.make("", [TERMS, URL], 1) != store.make("", [URL, TERMS], 2)
    store.cache("", URL, TERMS, 1, 2)
    before = store.get("", URL)
    store.cache("", URL, {}, 3, 4)
    after = store.get("", URL)
    assert before is not None
    assert after is not None
    assert (after.id, after.body, after.created_ns, after.expires_ns) == (before.id, {}, 3, 4)
    assert store.host("", TERMS, 1) != store.host("", TERMS, 1)
    store.close()


def test_there_is_an_end_to_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOSTED_MAX", 1)
    monkeypatch.setattr(module, "CACHED_MAX", 2)
    monkeypatch.setattr(module, "IMPLICIT_MAX", 2)
    store = ContextStore(tmp_path / "contexts.sqlite")
    store.host("", TERMS, 1)
    with pytest.raises(TooManyResults, match="1 @contexts"):
        store.host("", TERMS, 1)
    store.host("water", TERMS, 1)
    made = [store.make("", [str(number)], number) for number in (1, 2)]
    store.used({("", made[0]): (1, 50)})
    made.append(store.make("", ["3"], 3))
    assert [entry.id for entry in store.listed("", Kind.IMPLICIT)] == [made[2], made[0]]
    for number in (1, 2, 3):
        store.cache("", f"{URL}?{number}", {}, number, 9)
    kept = [entry.url for entry in store.listed("", Kind.CACHED)]
    assert kept == [f"{URL}?3", f"{URL}?2"]
    store.close()
