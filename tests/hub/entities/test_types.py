"""Type selection: which types an entity must have."""

from __future__ import annotations

import pytest

from citytwin_hub.entities.types import parse
from tests.hub.naming import BASE, Vocabulary

NAMES = Vocabulary()


@pytest.mark.parametrize(
    ("text", "types", "expected"),
    [
        ("Tank", ["Tank"], True),
        ("Tank,Pump", ["Pump"], True),
        ("(Tank;Building)", ["Tank"], False),
        ("(Tank;Pump),Building", ["Tank", "Building"], True),
        (f"{BASE}Tank", ["Tank"], True),
    ],
)
def test_an_entity_is_selected_by_type(text: str, types: list[str], expected: bool) -> None:
    selection = parse(text, NAMES)
    assert selection.matches([BASE + each for each in types]) is expected


def test_a_selection_says_what_is_needed() -> None:
    selection = parse("(Tank;Pump),Building", NAMES)
    assert selection.needed() == {BASE + "Tank", BASE + "Building"}
    assert not selection.is_any
    assert parse("Tank,Pump", NAMES).is_any
