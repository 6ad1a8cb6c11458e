"""Purging over the application: what goes, what stays, and what is refused before anything goes."""

from __future__ import annotations

import httpx
import pytest

from tests.hub.apis.ngsild.test_consumption import ENTITIES, http, ids

__all__ = ["http"]


async def left(http: httpx.AsyncClient) -> str:
    return "".join(ids(await http.get(ENTITIES, params={"type": "Tank"})))


@pytest.mark.parametrize(
    ("given", "stay"),
    [
        ({"type": "Tank"}, ""),
        ({"q": "level>2"}, "12"),
        ({"type": "Tank", "id": "urn:ngsi-ld:Tank:2"}, "1345"),
        ({"local": "true"}, ""),
        ({"type": "Company"}, "12345"),
    ],
)
async def test_entities_are_purged(
    http: httpx.AsyncClient, given: dict[str, str], stay: str
) -> None:
    answer = await http.delete(ENTITIES + "/", params=given)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await left(http) == stay


@pytest.mark.parametrize(
    ("given", "members"),
    [
        ({"drop": "level,kind"}, {"id", "type", "location", "owner"}),
        ({"keep": "level"}, {"id", "type", "level"}),
    ],
)
async def test_attributes_are_purged(
    http: httpx.AsyncClient, given: dict[str, str], members: set[str]
) -> None:
    assert (await http.delete(ENTITIES, params={"type": "Tank", **given})).status_code == 204
    answer = await http.get(f"{ENTITIES}/urn:ngsi-ld:Tank:1")
    assert answer.json().keys() == members


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"type": "Tank", "keep": "level", "drop": "kind"},
        {"id": "urn:ngsi-ld:Tank:1"},
        {"idPattern": ".*"},
        {"attrs": "createdAt"},
        {"q": 'modifiedAt>"2020-01-01T00:00:00Z"'},
        {"type": "Tank", "q": 'owner{name}=="Su"'},
        {"type": "Tank", "attrs": "owner{name}"},
        {"type": "Tank", "drop": "id"},
        {"type": "Tank", "unknown": "1"},
    ],
)
async def test_what_is_wrong_purges_nothing(http: httpx.AsyncClient, given: dict[str, str]) -> None:
    assert (await http.delete(ENTITIES, params=given)).status_code == 400
    assert await left(http) == "12345"
