"""Commands as OGC API – Connected Systems has them, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from citytwin import Batch
from citytwin_hub.access import Role
from citytwin_hub.apis import controls
from citytwin_hub.apis.control_shapes import ROOT
from tests.hub.running import serving

NOBODY = "0" * 32


def client(city, role=Role.OPERATOR):
    headers = {"Authorization": f"Bearer {city.tokens[role]}"}
    return httpx.AsyncClient(base_url=f"{city.address}{ROOT}/", headers=headers)


async def stream_of(http, name="g-1/d/pump"):
    listed = (await http.get("controlstreams")).json()["items"]
    return next(one for one in listed if one["description"] == name)


async def test_what_can_be_commanded_is_a_control_stream(tmp_path):
    async with serving(tmp_path) as city, client(city) as http:
        assert {one["rel"] for one in (await http.get("")).json()["links"]} == {
            "self", "conformance", "controlstreams", "commands",
        }  # fmt: skip
        (stream,) = (await http.get("controlstreams")).json()["items"]
        assert (stream["description"], stream["inputName"]) == ("g-1/d/pump", "pump")
        assert (stream["live"], stream["async"], stream["issueTime"]) == (False, True, None)
        assert (await http.get(f"controlstreams/{stream['id']}")).json() == stream
        thing = await http.get(stream["system@link"]["href"])
        assert thing.json()["id"] == stream["system@link"]["uid"]
        schema = (await http.get(f"controlstreams/{stream['id']}/schema")).json()
        (field,) = schema["parametersSchema"]["fields"]
        assert field["constraint"]["intervals"] == [[0, 1]]
        assert (await http.get("controlstreams?limit=1&offset=1")).json()["items"] == []
        # A level is measured; it is no control stream, and no number is one either.
        for other in (str(city.rows[0]), "999", "x", "1.5", "٣"):
            assert (await http.get(f"controlstreams/{other}")).status_code == 404


async def test_a_command_and_what_becomes_of_it(tmp_path):
    async with serving(tmp_path) as city, client(city) as http:
        stream = await stream_of(http)
        here = f"controlstreams/{stream['id']}/commands"
        made = await http.post(here, json={"parameters": {"pump": 1}})
        assert made.status_code == 201, made.text
        command = made.json()
        assert command["currentStatus"] == "PENDING"
        assert command["controlstream@id"] == stream["id"]
        assert (command["sender"], command["parameters"]) == ("operator", {"pump": 1})
        assert (await http.get(made.headers["location"])).json() == command
        reports = (await http.get(f"commands/{command['id']}/status")).json()["items"]
        assert [one["statusCode"] for one in reports] == ["PENDING"]
        assert (await http.get(f"commands/{command['id']}/result")).json()["items"] == []
        for path in (here, "commands", "commands?statusCode=PENDING"):
            assert (await http.get(path)).json()["items"] == [command]
        assert (await http.get("commands?statusCode=COMPLETED")).json()["items"] == []
        assert (await stream_of(http))["issueTime"] == [command["issueTime"]] * 2

        gone = await http.post(f"commands/{command['id']}/status", json={"statusCode": "CANCELED"})
        assert gone.status_code == 201, gone.text
        assert (gone.json()["statusCode"], gone.json()["message"]) == (
            "CANCELED", "canceled by operator",
        )  # fmt: skip
        path = f"commands/{command['id']}/status/{gone.json()['id']}"
        assert (await http.get(path)).json() == gone.json()
        again = await http.post(f"commands/{command['id']}/status", json={"statusCode": "CANCELED"})
        assert again.status_code == 409


async def test_a_command_can_be_scheduled(tmp_path):
    async with serving(tmp_path) as city, client(city) as http:
        stream = await stream_of(http)
        due = datetime.now(UTC) + timedelta(hours=1)
        times = [one.isoformat() for one in (due, due + timedelta(minutes=5))]
        made = await http.post(
            f"controlstreams/{stream['id']}/commands",
            json={"parameters": {"pump": 1}, "executionTime": times},
        )
        assert made.status_code == 201, made.text
        (report,) = (await http.get(f"commands/{made.json()['id']}/status")).json()["items"]
        assert report["statusCode"] == "SCHEDULED"
        begin, end = [datetime.fromisoformat(one) for one in report["executionTime"]]
        assert abs(begin - due) < timedelta(milliseconds=1)
        assert abs(end - begin - timedelta(minutes=5)) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("given", "role", "status", "words"),
    [
        ({"parameters": {"pump": 2}}, Role.OPERATOR, 422, "outside 0 … 1"),
        ({"parameters": {"pump": 1}}, Role.VIEWER, 403, "may look but not act"),
        ({"parameters": {"level": 1}}, Role.OPERATOR, 422, "one member, 'pump'"),
        ({"parameters": {}}, Role.OPERATOR, 422, "one member, 'pump'"),
        ({"parameters": {"pump": "on"}}, Role.OPERATOR, 422, "parameters.pump"),
        ({}, Role.OPERATOR, 422, "parameters"),
        ({"parameters": {"pump": 1}, "executionTime": ["soon"]}, Role.OPERATOR, 422, "'soon' is"),
        (
            {"parameters": {"pump": 1}, "executionTime": ["2099-01-01T00:00:00Z"]},
            Role.OPERATOR, 422, "at most 30 days ahead",
        ),
        (
            {"parameters": {"pump": 1}, "executionTime": ["now", "2001-01-01T00:00:00Z"]},
            Role.OPERATOR, 422, "expires_s must be",
        ),
    ],
)  # fmt: skip
async def test_what_is_refused(tmp_path, given, role, status, words):
    async with serving(tmp_path) as city, client(city, role) as http:
        stream = await stream_of(http)
        answer = await http.post(f"controlstreams/{stream['id']}/commands", json=given)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["error"]["message"]


async def test_what_was_refused_is_a_command_that_was_rejected(tmp_path):
    async with serving(tmp_path) as city, client(city) as http:
        stream = await stream_of(http)
        await http.post(f"controlstreams/{stream['id']}/commands", json={"parameters": {"pump": 2}})
        (command,) = (await http.get("commands?statusCode=REJECTED")).json()["items"]
        (report,) = (await http.get(f"commands/{command['id']}/status")).json()["items"]
        assert "outside 0 … 1" in report["message"]
        answer = await http.get("commands?statusCode=DONE")
        assert answer.status_code == 422


async def test_feasibility_says_what_stands_against_it_and_commands_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(controls, "FEASIBILITY_MAX", 2)
    async with serving(tmp_path) as city, client(city) as http:
        stream = await stream_of(http)
        here = f"controlstreams/{stream['id']}/feasibility"
        made = await http.post(here, json={"parameters": {"pump": 2}})
        assert made.status_code == 201, made.text
        told = made.json()
        passed = {one["name"]: one["passed"] for one in told["checks"]}
        assert passed == {"allowed": False, "connected": False, "known": False, "alone": True}
        assert told["feasible"] is False
        assert "outside 0 … 1" in told["checks"][0]["message"]
        assert (await http.get(made.headers["location"])).json() == told
        assert (await http.get("commands")).json()["items"] == []

        connections: Any = city.hub.ingest.connections
        connections["g-1"] = object()  # as if it were connected
        city.take(Batch.of([city.rows[1]], city.now_ns, [0.0]))
        told = (await http.post(here, json={"parameters": {"pump": 1}})).json()
        assert told["feasible"] is True, told["checks"]
        del connections["g-1"]
        await http.post(f"controlstreams/{stream['id']}/commands", json={"parameters": {"pump": 1}})
        told = (await http.post(here, json={"parameters": {"pump": 1}})).json()
        assert {one["name"] for one in told["checks"] if not one["passed"]} == {
            "connected", "alone",
        }  # fmt: skip
        assert (await http.get(made.headers["location"])).status_code == 404, "the newest are kept"


async def test_nobody_is_let_in_without_a_token_and_what_is_not_there_is_said(tmp_path):
    async with serving(tmp_path) as city, client(city) as http:
        for path in (f"commands/{NOBODY}", f"commands/{NOBODY}/status", f"commands/{NOBODY}/result",
                     f"feasibility/{NOBODY}"):  # fmt: skip
            assert (await http.get(path)).status_code == 404
        del http.headers["authorization"]
        for path in ("", "conformance", "controlstreams", "commands", f"feasibility/{NOBODY}"):
            assert (await http.get(path)).status_code == 401
