"""Linking: a level is one look-up, and there is a limit."""

from __future__ import annotations

import pytest

from citytwin_hub.apis.ngsild import linking
from citytwin_hub.apis.ngsild.linking import gather
from citytwin_hub.apis.ngsild.view import Join, View
from citytwin_hub.entities.errors import TooManyResults
from tests.hub.apis.ngsild.test_writing import CITY, TANK, Looks

VIEW = View(join=Join.FLAT, join_level=3)


def test_a_level_is_one_look_and_nothing_is_asked_for_twice() -> None:
    find = Looks()
    linked = gather([TANK, TANK, CITY], VIEW, find)
    assert linked.by_id.keys() == {"urn:x:almaty", "urn:x:kz"}
    assert find.count == 1


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "LINKED_MAX", 1)
    with pytest.raises(TooManyResults, match="more than 1 others"):
        gather([TANK], VIEW, Looks())
