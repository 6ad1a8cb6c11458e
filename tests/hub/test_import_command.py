"""`citytwin-hub import` from a file to the city and back, against a whole hub."""

import argparse
import asyncio
import json
import sys
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
from citytwin_hub.jsonld.processing import CORE

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


PIPES = """[[object]]
type = "Pipe"
id = "gid"
[object.attributes.diameter]
column = "d"
kind = "number"
unit = "MMT"
"""
BOOKS = """[[object]]
type = "Pipe"
id = "inventory"
[object.aliases]
gis = "gid"
[object.attributes.owner]
column = "owner"
[object.attributes.diameter]
column = "d"
kind = "number"
unit = "MMT"
"""


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


async def command(running, *words):
    """Run `citytwin-hub` itself; return its exit code and what it prints."""
    program = Path(sys.executable).parent / "citytwin-hub"
    there = ("--hub", running.address, "--token", running.tokens[Role.OPERATOR])
    given = [str(one) for one in (program, words[0], *there, *words[1:])]
    done = await asyncio.create_subprocess_exec(
        *given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(done.communicate(), 60)
    return done.returncode, out.decode()


async def test_one_pipe_of_two_systems_is_one_object(running, tmp_path):
    gis = written(tmp_path, "gis.csv", "gid,d\n4711,300\n4712,200\n")
    books = written(tmp_path, "books.csv", "inventory,gid,owner,d\nI-7,4711,Су,300\nI-8,,Су,150\n")
    for file, mapping in ((gis, PIPES), (books, BOOKS)):
        mapped = written(tmp_path, f"{file.stem}.toml", mapping)
        dry = await imported(running, "csv", file, "--mapping", mapped, "--dry-run")
        code, told = await command(running, "import", "csv", file, "--mapping", mapped)
        assert (code, dry["joined"]) == (0, int(file is books)), told
    assert "of these 1 are objects that the city knows by another URN" in told
    urn = "urn:ngsi-ld:Pipe:gis:4711"
    for asked in (("gis", "4711"), ("books", "I-7"), ("urn:ngsi-ld:Pipe:books:I-7",)):
        code, told = await command(running, "identity", "resolve", *asked)
        assert (code, urn in told) == (0, True)
    entities = running.hub.broker.tenant().entities
    assert [one.id for one in importing.of_source(entities, "books")] == [
        urn, "urn:ngsi-ld:Pipe:books:I-8",
    ]  # fmt: skip
    found = entities.get(urn)
    assert found.attribute(CORE.expand("owner")).value == "Су"
    number = entities.store.changed()
    again = await imported(running, "csv", books, "--mapping", tmp_path / "books.toml")
    assert (again["unchanged"], again["vanished"], again["joined"]) == (2, 0, 1)
    assert entities.store.changed() == number


async def test_what_two_systems_say_differently_and_what_one_has_no_more(running, tmp_path):
    gis = written(tmp_path, "gis.csv", "gid,d\n4711,300\n")
    books = written(tmp_path, "books.csv", "inventory,gid,owner,d\nI-7,4711,Су,250\nI-8,,Су,150\n")
    pipes, mapped = written(tmp_path, "g.toml", PIPES), written(tmp_path, "b.toml", BOOKS)
    await imported(running, "csv", gis, "--mapping", pipes)
    found = await imported(running, "csv", books, "--mapping", mapped)
    (line,) = found["lines"]
    assert (line["where"], line["field"], line["whole"]) == ("books.csv:2", "diameter", False)
    assert "'gis' says 300" in line["reason"]
    # A row that is refused may be the object of another URN: that one is not taken for gone.
    written(tmp_path, "books.csv", "inventory,gid,owner,d\n,4711,Су,250\nI-8,,Су,150\n")
    unsure = await imported(running, "csv", books, "--mapping", mapped, "--prune")
    assert (unsure["refused"], unsure["vanished"], unsure["deleted"]) == (1, 0, 0)
    assert any("1 objects that other sources gave" in one for one in unsure["notes"])
    written(tmp_path, "books.csv", "inventory,gid,owner,d\nI-8,,Су,150\n")
    gone = await imported(running, "csv", books, "--mapping", mapped, "--prune")
    assert (gone["gone"], gone["deleted"]) == (["urn:ngsi-ld:Pipe:gis:4711"], 1)
    left = running.hub.broker.tenant().entities.get("urn:ngsi-ld:Pipe:gis:4711")
    assert left.attribute(CORE.expand("owner")) is None
    assert left.attribute(CORE.expand("diameter")).value == 300


async def test_two_rows_with_the_same_name_are_told(running, tmp_path, monkeypatch):
    gis = written(tmp_path, "gis.csv", "gid,d\n4711,300\n")
    books = written(tmp_path, "books.csv", "inventory,gid,owner,d\nI-7,4711,Су,\nI-8,4711,Су,\n")
    mapped = written(tmp_path, "b.toml", BOOKS)
    await imported(running, "csv", gis, "--mapping", written(tmp_path, "g.toml", PIPES))
    found = await imported(running, "csv", books, "--mapping", mapped)
    assert (found["refused"], found["lines"][0]["where"]) == (1, "books.csv:3")
    monkeypatch.setattr(import_command, "BATCH_ENTITIES_MAX", 1)
    books = books.rename(tmp_path / "other.csv")
    apart = await imported(running, "csv", books, "--mapping", mapped)
    (line,) = apart["lines"]
    assert (line["where"], line["field"]) == ("other.csv:3", "aliases")
    assert "another one further up" in line["reason"]


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

    def taken(self, body):
        return [body["entities"][0]["id"]]

    def post(self, path, body):
        if path == "import/prune":
            self.pruned += body["ids"]
            return {"deleted": len(body["ids"])}
        self.batches.append(body["entities"])
        refused = [{"id": one, "reason": "it is too large"} for one in self.taken(body)]
        return {"created": len(body["entities"]) - 1, "changed": 0, "unchanged": 0,
                "refused": refused, "lacking": [], "joined": []}  # fmt: skip

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


def test_what_is_too_large_is_refused(monkeypatch):
    hub = Hub()
    monkeypatch.setattr(import_command, "BATCH_BYTES_MAX", 5000)
    import_command.answer(options("epanet", NET3), hub)
    assert len(hub.batches) > 20
    sizes = [len(json.dumps(one, separators=(",", ":"))) for one in hub.batches]
    assert max(sizes) < 2 * 5000
    monkeypatch.setattr(import_command, "OBJECT_BYTES_MAX", 800)
    found = import_command.answer(options("epanet", NET3, "--dry-run"), Hub())
    large = [one for one in found["lines"] if "an object has at most 800" in one["reason"]]
    assert large
    assert all(one["where"].startswith("Net3.inp:") for one in large)
    monkeypatch.setattr(import_command, "OBJECTS_MAX", 100)
    with pytest.raises(CityTwinError, match="has over 100 objects; cut it by area"):
        import_command.answer(options("epanet", NET3), Hub())


def test_what_vanished_is_deleted_in_parts(monkeypatch):
    gone = [f"urn:ngsi-ld:Pipe:net3:x{number}" for number in range(25)]
    hub = Hub(gone)
    monkeypatch.setattr(hub, "taken", lambda _: [])
    monkeypatch.setattr(import_command, "PRUNE_MAX", 10)
    found = import_command.answer(options("epanet", NET3, "--prune"), hub)
    assert (found["vanished"], found["deleted"], hub.pruned) == (25, 25, gone)
