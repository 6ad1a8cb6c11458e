"""Water networks: what wntr reads is what comes, in the units of the data models."""

from pathlib import Path
from typing import Any

import pytest
import wntr

from citytwin_hub.importers import epanet
from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came

NET3 = Path(wntr.__file__).parent / "library/networks/Net3.inp"
UTM = "EPSG:32643"


def test_net3_comes_whole():
    known = wntr.network.WaterNetworkModel(str(NET3))
    came = Came("epanet", NET3, crs=UTM)
    assert came.kinds == {
        "Junction": known.num_junctions,
        "Tank": known.num_tanks,
        "Reservoir": known.num_reservoirs,
        "Pipe": known.num_pipes,
        "Pump": known.num_pumps,
        "Pattern": known.num_patterns,
        "Curve": known.num_curves,
    }
    assert not came.refusals
    for name, pipe in known.pipes():
        urn = f"urn:ngsi-ld:Pipe:s:{name}"
        ends = [
            f"urn:ngsi-ld:{one.node_type}:s:{one.name}" for one in (pipe.start_node, pipe.end_node)
        ]
        assert [came.value(urn, "startsAt"), came.value(urn, "endsAt")] == ends
        assert came.value(urn, "diameter") == pytest.approx(pipe.diameter * 1000)
        assert came.attribute(urn, "length").unit_code == "MTR"
        assert len(came.value(urn, "location")["coordinates"]) == len(pipe.vertices) + 2
    pump = came.attribute("urn:ngsi-ld:Pump:s:335", "speed")
    assert (pump.value, pump.unit_code) == (1.0, "C62")  # a ratio
    tank: Any = known.get_node("1")
    assert came.value("urn:ngsi-ld:Tank:s:1", "maxLevel") == pytest.approx(tank.max_level)
    demand = sum(came.value(one, "baseDemand") or 0 for one in came.records if "Junction" in one)
    assert demand == pytest.approx(sum(one.base_demand for _, one in known.junctions()), rel=1e-9)


def test_each_object_knows_its_line():
    came = Came("epanet", NET3)
    where = came.records["urn:ngsi-ld:Pipe:s:20"].where
    assert where.startswith("Net3.inp:")
    number = int(where.split(":")[1].split(" ")[0])
    assert NET3.read_text().splitlines()[number - 1].split()[0] == "20"
    assert came.value("urn:ngsi-ld:Pipe:s:20", "location") is None
    assert any("--crs" in note for note in came.notes)


def small(tmp_path, change=lambda text: text, encoding="utf-8"):
    network = wntr.network.WaterNetworkModel()
    network.add_reservoir("Бұлақ", 900.0, coordinates=(657950, 4790050))
    network.add_junction("J1", 0.01, elevation=850.0, coordinates=(658000, 4790100))
    network.add_junction("J2", 0.01, elevation=840.0, coordinates=(658100, 4790100))
    network.add_pipe("P1", "Бұлақ", "J1", length=80, diameter=0.3, roughness=100)
    network.add_valve("V1", "J1", "J2", 0.3, "PRV", 0.0, 50.0)
    network.add_pump("N1", "J1", "J2", "POWER", 7500.0)
    path = tmp_path / "small.inp"
    wntr.network.io.write_inpfile(network, str(path), units="LPS")
    text = change(path.read_text(encoding="utf-8"))
    path.write_bytes(text.encode(encoding))
    return path


def test_another_encoding_is_said_and_read(tmp_path):
    came = Came("epanet", small(tmp_path, encoding="kz1048"), crs=UTM)
    assert any("kz1048" in note for note in came.notes)
    assert came.value("urn:ngsi-ld:Pipe:s:P1", "startsAt").startswith("urn:ngsi-ld:Reservoir:s:%D0")
    valve = came.attribute("urn:ngsi-ld:Valve:s:V1", "setting")
    assert (valve.value, valve.unit_code) == (pytest.approx(50, rel=1e-3), "MTR")
    power = came.attribute("urn:ngsi-ld:Pump:s:N1", "power")
    assert (power.value, power.unit_code) == (pytest.approx(7.5, rel=1e-3), "KWT")
    lon, lat = came.value("urn:ngsi-ld:Junction:s:J1", "location")["coordinates"]
    assert 76 < lon < 78
    assert 43 < lat < 44


def test_a_node_without_coordinates_comes_without_a_place(tmp_path):
    def without(text):
        head, mark, tail = text.partition("[COORDINATES]")
        kept = [one for one in tail.splitlines() if not one.startswith("J2 ")]
        return head + mark + "\n".join(kept)

    came = Came("epanet", small(tmp_path, without), crs=UTM)
    (refusal,) = came.refusals
    assert (refusal.source_id, refusal.field, refusal.whole) == ("J2", "coordinates", False)
    assert came.value("urn:ngsi-ld:Junction:s:J2", "location") is None
    assert came.value("urn:ngsi-ld:Valve:s:V1", "location") is None
    assert came.value("urn:ngsi-ld:Valve:s:V1", "endsAt") == "urn:ngsi-ld:Junction:s:J2"


@pytest.mark.parametrize(
    ("old", "new"), [("[PIPES]", "[PYPES]"), (" 850", " 8x50"), ("PRV", "XYZ")]
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, old, new):
    path = small(tmp_path, lambda text: text.replace(old, new, 1))
    with pytest.raises(SourceError, match=r"small.inp"):
        Came("epanet", path)


def test_the_line_of_a_wrong_number_is_named(tmp_path):
    path = small(tmp_path, lambda text: text.replace(" 850", " 8x50", 1))
    number = next(n for n, one in enumerate(path.read_text().splitlines(), 1) if "8x50" in one)
    with pytest.raises(SourceError, match=f"small.inp:{number}: .*8x50"):
        Came("epanet", path)


def test_limits(tmp_path, monkeypatch):
    patterns = "[PATTERNS]\nday 1 1 1\nnight 1\n\n[OPTIONS]"
    path = small(tmp_path, lambda text: text.replace("[OPTIONS]", patterns, 1))
    monkeypatch.setattr(epanet, "PATTERN_VALUES_MAX", 2)
    came = Came("epanet", path)
    (refusal,) = came.refusals
    assert (refusal.source_id, refusal.reason) == ("day", "it has over 2 values")
    assert came.kinds["Pattern"] == 1
    monkeypatch.setattr(epanet, "FILE_BYTES_MAX", 9)
    with pytest.raises(SourceError, match="at most 9 of this format are read; cut the model"):
        Came("epanet", path)
