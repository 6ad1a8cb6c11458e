"""The whole inventory, on a real network and on a city with districts."""

from pathlib import Path

import wntr

from citytwin_hub.entities.inventory_run import Bounds, inventory
from citytwin_hub.importers.frame import Record, Settings, importer
from tests.hub.entities.planted import at, healthy, made, node, square

NETWORKS = Path(wntr.__file__).parent / "library/networks"


def test_a_real_network_is_counted_and_hangs_together():
    settings = Settings(NETWORKS / "ky4.inp", "s", "EPSG:3089")
    known = wntr.network.WaterNetworkModel(str(settings.path))
    entities = [one.entity for one in importer("epanet")(settings) if isinstance(one, Record)]
    found = inventory(entities, limit=100)
    assert found.classes["Pipe"] == known.num_pipes
    assert not {"piece", "astray", "away", "gap"} & found.counts.keys()
    without = [one for one in entities if one.id != "urn:ngsi-ld:Pipe:s:P-1"]
    assert sum(inventory(without, limit=100).counts.values()) >= sum(found.counts.values())


def test_the_city_is_where_its_districts_are():
    city = [*healthy(), node(9, 4000, 0)]
    nowhere = inventory(city, limit=10)
    assert "outside" not in nowhere.counts
    assert len(nowhere.notes) == 1
    district = made("District", "d", "Polygon", square(-100, -100, 1000))
    assert inventory([*city, district], limit=10).counts["outside"] == 1
    box = Bounds(*at(-100, -100), *at(900, 900))
    found = inventory(city, limit=10, city=box)
    assert (found.counts["outside"], found.notes) == (1, [])


def test_a_part_knows_nothing_of_what_is_not_there():
    part = Bounds(*at(-10, -10), *at(110, 10))
    found = inventory(healthy(), limit=10, part=part)
    assert found.classes == {"Junction": 3, "Pipe": 3}
    assert "astray" not in found.counts


def test_no_city_at_all():
    assert inventory([], limit=10).counts == {}
