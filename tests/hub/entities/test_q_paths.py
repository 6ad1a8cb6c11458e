"""Paths of the query language: what they lead to; matching is tested with ``test_q``."""

from __future__ import annotations

from citytwin_hub.entities.q_paths import Path
from tests.hub.entities.test_q import OWNER, TANK, find
from tests.hub.naming import BASE


def test_a_path_leads_to_every_instance() -> None:
    assert [each.value for each in Path((BASE + "many",)).targets(TANK, None)] == [1, 10]


def test_a_path_goes_on_through_a_relationship() -> None:
    path = Path((BASE + "owner",), linked=Path((BASE + "name",)))
    assert path.depth == 1
    assert [each.value for each in path.targets(TANK, find)] == ["Su"]
    other = Path((BASE + "owner",), linked=Path((), "createdAt"), types=frozenset({"none"}))
    assert list(other.targets(TANK, find)) == []


def test_a_member_of_the_entity_needs_no_attribute() -> None:
    assert [each.value for each in Path((), "createdAt").targets(OWNER, None)] == [OWNER.created_ns]
    assert list(Path((), "expiresAt").targets(OWNER, None)) == []
