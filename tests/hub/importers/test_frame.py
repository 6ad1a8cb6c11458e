"""The frame of importers: names, drafts, and what is refused before a file is opened."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from citytwin_hub.importers import frame
from citytwin_hub.importers.frame import Draft, Settings, SourceError, urn
from citytwin_hub.jsonld.processing import CORE


def test_urns_of_different_ids_are_different():
    ids = ["P 1", "P%201", "P:1", "P/1", "Құбыр", "p 1"]
    urns = {urn("gis", one, "Pipe") for one in ids}
    assert len(urns) == len(ids)
    assert all(one.isascii() and one.count(":") == 4 for one in urns)


def test_a_draft_leaves_out_what_has_no_value(tmp_path):
    draft = Draft(Settings(tmp_path, "gis"), "Pipe", "17", "here")
    draft.value("a", float("nan")).value("b", None).value("c", " ").value("d", np.float64(2.5))
    draft.value("e", 0, "MTR").geometry(None).tie("f", ("Junction", "")).texts("g", {"kk": ""})
    entity: Any = draft.also("Asset").record().entity
    names = {CORE.expand(one) for one in ("d", "e", "source", "sourceId")}
    assert entity.attributes.keys() == names
    assert entity.types == (CORE.expand("Pipe"), CORE.expand("Asset"))
    assert type(entity.attribute(CORE.expand("d")).value) is float
    assert entity.attribute(CORE.expand("e")).unit_code == "MTR"
    source = entity.attribute(CORE.expand("source"))
    assert (source.value, source.parts[frame.GIVES][0].value) == ("gis", ["d", "e"])


def test_what_cannot_be_meant_is_refused_before_anything_is_read(tmp_path):
    there = tmp_path / "there.inp"
    there.touch()
    for settings, name, words in (
        (Settings(there, "Vodo Kanal"), "epanet", "small letters"),
        (Settings(tmp_path / "gone.inp", "w"), "epanet", "there is no file"),
        (Settings(there, "w", mapping=there), "epanet", "takes no --mapping"),
    ):
        with pytest.raises(SourceError, match=words):
            frame.check(settings, name)
    frame.check(Settings(there, "w"), "epanet")


def test_a_library_that_is_missing_is_one_sentence():
    with pytest.raises(SourceError, match=r"needs the library nothing_here .*citytwin-hub\[import"):
        frame.library("nothing_here")


def test_every_format_has_its_module():
    for name in frame.FORMATS:
        assert callable(frame.importer(name))


WRITTEN = """
import json, sys
LONG = 0.12345678901234568
import citytwin_hub.hub
from citytwin_hub.importers import frame
for name in frame.FORMATS:
    frame.importer(name)
    for needed in frame.FORMATS[name].needs:
        frame.library(needed)
if sys.argv[1:]:
    __import__(sys.argv[1])
print(json.dumps([LONG]) == f"[{LONG!r}]", "cjio" in sys.modules)
"""


@pytest.mark.parametrize(("more", "told"), [((), "True False"), (("cjio.cityjson",), "False True")])
def test_no_importer_changes_how_the_process_writes_json(more, told):
    """cjio does: it would round all that a hub writes to six digits behind the point."""
    command = [sys.executable, "-c", WRITTEN, *more]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True)
    assert done.stdout.split("\n")[0] == told


def test_a_file_has_only_so_many_bytes(tmp_path, monkeypatch):
    path = tmp_path / "a.inp"
    path.write_bytes(b"12345")
    monkeypatch.setattr(frame, "FILE_BYTES_MAX", 4)
    with pytest.raises(SourceError, match=r"has 5 bytes, and at most 4 .*; cut it by area"):
        frame.check(Settings(path, "w"), "epanet")
    with pytest.raises(SourceError, match="cannot be read"):
        frame.check_size(tmp_path / "gone", 4, "cut it")


def test_a_draft_has_names_of_other_systems_once(tmp_path):
    draft = Draft(Settings(tmp_path, "gis"), "Pipe", "17", "here")
    draft.alias("bim", "X").alias("scada", "").alias("bim", "X").alias("bim", "Y")
    assert draft.record().aliases == (("bim", "X"), ("bim", "Y"))
