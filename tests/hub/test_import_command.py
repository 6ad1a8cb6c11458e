"""`citytwin-hub import` from a file to the city and back, against a whole hub."""

import argparse
import asyncio
import json
from pathlib import Path

import pytest
import wntr

from citytwin.errors import CityTwinError
from citytwin_hub import import_command
from citytwin_hub.access import Role
from citytwin_hub.client import HubClient
from citytwin_hub.config import HubConfig
from citytwin_hub.entities import importing
from citytwin_hub.entities.model import Entity

NET3 = Path(wntr.__file__).parent / "library/networks/Net3.inp"
OBJECTS = 92 + 3 + 2 + 117 + 2 + 5 + 2


def options(*words, address="http://127.0.0.1:9", token="t"):
    parser = argparse.ArgumentParser()
    import_command.add_to(parser)
    parser.set_defaults(config=HubConfig(), hub=address, token=token)
    return parser.parse_args([str(one) for one in words])


async def imported(running, *words):
    """Import as the command does, on a thread; return the report."""
    given = options(*words, address=running.address, token=running.tokens[Role.OPERATOR])
    return await asyncio.to_thread(import_command.answer, given)


def small(folder, *pipes):
    network = wntr.network.WaterNetworkModel()
    network.add_reservoir("R", 900.0)
    for name in pipes:
        network.add_junction(f"J{name}", 0.01, elevation=850.0)
        network.add_pipe(f"P{name}", "R", f"J{name}")
    path = folder / "small.inp"
    wntr.network.io.write_inpfile(network, str(path))
    return path


async def test_a_network_comes_once(running):
    words = ("epanet", NET3, "--source", "water", "--crs", "EPSG:32643")
    dry = await imported(running, *words, "--dry-run")
    assert (dry["created"], dry["compared"]) == (OBJECTS, True)
    entities = running.hub.broker.tenant().entities
    assert list(importing.of_source(entities, "water")) == []
    first = await imported(running, *words)
    assert (first["created"], first["refused"], first["vanished"]) == (OBJECTS, 0, 0)
    assert len(list(importing.of_source(entities, "water"))) == OBJECTS
    number = entities.store.changed()
    again = await imported(running, *words)
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, OBJECTS)
    assert entities.store.changed() == number
    assert import_command.code(again) == 0
    text = "\n".join(import_command.lines(None, again))
    assert "117 Pipe" in text
    assert f"unchanged {OBJECTS}" in text


async def test_what_vanished_is_reported_and_deleted_when_asked(running, tmp_path):
    await imported(running, "epanet", small(tmp_path, "1", "2"))
    path = small(tmp_path, "1")
    found = await imported(running, "epanet", path)
    gone = ["urn:ngsi-ld:Junction:small:J2", "urn:ngsi-ld:Pipe:small:P2"]
    assert (sorted(found["gone"]), found["deleted"]) == (gone, 0)
    assert (await imported(running, "epanet", path, "--prune", "--dry-run"))["deleted"] == 0
    assert (await imported(running, "epanet", path, "--prune"))["deleted"] == 2
    assert (await imported(running, "epanet", path))["vanished"] == 0


async def test_reports_are_files(running, tmp_path):
    network = small(tmp_path, "<1>")
    for name in ("r.html", "r.json"):
        words = ("epanet", network, "--crs", "EPSG:3857", "--report", tmp_path / name)
        found = await imported(running, *words)
    assert json.loads((tmp_path / "r.json").read_text()) == found
    page = (tmp_path / "r.html").read_text()
    assert "2 Junction" in page or "1 Junction" in page
    assert "<1>" not in page
    with pytest.raises(CityTwinError, match=r"\.html or \.json"):
        import_command.answer(options("epanet", network, "--report", "r.pdf"))


def test_a_dry_run_needs_no_hub(tmp_path):
    found = import_command.answer(options("epanet", small(tmp_path, "1"), "--dry-run"))
    assert (found["compared"], found["read"]) == (False, {"Reservoir": 1, "Junction": 1, "Pipe": 1})
    assert "no hub answers" in "\n".join(import_command.lines(None, found))
    with pytest.raises(CityTwinError, match="does not answer"):
        import_command.answer(options("epanet", small(tmp_path, "1")))


class Hub(HubClient):
    """Notes the batches (the real one: above)."""

    def __init__(self, had=()):
        self.batches, self.pruned, self._had = [], [], list(had)

    def close(self):
        pass

    def post(self, path, body):
        if path == "import/prune":
            self.pruned += body["ids"]
            return {"deleted": len(body["ids"])}
        self.batches.append(body["entities"])
        refused = [{"id": body["entities"][0]["id"], "reason": "it is too large"}]
        return {"created": len(body["entities"]) - 1, "changed": 0, "unchanged": 0,
                "refused": refused}  # fmt: skip

    def get(self, path, **query):
        return {"ids": self._had, "next": None}


def test_batches_are_bounded_and_what_the_hub_refuses_has_its_line(monkeypatch):
    hub = Hub()
    monkeypatch.setattr(import_command, "BATCH_ENTITIES_MAX", 50)
    found = import_command.answer(options("epanet", NET3), hub)
    assert [len(one) for one in hub.batches] == [50, 50, 50, 50, OBJECTS - 200]
    assert found["refused"] == 5
    assert all(one["where"].startswith("Net3.inp:") for one in found["lines"])
    assert import_command.code(found) == 1


def test_an_entity_is_written_with_its_parts():
    entity = Entity(id="urn:x:1", types=("https://e/T",))
    assert import_command.document_of(entity) == {"id": "urn:x:1", "type": ["https://e/T"]}
