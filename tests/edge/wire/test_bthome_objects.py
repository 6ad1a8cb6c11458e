"""BTHome's table: it is whole, and every field has a unit that CityTwin knows."""

from citytwin.units import unit
from citytwin_edge.wire.bthome_objects import OBJECTS, QUANTITIES


def test_every_object_is_a_field_with_a_unit():
    for number, thing in OBJECTS.items():
        assert 0 <= number <= 0xFF
        assert thing.size >= 0
        assert thing.factor > 0
        assert unit(QUANTITIES[thing.name].unit)


def test_ids_are_those_of_the_table():
    gaps = [number for number in range(0x66) if number not in OBJECTS]
    assert gaps == list(range(0x30, 0x3A))
    assert [number for number in OBJECTS if number > 0x65] == [0xF0, 0xF1, 0xF2]


def test_one_quantity_in_several_resolutions_is_one_field():
    assert {OBJECTS[number].name for number in (0x02, 0x45, 0x57, 0x58)} == {"temperature"}
