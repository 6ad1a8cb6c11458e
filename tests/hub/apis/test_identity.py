"""Identities over real sockets: given, named, merged, split, and found again."""

import pytest

from citytwin_hub.access import Role


async def made(web, path, body, status=200):
    answer = await web.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_object_is_found_by_every_name_whatever_became_of_it(running):
    async with running.client(Role.OPERATOR) as web:
        pumps = [
            (await made(web, "identity", {"kind": "Pump", "place": [76.95, 43.24]}, 201))["urn"]
            for _ in range(2)
        ]
        assert pumps == ["urn:ngsi-ld:Pump:txwtzp:1", "urn:ngsi-ld:Pump:txwtzp:2"]
        for system, name, urn in [("scada", "P-17", pumps[0]), ("gis", "204", pumps[1])]:
            await made(web, "identity/aliases", {"system": system, "name": name, "urn": urn})
        await made(web, "identity/merge", {"urns": pumps, "into": pumps[1]})
        tag = {"system": "scada", "name": "P-17"}
        found = (await web.get("identity/resolve", params=tag)).json()
        assert (found["asked"], found["urns"], found["current"]) == (pumps[0], pumps[1:], False)
        assert found["aliases"] == [{"system": "gis", "name": "204"}, tag]
        parts = [{"kind": "Pump"}, {"kind": "Motor"}]
        split = (await made(web, "identity/split", {"urn": pumps[1], "parts": parts}))["urns"]
        found = (await web.get("identity/resolve", params={"urn": pumps[0]})).json()
        assert set(found["urns"]) == set(split)
        assert not set(split) & set(pumps)
        await made(web, "identity/withdraw", tag)
        assert (await web.get("identity/resolve", params=tag)).status_code == 404
        await made(web, "identity/adopt", {"urn": "urn:cadastre:5"})
        await made(web, "identity/adopt", {"urn": "urn:cadastre:5"}, 409)
        page = (await web.get("identity/journal")).json()
        acts = [one["act"] for one in page["deeds"]]
        assert acts == [
            "register", "register", "alias", "alias", "merge", "register", "register", "split",
            "withdraw", "adopt",
        ]  # fmt: skip
        assert {one["by"] for one in page["deeds"]} == {"operator"}
        rest = await web.get("identity/journal", params={"after": page["next"]})
        assert rest.json() == {"deeds": [], "next": None}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("identity", {"kind": "no class"}, 422, "is no class"),
        ("identity", {"kind": "Pump", "place": [200, 0]}, 422, "longitude"),
        ("identity/aliases", {"system": "s", "name": "n", "urn": "urn:none"}, 404, "urn:none"),
        ("identity/merge", {"urns": ["urn:a", "urn:a"], "into": "urn:a"}, 404, "urn:a"),
        ("identity/split", {"urn": "urn:a", "parts": [{"kind": "Pump"}]}, 422, "parts"),
        ("identity/withdraw", {"system": "s", "name": "n"}, 404, "means no object"),
    ],
)
async def test_what_is_wrong_is_said(running, path, body, status, words):
    async with running.client(Role.OPERATOR) as web:
        answer = await web.post(path, json=body)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["error"]["message"]
    async with running.client(Role.VIEWER) as web:
        assert (await web.post(path, json=body)).status_code == 403


async def test_what_is_asked_for_must_be_plain(running):
    async with running.client(Role.VIEWER) as web:
        for query in ({}, {"urn": "urn:a", "system": "s", "name": "n"}, {"system": "s"}):
            answer = await web.get("identity/resolve", params=query)
            assert answer.status_code == 422
            assert answer.json()["error"]["field"] == "urn"
        gone = await web.get("identity/resolve", params={"urn": "urn:a", "tenant": "none"})
        assert gone.status_code == 404
