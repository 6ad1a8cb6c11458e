"""Networks of pandapower 3.3 and pandapipes 0.16, which wrote the files in ``networks/``."""

import json
from pathlib import Path

import pytest

from citytwin_hub.importers import pandapower
from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came

NETWORKS = Path(__file__).parent / "networks"
POWER, HEAT = NETWORKS / "power.json", NETWORKS / "heat.json"


def test_a_power_network_comes_whole():
    came = Came("pandapower", POWER)
    # What the library itself has counted of the network that it wrote.
    assert came.kinds == {
        "Bus": 4, "PowerLine": 2, "Transformer": 1, "PowerLoad": 1, "PowerGenerator": 1,
        "GridConnection": 1, "Switch": 1,
    }  # fmt: skip
    assert came.refusals == []
    trafo = "urn:ngsi-ld:Transformer:s:trafo-0"
    assert came.value(trafo, "isFedBy") == "urn:ngsi-ld:Bus:s:0"
    assert came.value(trafo, "feeds") == "urn:ngsi-ld:Bus:s:1"
    assert (came.value(trafo, "ratedPower"), came.value(trafo, "highVoltage")) == (0.25, 10)
    line = "urn:ngsi-ld:PowerLine:s:line-1"
    assert (came.value(line, "length"), came.attribute(line, "length").unit_code) == (160, "MTR")
    assert came.value(line, "location")["coordinates"] == [[76.952, 43.24], [76.953, 43.24]]
    switch = "urn:ngsi-ld:Switch:s:switch-0"
    ends = ["urn:ngsi-ld:Bus:s:1", "urn:ngsi-ld:PowerLine:s:line-0"]
    assert (came.value(switch, "connectsTo"), came.value(switch, "closed")) == (ends, True)
    assert came.value("urn:ngsi-ld:GridConnection:s:ext_grid-0", "name") == "Қосалқы станция"
    assert came.value("urn:ngsi-ld:PowerLoad:s:load-0", "isSuppliedBy") == "urn:ngsi-ld:Bus:s:3"


def test_a_heat_network_comes_whole():
    came = Came("pandapower", HEAT, crs="EPSG:32643")
    assert came.kinds == {"Junction": 4, "Pipe": 2, "Pump": 1, "HeatConsumer": 1, "Consumer": 1}
    pipe = came.attribute("urn:ngsi-ld:Pipe:s:pipe-0", "diameter")
    assert (pipe.value, pipe.unit_code) == (100, "MMT")
    plant = "urn:ngsi-ld:Pump:s:circ_pump_pressure-0"
    assert came.value(plant, "startsAt") == "urn:ngsi-ld:Junction:s:3"
    assert came.value(plant, "endsAt") == "urn:ngsi-ld:Junction:s:0"
    assert came.value("urn:ngsi-ld:Junction:s:2", "elevation") == 848
    lon, _ = came.value("urn:ngsi-ld:Junction:s:0", "location")["coordinates"]
    assert 76.9 < lon < 77
    without = Came("pandapower", HEAT)
    assert {one.field for one in without.refusals} == {"geo"}
    assert len(without.list) == len(came.list)


def test_a_tie_to_a_bus_that_is_not_there_is_said(tmp_path):
    path = tmp_path / "p.json"
    document = json.loads(POWER.read_text())
    table = json.loads(document["_object"]["load"]["_object"])
    table["data"][0][table["columns"].index("bus")] = 77
    document["_object"]["load"]["_object"] = json.dumps(table)
    path.write_text(json.dumps(document))
    (refusal,) = Came("pandapower", path).refusals
    assert (refusal.field, refusal.source_id, refusal.whole) == ("bus", "load-0", False)


@pytest.mark.parametrize("text", ["{", "[]", '{"_object": {"x": 1}}', '{"_object": 3}'])
def test_what_is_no_network(tmp_path, text):
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"p\.json is no network"):
        Came("pandapower", path)


def test_nothing_that_a_file_names_is_imported(tmp_path, monkeypatch):
    path = tmp_path / "p.json"
    path.write_text(POWER.read_text().replace("pandas.core.frame", "nothing_of_the_kind"))
    assert Came("pandapower", path).kinds["Bus"] == 4


@pytest.mark.parametrize(
    ("limit", "words"), [("FILE_BYTES_MAX", "at most 1 "), ("ROWS_MAX", "over 1 rows")]
)
def test_limits(monkeypatch, limit, words):
    monkeypatch.setattr(pandapower, limit, 1)
    with pytest.raises(SourceError, match=words):
        Came("pandapower", POWER)
