"""Devices as Thing Descriptions, judged by the playground of the Web of Things."""

import json
from pathlib import Path

import pytest

from tests.hub.apis.ngsild.serving import problem
from tests.hub.apis.ogc.serving import BEGAN, ran, serving

ROOT = Path(__file__).parents[3]
CHECK = Path(__file__).with_name("check_thing.cjs")
METER, VALVE = "/things/g-1/meter", "/things/g-1/valve"


async def judged(folder, description):
    path = folder / "thing.json"
    path.write_text(json.dumps(description), encoding="utf-8")
    node = (str(ROOT / "deploy/with-node.sh"), str(ROOT / ".venv"), "node")
    return json.loads(await ran(*node, str(CHECK), str(path)))


@pytest.mark.parametrize("path", [METER, VALVE])
async def test_a_device_is_a_thing_to_the_playground(tmp_path, path):
    async with serving(tmp_path) as (http, _):
        answer = await http.get(path)
    assert answer.headers["content-type"] == "application/td+json"
    found = await judged(tmp_path, answer.json())
    assert found["report"]["json"] == found["report"]["schema"] == "passed"
    assert "failed" not in found["report"].values()
    results = [one for one in found["assertions"] if one["Status"] == "fail"]
    assert results == []
    assert sum(one["Status"] == "pass" for one in found["assertions"]) > 50


async def test_the_playground_refuses_what_is_no_thing(tmp_path):
    async with serving(tmp_path) as (http, _):
        description = (await http.get(METER)).json()
    del description["properties"]["level"]["forms"]
    found = await judged(tmp_path, description)
    assert found["report"]["schema"] == "failed"


async def test_properties_come_with_age_and_quality(tmp_path):
    async with serving(tmp_path) as (http, _):
        description = (await http.get(METER)).json()
        level = description["properties"]["level"]
        assert level["titles"] == {"kk": "Деңгей", "ru": "Уровень", "en": "Level"}
        assert level["properties"]["value"]["oneOf"][0] == {
            "type": "number", "unit": "m", "minimum": 0, "maximum": 10,
        }  # fmt: skip
        link = description["base"] + level["forms"][0]["href"]
        assert (await http.get(link)).json() == {"value": 2.5, "time": BEGAN, "quality": "good"}
        values = (await http.get(METER + "/properties")).json()
        assert values["flow"]["value"] is None
        assert values["flow"]["quality"] != "good"
        assert values["mode"]["value"] == "auto"
        never = (await http.get(VALVE + "/properties/position")).json()
        assert never == {"value": None, "time": None, "quality": "never read"}


async def test_a_command_is_an_action(tmp_path):
    async with serving(tmp_path) as (http, _):
        description = (await http.get(VALVE)).json()
        assert description["properties"]["position"]["readOnly"] is True
        action = description["actions"]["set-position"]
        assert action["input"]["properties"]["point"]["const"] == "g-1/valve/position"
        assert action["input"]["properties"]["value"]["multipleOf"] == 5
        assert action["forms"][0]["href"] == "api/v1/commands"
        assert "actions" not in (await http.get(METER)).json()


async def test_things_are_listed_page_by_page(tmp_path):
    async with serving(tmp_path) as (http, _):
        answer = await http.get("/things?limit=1")
        assert [one["title"] for one in answer.json()] == ["Meter"]
        onward = answer.headers["link"].partition(">")[0][1:]
        last = await http.get(onward)
        assert [one["title"] for one in last.json()] == ["g-1/valve"]
        assert "link" not in last.headers
        for wrong in ("limit=101", "offset=x", "limit=-1"):
            assert (await http.get("/things?" + wrong)).status_code == 400


async def test_what_is_not_there_is_said_so(tmp_path):
    async with serving(tmp_path) as (http, _):
        for path in ("/things/g-1/none", "/things/g-1/none/properties", METER + "/properties/none"):
            answer = await http.get(path)
            assert (answer.status_code, problem(answer)) == (404, "ResourceNotFound")
