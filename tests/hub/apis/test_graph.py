"""Questions on the graph over real sockets, on entities that a client provides."""

import pytest

from citytwin_hub.access import Role

HEAD = {"Content-Type": "application/json"}
TIES = {
    "HeatPlant:1": {"feeds": "Valve:1"},
    "Valve:1": {"feeds": ["Building:1", "Building:2"]},
    "Valve:2": {"isBackupOf": "Valve:1", "isFedBy": "HeatPlant:1"},
    "Building:1": {"contains": "Device:1"},
    "Building:2": {},
}


def urn(name):
    return f"urn:ngsi-ld:{name}"


async def provide(running, web, ties=TIES):
    for one, parts in ties.items():
        entity = {"id": urn(one), "type": one.partition(":")[0]}
        for name, others in parts.items():
            many = [urn(other) for other in ([others] if isinstance(others, str) else others)]
            entity[name] = {"type": "Relationship", "object": many if many[1:] else many[0]}
        answer = await web.post(f"{running.address}/ngsi-ld/v1/entities", json=entity, headers=HEAD)
        assert answer.status_code == 201, answer.text


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [one["id"].removeprefix("urn:ngsi-ld:") for one in answer.json()["objects"]]


async def test_every_question(running):
    async with running.client(Role.ADMIN) as web:
        await provide(running, web)
        found = await web.get("graph/downstream", params={"of": urn("HeatPlant:1")})
        assert set(ids(found)) == {"Valve:1", "Valve:2", "Building:1", "Building:2"}
        assert found.json()["objects"][-1]["types"] == ["Building"]
        few = {"of": urn("HeatPlant:1"), "type": "Building", "limit": 1}
        assert (await web.get("graph/downstream", params=few)).json()["count"] == 2
        up = await web.get("graph/upstream", params={"of": urn("Building:1")})
        assert ids(up) == ["Valve:1", "HeatPlant:1"]
        near = (await web.get("graph/neighbours", params={"of": urn("Valve:2")})).json()
        assert [(n["kind"], n["direction"]) for n in near["neighbours"]] == [
            ("feeds", "in"),
            ("isBackupOf", "out"),
        ]
        ends = {"begin": urn("Device:1"), "end": urn("HeatPlant:1")}
        assert not (await web.get("graph/path", params=ends)).json()["found"]
        way = (await web.get("graph/path", params={**ends, "any_way": True})).json()["path"]
        assert [one["id"] for one in way][1:3] == [urn("Building:1"), urn("Valve:1")]
        assert way[1]["relation"].endswith("/contains")
        kinds = (await web.get("graph/kinds")).json()["kinds"]
        assert {"name", "iri", "inverse", "directed", "flows", "label"} == set(kinds[0])


async def test_who_loses_heat_now_and_then(running):
    async with running.client(Role.ADMIN) as web:
        await provide(running, web)
        closed = {"closed": urn("Valve:1"), "type": "Building"}
        held = (await web.get("graph/loss", params=closed)).json()
        assert (held["count"], held["held_count"], held["backups"]) == (0, 2, [urn("Valve:2")])
        assert held["sources"] == [urn("HeatPlant:1")]
        bare = await web.get("graph/loss", params={**closed, "backups": False})
        assert set(ids(bare)) == {"Building:1", "Building:2"}
        given = {**closed, "source_type": "Nothing"}
        assert ids(await web.get("graph/loss", params=given)) == []
        iso = await web.get("graph/isolation", params={"of": urn("Building:1")})
        assert iso.json()["valves"] == [urn("Valve:1")]
        before = {**closed, "at": "2020-03-01T00:00:00Z"}
        assert ids(await web.get("graph/loss", params=before)) == []


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("graph/downstream", 422, "of"),
        ("graph/downstream?of=urn:none", 404, "no relation of urn:none"),
        ("graph/downstream?of=urn:none&at=March", 422, "is not a time"),
        ("graph/downstream?of=urn:none&kind=likes", 422, "is no kind"),
        ("graph/downstream?of=urn:none&tenant=none", 404, "no tenant"),
        ("graph/downstream?of=urn:none&limit=0", 422, "limit"),
        ("graph/loss", 422, "closed"),
    ],
)
async def test_what_is_wrong_is_said(running, path, status, words):
    async with running.client() as web:
        answer = await web.get(path)
        assert answer.status_code == status
        assert words in answer.json()["error"]["message"]
    async with running.client(token="wrong") as web:
        assert (await web.get(path)).status_code == 401
