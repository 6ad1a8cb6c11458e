"""`citytwin-hub import dem` from a raster to the city, against a whole hub."""

import re

import pytest

from citytwin.errors import CityTwinError
from citytwin_hub import elevation_import, import_command
from citytwin_hub.entities.elevations import ELEVATION, model_of
from tests.hub.importers.test_dem import NORTH, WEST, model, plane
from tests.hub.test_import_command import imported, options

NETWORK = f"""
[OPTIONS]
Units LPS
Headloss H-W
[JUNCTIONS]
A 0
B 851.5
C 0
[RESERVOIRS]
R 900
[PIPES]
P R A 10 100 100
Q A B 10 100 100
S B C 10 100 100
[COORDINATES]
A {WEST + 100} {NORTH - 100}
B {WEST + 200} {NORTH - 100}
C {WEST - 100} {NORTH - 100}
R {WEST + 50} {NORTH - 50}
"""
URN = "urn:ngsi-ld:Junction:net:{}"


async def test_nodes_are_given_the_heights_of_the_ground(running, tmp_path):
    network, raster = tmp_path / "net.inp", model(tmp_path, 50, 50, name="ground.tif")
    network.write_text(NETWORK)
    await imported(running, "epanet", network, "--crs", "EPSG:32643")
    entities = running.hub.broker.tenant().entities
    kept = await imported(running, "dem", raster)
    assert (kept["created"], kept["changed"], kept["partly"]) == (0, 0, 1)
    assert any("2 objects keep the elevation" in one for one in kept["notes"])
    (line,) = kept["lines"]
    assert (line["where"], line["field"]) == (URN.format("C"), "elevation")
    assert "outside the model" in line["reason"]
    dry = await imported(running, "dem", raster, "--overwrite", "--dry-run")
    assert (dry["changed"], entities.get(URN.format("A")).attribute(ELEVATION).value) == (2, 0)
    done = await imported(running, "dem", raster, "--overwrite", "--source", "lidar")
    assert (done["changed"], import_command.code(done)) == (2, 0)
    told = entities.get(URN.format("A")).attribute(ELEVATION)
    assert told.value == pytest.approx(plane(WEST + 100, NORTH - 100), abs=0.02)
    assert model_of(told) == "lidar"
    again = await imported(running, "dem", raster, "--source", "lidar")
    assert (again["changed"], again["unchanged"], again["read"]) == (0, 2, {"Junction": 3})
    other = await imported(running, "dem", raster, "--type", "Reservoir")
    assert (other["created"], other["read"]) == (1, {"Reservoir": 1})
    none = await imported(running, "dem", raster, "--type", "Tree")
    assert any("no object of Tree" in one for one in none["notes"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dem", "--prune"), "takes no --prune"),
        (("epanet", "--overwrite"), "for format dem only"),
        (("epanet", "--type", "Tank"), "for format dem only"),
        (("dem", *["--type", "A"]), "does not answer"),
        (("dem", *(word for n in range(51) for word in ("--type", f"T{n}"))), "over 50 times"),
    ],
)
def test_what_cannot_be_meant(tmp_path, words, told):
    raster = model(tmp_path, 5, 5)
    with pytest.raises(CityTwinError, match=re.escape(told)):
        import_command.answer(options(words[0], raster, *words[1:]))
    assert elevation_import.TYPES_MAX == 50
