"""What holds for every operation: media types, lengths, @contexts, parameters, errors."""

import pytest

from citytwin_hub.apis.ngsild.calls import negotiate
from citytwin_hub.policy.grants import Act
from tests.hub.apis.ngsild.serving import problem, serving
from tests.hub.doors import OpenDoor

BODY = b'{"id": "urn:ngsi-ld:Tank:1", "type": "Tank"}'
LINK = '<{}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def http(tmp_path):
    async with serving(tmp_path) as client:
        yield client


async def test_a_body_needs_its_length_before_all_else(http):
    async def parts():
        yield BODY

    headers = JSON | {"NGSILD-Tenant": "none-such"}
    answer = await http.post("entities", content=parts(), headers=headers)
    assert (answer.status_code, answer.content) == (411, b"")


@pytest.mark.parametrize("sent", ["application/xml", "text/plain", ""])
async def test_other_media_types_are_refused(http, sent):
    answer = await http.post("entities", content=BODY, headers={"Content-Type": sent})
    assert answer.status_code == 415
    answer = await http.get("types", headers={"Accept": "text/html"})
    assert answer.status_code == 406


async def test_a_body_that_is_too_large_is_not_read(http):
    headers = JSON | {"Content-Length": str(2**40)}
    answer = await http.post("entities", content=BODY, headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":1}}'])
async def test_what_is_no_json_is_an_invalid_request(http, body):
    answer = await http.post("entities", content=body, headers=JSON)
    assert (answer.status_code, problem(answer)) == (400, "InvalidRequest")


async def test_json_nested_without_end_is_refused(http):
    body = b'{"id":"urn:ngsi-ld:T:1","type":"T","a":{"value":' + b"[" * 100_000
    answer = await http.post("entities", content=body + b"]" * 100_000 + b"}}", headers=JSON)
    assert answer.status_code == 400
    assert problem(answer) in {"BadRequestData", "InvalidRequest"}


async def test_a_context_stands_in_the_body_of_json_ld_and_nowhere_else(http):
    inside = BODY[:-1] + b', "@context": {}}'
    ld = {"Content-Type": "application/ld+json"}
    for body, headers, words in (
        (inside, JSON, "has no @context"),
        (BODY, ld, "needs an @context"),
        (inside, ld | {"Link": LINK.format("https://a.example/c")}, "from the body"),
        (
            BODY,
            JSON | {"Link": ", ".join(LINK.format(f"https://{one}.example/c") for one in "ab")},
            "several Link headers",
        ),
    ):
        answer = await http.post("entities", content=body, headers=headers)
        assert (answer.status_code, problem(answer)) == (400, "BadRequestData")
        assert words in answer.json()["detail"]
    answer = await http.post(
        "entities", content=BODY, headers=JSON | {"Link": LINK.format("https://a.example/c")}
    )
    assert (answer.status_code, problem(answer)) == (504, "LdContextNotAvailable")


async def test_unknown_parameters_are_named(http):
    answer = await http.get("types", params={"what": "1"})
    assert (answer.status_code, problem(answer)) == (400, "InvalidRequest")
    assert "'what'" in answer.json()["detail"]


async def test_a_tenant_is_echoed_and_made_by_who_creates(http):
    tenant = {"NGSILD-Tenant": "su"}
    answer = await http.get("types", headers=tenant)
    assert (answer.status_code, problem(answer)) == (404, "NonexistentTenant")
    assert answer.headers["ngsild-tenant"] == "su"
    assert (await http.post("entities", content=BODY, headers=JSON | tenant)).status_code == 201
    assert (await http.get("types", headers=tenant)).json()["typeList"] == ["Tank"]
    assert (await http.get("types")).json()["typeList"] == []
    answer = await http.get("types", headers={"NGSILD-Tenant": "../etc"})
    assert (answer.status_code, problem(answer)) == (400, "BadRequestData")


async def test_who_may_not_is_told(tmp_path):
    door = OpenDoor(closed=True)
    async with serving(tmp_path, door) as http:
        assert (await http.get("types", headers={"Authorization": "x"})).status_code == 401
        assert (await http.post("entities", content=BODY, headers=JSON)).status_code == 401
    assert door.asked == [("x", Act.READ), ("", Act.WRITE)]


def test_the_first_media_type_is_given_where_none_is_asked_for():
    assert negotiate("", ["application/json", "application/ld+json"]) == "application/json"
