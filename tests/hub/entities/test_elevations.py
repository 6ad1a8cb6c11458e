"""Heights of a terrain model: given where none is known, and never in the place of a survey."""

from pathlib import Path

import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.entities import elevations, importing
from citytwin_hub.entities.elevations import ELEVATION, Height
from citytwin_hub.entities.entities import Entities
from citytwin_hub.entities.sqlite import SqliteEntities
from citytwin_hub.importers.frame import Draft, Settings
from citytwin_hub.jsonld.processing import CORE

JUNCTION = CORE.expand("Junction")


@pytest.fixture
def entities(tmp_path):
    store = SqliteEntities(tmp_path / "entities.db")
    yield Entities(store, VirtualClock(10**18))
    store.close()


def node(number, elevation=None, kind="Junction"):
    draft = Draft(Settings(Path(), "net"), kind, str(number), "here")
    draft.geometry({"type": "Point", "coordinates": [76 + number / 4, 43.2]})
    return draft.value("elevation", elevation, "MTR").record().entity


def urn(number):
    return f"urn:ngsi-ld:Junction:net:{number}"


def give(entities, heights, source="srtm", **options):
    wanted = {"overwrite": False, "dry_run": False} | options
    given = elevations.give(
        entities, source, [Height(urn(number), height) for number, height in heights], **wanted
    )
    return given.created, given.changed, given.unchanged, given.kept, len(given.refused)


def test_what_was_surveyed_stays_unless_asked(entities):
    importing.take(entities, "net", [node(1), node(2, 850.0)], dry_run=False)
    both = [(1, 801.5), (2, 802.5), (9, 1.0)]
    assert give(entities, both, dry_run=True) == (1, 0, 0, 1, 1)
    assert entities.get(urn(1)).attribute(ELEVATION) is None
    assert give(entities, both) == (1, 0, 0, 1, 1)
    assert give(entities, both) == (0, 0, 1, 1, 1)
    told = entities.get(urn(1)).attribute(ELEVATION)
    assert (told.value, told.unit_code, elevations.model_of(told)) == (801.5, "MTR", "srtm")
    assert entities.get(urn(2)).attribute(ELEVATION).value == 850
    assert give(entities, [(1, 803.0)]) == (0, 1, 0, 0, 0)
    assert give(entities, [(1, 804.0)], source="lidar") == (0, 0, 0, 1, 0)
    assert give(entities, both, source="lidar", overwrite=True) == (0, 2, 0, 0, 1)
    assert elevations.model_of(entities.get(urn(2)).attribute(ELEVATION)) == "lidar"


def test_the_network_may_come_again_without_taking_the_heights_away(entities):
    importing.take(entities, "net", [node(1), node(2, 850.0)], dry_run=False)
    give(entities, [(1, 801.5), (2, 802.5)], overwrite=True)
    again = importing.take(entities, "net", [node(1), node(2)], dry_run=False)
    assert (again.changed, again.unchanged) == (1, 1)  # the list of what the network gives
    assert [entities.get(urn(one)).attribute(ELEVATION).value for one in (1, 2)] == [801.5, 802.5]
    surveyed = importing.take(entities, "net", [node(1, 800.0)], dry_run=False)
    assert surveyed.changed == 1
    assert elevations.model_of(entities.get(urn(1)).attribute(ELEVATION)) == ""


def test_nodes_come_in_pages_with_their_place(entities):
    line = Draft(Settings(Path(), "net"), "Junction", "7", "here").record().entity
    given = [node(1), node(2), node(3, kind="Tank"), line]
    importing.take(entities, "net", given, dry_run=False)
    page = elevations.nodes(entities, {JUNCTION}, "", 2)
    assert [one.id for one in page] == [urn(1), urn(2)]
    assert page[0] == (urn(1), JUNCTION, (76.25, 43.2))
    (rest,) = elevations.nodes(entities, {JUNCTION}, page[-1].id, 2)
    assert (rest.id, rest.place) == (urn(7), None)
