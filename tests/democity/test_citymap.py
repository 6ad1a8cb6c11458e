"""The map: GeoJSON that the hub takes, with every layer, owed to whom it is owed."""

import pytest

from citytwin_hub.apis.city import read_map
from democity.citymap import write_map
from democity.places import DISTRICTS, RIVERS, STREETS
from democity.truth import WaterTruth


@pytest.fixture(scope="module")
def network():
    truth = WaterTruth(0)
    yield truth.network
    truth.close()


def test_the_hub_reads_it_and_finds_every_layer(tmp_path, network):
    write_map(tmp_path / "city.geojson", network)
    city = read_map(str(tmp_path / "city.geojson"))
    layers = [feature["properties"]["layer"] for feature in city["features"]]
    assert layers.count("district") == len(DISTRICTS)
    assert layers.count("street") == len(STREETS)
    assert layers.count("river") == len(RIVERS)
    assert layers.count("network") == len(network.links)
    for feature in city["features"]:
        name = feature["properties"].get("name", {"kk": "-", "ru": "-", "en": "-"})
        assert all(name[language] for language in ("kk", "ru", "en"))
    assert all("OpenStreetMap" in text for text in city["attribution"].values())


def test_a_pipe_lies_where_its_ends_stand(tmp_path, network):
    write_map(tmp_path / "city.geojson", network)
    city = read_map(str(tmp_path / "city.geojson"))
    ends = {}
    for feature in city["features"]:
        if feature["properties"]["layer"] == "network":
            line = feature["geometry"]["coordinates"]
            _, first, last, _ = network.links[feature["properties"]["id"]]
            for node, at in ((first, line[0]), (last, line[-1])):
                assert ends.setdefault(node, at) == at, "pipes that share a node meet there"
    assert len(ends) == len(network.nodes)
