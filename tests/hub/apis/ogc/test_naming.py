"""Names of collections and properties."""

import pytest

from citytwin_hub.apis.ogc.naming import collections, long, short, type_of
from citytwin_hub.entities.errors import ResourceNotFound

ONE, OTHER, TANK = "https://a.example/Pump", "https://b.example/model#Pump", "urn:x:Tank"


def test_a_collection_has_the_last_part_of_its_type_unless_two_have_the_same():
    assert collections([TANK, ONE]) == {"Tank": TANK, "Pump": ONE}
    both = collections([ONE, OTHER])
    assert set(both.values()) == {ONE, OTHER}
    assert both == {long(ONE): ONE, long(OTHER): OTHER}


def test_the_long_name_is_found_in_any_case():
    assert type_of("Pump", [ONE, TANK]) == ONE
    assert type_of(long(ONE), [ONE, TANK]) == ONE
    for name in ("Pump", "None"):
        with pytest.raises(ResourceNotFound):
            type_of(name, [ONE, OTHER])


def test_what_has_no_last_part_stands_for_itself_and_names_suit_a_path():
    assert short(":") == ":"
    assert short("https://a.example/") == "a.example"
    assert list(collections(["https://a.example/a b%2F"])) == ["a_b_2F"]
    assert list(collections(["https://a.example/Ғимарат"])) == ["Ғимарат"]
