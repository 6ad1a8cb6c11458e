"""Drainage networks: what SWMM itself reads is what comes, in SI, with the way the water goes."""

from pathlib import Path
from typing import Any

import pytest
from pyswmm import Links, Nodes, Simulation, Subcatchments

from citytwin_hub.importers.frame import SourceError
from citytwin_hub.importers.swmm import CATCHMENTS, LINKS, NODES
from tests.hub.importers.reading import Came

DRAIN = Path(__file__).parent / "networks/drain.inp"
UTM = "EPSG:32643"
FOOT = 0.3048


def changed(tmp_path, *pairs, name="d.inp"):
    text = DRAIN.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / name
    path.write_text(text)
    return path


def known(path, folder):
    """Return what SWMM 5.2 says of nodes, links and catchments, in the file's own units."""
    names = [str(folder / name) for name in ("r.rpt", "r.out")]
    with Simulation(str(path), *names) as simulation:
        nodes = {one.nodeid: (one.invert_elevation, one.full_depth) for one in Nodes(simulation)}
        ends = {one.linkid: one.connections for one in Links(simulation)}
        areas = {
            one.subcatchmentid: (one.area, one.width, one.slope)
            for one in Subcatchments(simulation)
        }
    return nodes, ends, areas


@pytest.mark.parametrize(
    ("units", "metre", "hectare"), [("LPS", 1.0, 1.0), ("CFS", FOOT, 0.40468564224)]
)
def test_it_is_what_swmm_reads(tmp_path, units, metre, hectare):
    path = changed(tmp_path, ("FLOW_UNITS           LPS", f"FLOW_UNITS {units}"))
    nodes, ends, areas = known(path, tmp_path)
    came = Came("swmm", path, crs=UTM)
    by_name = {one.source_id: one.entity.id for one in came.list}
    classes = [kind for kind, _ in (NODES | LINKS | CATCHMENTS).values()]
    assert sorted(classes) == sorted({one.split(":")[2] for one in by_name.values()} - {"Curve"})
    assert {*nodes, *ends, *areas, "A1", "K1"} == by_name.keys()
    for name, (invert, depth) in nodes.items():
        assert came.value(by_name[name], "invertElevation") == pytest.approx(invert * metre)
        if name not in {"O1", "O2"}:
            assert came.value(by_name[name], "maxDepth") == pytest.approx(depth * metre)
            ground = came.attribute(by_name[name], "elevation")
            assert ground.value == pytest.approx((invert + depth) * metre)
            assert ground.unit_code == "MTR"
    for name, (begin, end) in ends.items():
        given = [came.value(by_name[name], one) for one in ("receivesFrom", "drainsTo")]
        assert given == [by_name[begin], by_name[end]]
    for name, (area, width, slope) in areas.items():
        assert came.value(by_name[name], "area") == pytest.approx(area * hectare)
        assert came.value(by_name[name], "width") == pytest.approx(width * metre)
        assert came.value(by_name[name], "slope") == pytest.approx(slope * 100)


def test_each_class_has_what_makes_it(tmp_path):
    came = Came("swmm", DRAIN, crs=UTM)

    def of(kind, name, attribute):
        return came.value(f"urn:ngsi-ld:{kind}:s:{name}", attribute)

    assert of("Conduit", "C1", "diameter") == 600
    assert [of("Conduit", "C2", one) for one in ("height", "width", "barrels")] == [0.8, 1.2, 2]
    assert of("Conduit", "C2", "maximumFlow") == 0.15
    assert [of("Conduit", "C1", one) for one in ("upstreamOffset", "downstreamOffset")] == [0, 0.2]
    assert len(of("Conduit", "C1", "location")["coordinates"]) == 3
    assert of("DrainagePump", "P1", "pumpCurve") == "urn:ngsi-ld:Curve:s:K1"
    assert of("Curve", "K1", "yData") == [0.03, 0.06]
    assert of("Curve", "A1", "xData") == [0, 3]
    assert of("StorageUnit", "B2", "storageCurve") == "urn:ngsi-ld:Curve:s:A1"
    assert of("StorageUnit", "B1", "areaExponent") == 0.5
    assert of("FlowDivider", "D1", "divertsTo") == "urn:ngsi-ld:Conduit:s:C3"
    assert [of("Outfall", "O1", one) for one in ("outfallType", "stage")] == ["FIXED", 841.5]
    assert of("Orifice", "X1", "hasFlapGate") is True
    assert of("FlowOutlet", "L1", "ratingCoefficient") == 0.012
    assert of("DrainageJunction", "M1", "tag") == "old"
    assert of("Subcatchment", "S1", "drainsTo") == "urn:ngsi-ld:DrainageJunction:s:M1"
    assert of("Subcatchment", "S2", "drainsTo") == "urn:ngsi-ld:Subcatchment:s:S1"
    (ring,) = of("Subcatchment", "S1", "location")["coordinates"]
    assert len(ring) == 5
    assert any("INFILTRATION, RAINGAGES, SUBAREAS, TIMESERIES" in one for one in came.notes)
    (refusal,) = came.refusals  # S2 has no corners
    assert (refusal.source_id, refusal.field, refusal.whole) == ("S2", "polygon", False)
    number = int(refusal.where.split(":")[1].split(" ")[0])
    assert DRAIN.read_text().splitlines()[number - 1].startswith("S2   R1")


def test_offsets_may_be_elevations_and_feet(tmp_path):
    path = changed(
        tmp_path, ("LINK_OFFSETS         DEPTH", "LINK_OFFSETS ELEVATION"),
        ("FLOW_UNITS           LPS", "FLOW_UNITS CFS"),
        ("C1   M1 M2 60.5 0.013 0 0.2", "C1   M1 M2 60.5 0.013 * 846.2"),
        ("X1   B2 O1 SIDE 0.1", "X1   B2 O1 SIDE 842.1"),
    )  # fmt: skip
    came = Came("swmm", path)
    conduit = "urn:ngsi-ld:Conduit:s:C1"
    assert came.value(conduit, "upstreamOffset") == 0
    assert came.value(conduit, "downstreamOffset") == pytest.approx(0.2 * FOOT)
    assert came.value("urn:ngsi-ld:Orifice:s:X1", "crestHeight") == pytest.approx(0.1 * FOOT)
    # C · L · h^1.5 in feet is the same flow in metres.
    feet = 1.84 * (1.5 / FOOT) * (0.2 / FOOT) ** 1.5 * FOOT**3
    metres = came.value("urn:ngsi-ld:Weir:s:W1", "weirCoefficient") * 1.5 * 0.2**1.5
    assert metres == pytest.approx(feet)
    basin = "urn:ngsi-ld:StorageUnit:s:B1"
    area = came.value(basin, "areaCoefficient") * 2**0.5 + came.value(basin, "areaConstant")
    assert area == pytest.approx((100 * (2 / FOOT) ** 0.5 + 20) * FOOT**2)


def test_a_line_that_cannot_be_read_costs_its_object(tmp_path):
    path = changed(
        tmp_path,
        ("M2   846.0", "M2   84x6.0"),
        ("C2   M2 D1 40", "C2   nowhere D1 40"),
        ("C3   CIRCULAR 0.5", "C3   CIRCULAR wide"),
        ("M1   657950", "M1   657x950"),
        ("D1   845.5 C3", "D1   845.5 C9"),
        ("O2   841 FREE NO", "O2   841 FREE NO\nO2   841 FREE NO\nm1 841 FREE NO"),
        ("K1         2 60", "K1         2"),
    )
    came = Came("swmm", path, crs=UTM)
    found = {(one.source_id, one.field): one for one in came.refusals}
    assert found["M2", ""].whole
    assert "'84x6.0'" in found["M2", ""].reason
    assert ("C2", "from") in found
    assert ("C3", "cross-section") in found
    assert ("D1", "link") in found
    assert ("M1", "coordinates") in found
    assert sum(one.field == "name" for one in came.refusals) == 2
    assert found["K1", ""].whole
    assert all(one.where.startswith("d.inp:") and one.remedy for one in came.refusals)
    assert came.value("urn:ngsi-ld:Conduit:s:C2", "receivesFrom") is None
    assert came.value("urn:ngsi-ld:Conduit:s:C2", "drainsTo") == "urn:ngsi-ld:FlowDivider:s:D1"
    assert "urn:ngsi-ld:DrainageJunction:s:M2" not in came.records


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("FLOW_UNITS           LPS", "FLOW_UNITS BUCKETS"), "BUCKETS.*none of CFS"),
        (("[JUNCTIONS]", "[JUNCTIONS"), None),
    ],
)
def test_options_and_heads(tmp_path, pair, words):
    path = changed(tmp_path, pair)
    if words is None:
        assert Came("swmm", path).kinds["DrainageJunction"] == 2
        return
    with pytest.raises(SourceError, match=words):
        Came("swmm", path)


def test_what_is_no_model_is_said(tmp_path):
    path = tmp_path / "x.inp"
    path.write_text("[TITLE]\nnothing\n")
    with pytest.raises(SourceError, match=r"x\.inp has no \[JUNCTIONS\]"):
        Came("swmm", path)


def test_downstream_is_an_answer():
    came: Any = Came("swmm", DRAIN)
    ways: dict[str, list[str]] = {}
    for one in came.list:
        for relation, at in (("drainsTo", 0), ("receivesFrom", 1)):
            other = came.value(one.entity.id, relation)
            if other:
                begin, end = ((one.entity.id, other), (other, one.entity.id))[at]
                ways.setdefault(begin, []).append(end)
    reached, queue = set(), ["urn:ngsi-ld:Subcatchment:s:S2"]
    for one in queue:
        queue += [other for other in ways.get(one, ()) if other not in reached]
        reached.update(ways.get(one, ()))
    assert {"urn:ngsi-ld:Outfall:s:O1", "urn:ngsi-ld:Outfall:s:O2"} <= reached
