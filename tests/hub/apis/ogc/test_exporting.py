"""Files of the city, as other programs read them."""

import json
import threading

import pytest

from citytwin_hub.apis.ogc import exporting
from tests.hub.apis.ngsild.serving import problem
from tests.hub.apis.ogc.serving import serving

TANKS = "/ogc/features/v1/collections/Tank/export"


@pytest.mark.parametrize("form", sorted(exporting.FORMATS))
async def test_every_format_comes_as_a_file_with_a_name(tmp_path, form):
    async with serving(tmp_path) as (http, _):
        answer = await http.get(TANKS, params={"f": form, "filter": "level < 3"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] == exporting.FORMATS[form][0]
        assert "Tank." in answer.headers["content-disposition"]
        assert answer.headers["citytwin-features"] == "6"
        assert answer.content


async def test_nothing_stays_behind_and_two_at_once_are_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting.tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    async with serving(tmp_path / "hub") as (http, _):
        assert (await http.get(TANKS)).status_code == 200
        assert (await http.get(TANKS, params={"filter": "nowhere = 1"})).status_code == 400
        assert list((tmp_path / "t").iterdir()) == []
        monkeypatch.setattr(exporting, "_under_way", threading.BoundedSemaphore(1))
        exporting._under_way.acquire()
        assert (await http.get(TANKS)).status_code == 503
        exporting._under_way.release()
        monkeypatch.setattr("citytwin_hub.apis.ogc.spool.FEATURES_MAX", 3)
        answer = await http.get(TANKS)
        assert (answer.status_code, problem(answer)) == (403, "TooManyResults")
        assert list((tmp_path / "t").iterdir()) == []
        monkeypatch.undo()
        assert (await http.get(TANKS)).status_code == 200


async def test_an_unknown_format_is_refused(tmp_path):
    async with serving(tmp_path) as (http, _):
        for params in ({"f": "xls"}, {"crs": "x"}):
            assert (await http.get(TANKS, params=params)).status_code == 400


async def test_the_command_line_writes_the_file(running, tmp_path):
    from citytwin_hub.cli import main
    from tests.hub.entities.samples import entity, point, prop

    entities = running.hub.broker.tenant().entities
    entities.create(entity(1, "Tank", level=prop(1), location=point(76.9, 43.2)))
    out = tmp_path / "tanks.csv"
    token = next(iter(running.tokens.values()))
    line = ["export-entities", "Tank", "-o", str(out), "--hub", running.address, "--token", token]

    def ran(*more):
        return main([*line, *more])

    import asyncio

    assert await asyncio.to_thread(ran) == 0
    assert out.read_text().splitlines()[1].startswith("urn:ngsi-ld:Tank:1,")
    out.unlink()
    assert await asyncio.to_thread(ran, "--filter", "level >") != 0
    assert not out.exists()
    assert json.loads("[]") == list(tmp_path.glob("*.partial"))
