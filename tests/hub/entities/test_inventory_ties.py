"""Pieces, ties to nothing, and ends away from their nodes: planted, and found one by one."""

from citytwin_hub.entities.inventory import Inventory, taken
from citytwin_hub.entities.inventory_ties import check_ties
from tests.hub.entities.planted import healthy, made, node, pipe


def found_in(entities, whole=True):
    found = Inventory(100)
    objects, plane = taken(entities, Inventory(0))
    check_ties(objects, plane, found, whole=whole)
    return [
        (one.kind, one.id.rpartition(":")[2], one.other.rpartition(":")[2])
        for one in found.findings
    ]


def test_a_healthy_network_has_no_findings():
    assert found_in(healthy()) == []


def test_a_piece_that_is_cut_off():
    cut = [one for one in healthy(9) if not one.id.endswith(":p6")]
    assert found_in(cut) == [("piece", "7", "")]


def test_two_halves_of_one_size_are_one_finding():
    cut = [one for one in healthy(4) if not one.id.endswith(":p1")]
    assert [kind for kind, *_ in found_in(cut)] == ["piece"]


def test_networks_of_two_sources_are_two_networks():
    other = [
        made("Bus", "a", source="power"),
        made("Cable", "c", ties=[("connectsTo", "Bus", "a")], source="power"),
    ]
    assert found_in([*healthy(), *other]) == []


def test_an_object_that_nothing_is_tied_to():
    assert found_in([*healthy(), node(99, 5, 5)]) == [("untied", "99", "")]
    assert found_in([*healthy(), made("Building", "b")]) == []


def test_a_tie_to_what_is_not_there():
    city = [*healthy(), pipe("x", "0", "gone", [(0, 0), (0, 50)])]
    assert found_in(city) == [("astray", "x", "gone")]
    assert found_in(city, whole=False) == []


def test_an_end_that_is_drawn_away_from_its_node():
    city = [*healthy(), node(9, 0, 50), pipe("x", "0", "9", [(0, 0), (0, 47)])]
    assert found_in(city) == [("away", "x", "9")]
    near = [*healthy(), node(9, 0, 50), pipe("x", "0", "9", [(0, 0), (0, 49.5)])]
    assert found_in(near) == []


def test_a_drain_must_be_drawn_the_way_it_flows():
    ties = [("receivesFrom", "Junction", "0"), ("drainsTo", "Junction", "9")]
    ends = [(0, 0), (0, 50)]
    for places, findings in ((ends, 0), (ends[::-1], 2)):
        drain = made("Conduit", "c", "LineString", places, ties)
        found = found_in([*healthy(), node(9, 0, 50), drain])
        assert [one[:2] for one in found] == [("away", "c")] * findings
