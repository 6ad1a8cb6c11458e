"""Importing over REST, against a whole hub: batches, dry runs, pages, what is refused."""

from pathlib import Path

import httpx

from citytwin_hub.access import Role
from citytwin_hub.import_command import document_of
from citytwin_hub.importers.frame import Draft, Settings


def pipe(number, **values):
    draft = Draft(Settings(Path(), "gis"), "Pipe", str(number), "here")
    for name, value in values.items():
        draft.value(name, value)
    return document_of(draft.record().entity)


async def post(running, path, body, role=Role.OPERATOR, **query):
    async with running.client(role) as web:
        return await web.post(path, json=body, params=query)


async def test_a_batch_is_taken_and_read_again(running):
    given = {"source": "gis", "entities": [pipe(n, length=n + 1) for n in range(25)]}
    dry = (await post(running, "import", given | {"dry_run": True})).json()
    assert dry == {
        "created": 25, "changed": 0, "unchanged": 0, "refused": [], "lacking": [], "joined": [],
    }  # fmt: skip
    assert (await post(running, "import", given)).json() == dry
    assert (await post(running, "import", given)).json()["unchanged"] == 25
    async with running.client(Role.VIEWER) as web:
        first = (await web.get("import/ids", params={"source": "gis", "limit": 20})).json()
        assert len(first["ids"]) == 20
        rest = {"source": "gis", "limit": 20, "after": first["next"]}
        second = (await web.get("import/ids", params=rest)).json()
        assert (len(second["ids"]), second["next"]) == (5, None)
    async with httpx.AsyncClient() as web:
        headers = {"Authorization": f"Bearer {running.tokens[Role.VIEWER]}"}
        url = f"{running.address}/ngsi-ld/v1/entities/{first['ids'][3]}"
        found = (await web.get(url, headers=headers, params={"options": "keyValues"})).json()
    assert (found["type"], found["length"], found["source"]) == ("Pipe", 4, "gis")
    gone = {"source": "gis", "ids": first["ids"]}
    assert (await post(running, "import/prune", gone)).json() == {"deleted": 20}


async def test_one_that_cannot_be_an_entity_is_refused_alone(running):
    bad = pipe(2) | {"location": {"type": "GeoProperty", "value": {"type": "Point"}}}
    answer = (await post(running, "import", {"source": "gis", "entities": [pipe(1), bad]})).json()
    assert answer["created"] == 1
    assert [one["id"] for one in answer["refused"]] == ["urn:ngsi-ld:Pipe:gis:2"]
    other = {"source": "cad", "entities": [pipe(3)]}
    assert (await post(running, "import", other)).status_code == 422


async def test_who_may_only_look_may_not_import(running):
    body = {"source": "gis", "entities": [pipe(1)]}
    assert (await post(running, "import", body, Role.VIEWER)).status_code == 403
    prune = {"source": "gis", "ids": []}
    assert (await post(running, "import/prune", prune, Role.VIEWER)).status_code == 403
    assert (await post(running, "import", body, tenant="nowhere")).status_code == 404


async def test_a_batch_may_be_larger_than_other_bodies(running):
    large = pipe(1, note="x" * 200_000)
    answer = await post(running, "import", {"source": "gis", "entities": [large]})
    assert answer.json()["created"] == 1


async def test_heights_are_bounded_and_only_an_operator_gives_them(running):
    await post(running, "import", {"source": "gis", "entities": [pipe(1)]})
    one = {"id": "urn:ngsi-ld:Pipe:gis:1", "elevation_m": 812.5}
    body = {"source": "srtm", "heights": [one]}
    assert (await post(running, "import/elevations", body, Role.VIEWER)).status_code == 403
    assert (await post(running, "import/elevations", body)).json()["created"] == 1
    for wrong in ([one | {"elevation_m": 99_999}], [one] * 1001):
        answer = await post(running, "import/elevations", body | {"heights": wrong})
        assert answer.status_code == 422
    async with running.client(Role.VIEWER) as web:
        found = (await web.get("import/nodes", params={"type": "Pipe"})).json()
        assert found["nodes"] == [{"id": one["id"], "type": "Pipe", "place": None}]
        assert (await web.get("import/nodes")).status_code == 422


async def test_requests_are_bounded(running):
    names = [{"system": "bim", "name": f"{n}"} for n in range(21)]
    one = pipe(1)
    for body in (
        {"entities": [one] * 1001},
        {"entities": [one], "aliases": {one["id"]: names}},
        {"entities": [one], "aliases": {one["id"]: [{"system": "", "name": "x"}]}},
    ):
        answer = await post(running, "import", body | {"source": "gis"})
        assert answer.status_code == 422
    large = {"source": "gis", "entities": [pipe(1, note="x" * (32 * 2**20))]}
    assert (await post(running, "import", large)).status_code == 413
    prune = {"source": "gis", "ids": ["urn:x:1"] * 1001}
    assert (await post(running, "import/prune", prune)).status_code == 422
    async with running.client(Role.VIEWER) as web:
        for path, query in (
            ("import/ids", {"source": "gis", "limit": 10_001}),
            ("import/nodes", {"type": ["Pipe"] * 51}),
            ("import/nodes", {"type": "Pipe", "limit": 10_001}),
        ):
            assert (await web.get(path, params=query)).status_code == 422
