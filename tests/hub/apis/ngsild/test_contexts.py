"""The routes of @contexts: hosted, listed, served, reloaded and deleted, each tenant's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild import contexts as module
from citytwin_hub.apis.ngsild.app import build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.jsonld.contexts import PATH, Contexts
from tests.hub.doors import OpenDoor
from tests.hub.jsonld.hosts import Host, host

TERMS = {"level": "urn:x:level"}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld"
UNKNOWN = "urn:uuid:00000000-0000-0000-0000-000000000000"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with host() as running:
        yield running


@pytest.fixture
def contexts(tmp_path: Path, served: Host) -> Iterator[Contexts]:
    made = Contexts(tmp_path / "contexts.sqlite", VirtualClock(), [served.name])
    yield made
    made.close()


@pytest.fixture
async def http(tmp_path: Path, contexts: Contexts) -> AsyncIterator[httpx.AsyncClient]:
    broker = Broker(tmp_path / "broker", VirtualClock(), contexts, OpenDoor())
    transport = httpx.ASGITransport(app=build_ngsild(broker))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as client:
        yield client
    broker.close()


async def add(http: httpx.AsyncClient, context: Any = TERMS, tenant: str = "") -> str:
    headers = {"NGSILD-Tenant": tenant} if tenant else {}
    answer = await http.post(PATH.rstrip("/"), json={"@context": context}, headers=headers)
    assert answer.status_code == 201
    assert answer.content == b""
    location = answer.headers["location"]
    assert location.startswith(PATH)
    return location.removeprefix(PATH)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def test_what_is_hosted_is_served_to_everybody(http: httpx.AsyncClient) -> None:
    local_id = await add(http)
    for details in ({}, {"details": "false"}):
        answer = await http.get(PATH + local_id, params=details)
        assert (answer.status_code, answer.json()) == (200, {"@context": TERMS})
        assert answer.headers["content-type"] == "application/json"
    answer = await http.get(PATH + local_id, headers={"Accept": "application/ld+json"})
    assert answer.headers["content-type"] == "application/ld+json"


async def test_what_is_known_of_a_hosted_context(
    http: httpx.AsyncClient, contexts: Contexts
) -> None:
    local_id = await add(http)
    answer = (await http.get(PATH + local_id, params={"details": "true"})).json()
    assert answer == {
        "URL": f"http://hub.example{PATH}{local_id}",
        "localId": local_id,
        "kind": "Hosted",
        "createdAt": "2026-01-01T00:00:00Z",
        "numberOfHits": 0,
    }
    contexts.resolve([PATH + local_id])
    answer = (await http.get(PATH + local_id, params={"details": "true"})).json()
    assert (answer["numberOfHits"], answer["lastUsage"]) == (1, "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"a": "urn:x:a"}', "InvalidRequest"),
        (b'{"a": "urn:x:a" "b"}', "InvalidRequest"),
        (b"[]", "InvalidRequest"),
        (b'{"@context": 42}', "BadRequestData"),
        (b'{"@context": true}', "BadRequestData"),
        (b'{"@context": ["https://example.org/c.jsonld", 7]}', "BadRequestData"),
    ],
)
async def test_what_is_no_context_is_not_hosted(
    http: httpx.AsyncClient, body: bytes, kind: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await http.post(PATH, content=body, headers=headers)
    assert problem(answer) == (400, kind)
    assert "location" not in answer.headers


async def test_the_size_has_a_limit(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONTEXT_BYTES_MAX", 10)
    assert problem(await http.post(PATH, json={"@context": TERMS})) == (400, "BadRequestData")


async def test_a_list_by_kind_with_and_without_details(
    http: httpx.AsyncClient, contexts: Contexts, served: Host
) -> None:
    url = served.serve("/a", TERMS)
    contexts.resolve(url)
    contexts.resolve(url)
    hosted = await add(http)
    made = contexts.link(contexts.resolve([url, TERMS]))
    listed = (await http.get(PATH.rstrip("/"))).json()
    assert listed[:3] == [
        f"http://hub.example{made}",
        f"http://hub.example{PATH}{hosted}",
        url,
    ]
    for kind, expected in (("Hosted", [hosted]), ("ImplicitlyCreated", [made.rpartition("/")[2]])):
        answer = await http.get(PATH, params={"kind": kind, "details": "true"})
        assert [one["localId"] for one in answer.json()] == expected
        assert {one["kind"] for one in answer.json()} == {kind}
    cached = (await http.get(PATH, params={"kind": "Cached", "details": "true"})).json()
    assert cached[0]["URL"] == url
    assert cached[0]["extraInfo"] == "used 3 times"
    assert cached[0]["expiresAt"] == "2026-01-02T00:00:00Z"
    assert "numberOfHits" not in cached[0]
    for wrong in ({"kind": "other"}, {"details": "other"}, {"details": "other", "kind": "Hosted"}):
        assert problem(await http.get(PATH, params=wrong)) == (400, "BadRequestData")


async def test_a_copy_is_known_by_its_url_but_not_served(
    http: httpx.AsyncClient, contexts: Contexts, served: Host
) -> None:
    url = served.serve("/a?b=c", TERMS)
    contexts.resolve(url)
    quoted = url.replace(":", "%3A").replace("/", "%2F").replace("?", "%3F")
    answer = await http.get(PATH + quoted, params={"details": "true"})
    assert (answer.status_code, answer.json()["kind"]) == (200, "Cached")
    assert problem(await http.get(PATH + quoted)) == (422, "OperationNotSupported")
    served.serve("/a?b=c", {"level": "urn:y:level"})
    assert (await http.delete(PATH + quoted, params={"reload": "true"})).status_code == 204
    assert contexts.resolve(url).expand("level") == "urn:y:level"
    served.answers.clear()
    answer = await http.delete(PATH + quoted, params={"reload": "true"})
    assert problem(answer) == (504, "LdContextNotAvailable")
    assert contexts.entry(url).body == {"level": "urn:y:level"}
    assert (await http.delete(PATH + quoted)).status_code == 204
    answer = await http.get(PATH + quoted, params={"details": "true"})
    assert problem(answer) == (404, "ResourceNotFound")


async def test_what_cannot_be_deleted_or_reloaded(http: httpx.AsyncClient) -> None:
    hosted = await add(http)
    quoted = CORE.replace("/", "%2F")
    for name, reload, expected in (
        (UNKNOWN, None, (404, "ResourceNotFound")),
        (UNKNOWN, "false", (404, "ResourceNotFound")),
        (UNKNOWN, "true", (400, "BadRequestData")),
        (hosted, "true", (400, "BadRequestData")),
        (hosted, "perhaps", (400, "BadRequestData")),
        (quoted, None, (400, "BadRequestData")),
        ("", None, (400, "BadRequestData")),
    ):
        params = {} if reload is None else {"reload": reload}
        assert problem(await http.delete(PATH + name, params=params)) == expected
    assert (await http.delete(PATH + quoted, params={"reload": "true"})).status_code == 204
    assert (await http.get(PATH + quoted, params={"details": "true"})).status_code == 200
    assert (await http.delete(PATH + hosted)).status_code == 204
    assert problem(await http.get(PATH + hosted)) == (404, "ResourceNotFound")


async def test_a_tenant_sees_its_own_only(http: httpx.AsyncClient) -> None:
    local_id = await add(http, tenant="water")
    other, own = {"NGSILD-Tenant": "heat"}, {"NGSILD-Tenant": "water"}
    for details in ("false", "true"):
        answer = await http.get(PATH + local_id, params={"details": details}, headers=other)
        assert problem(answer) == (404, "ResourceNotFound")
        listed = await http.get(PATH, params={"details": details}, headers=other)
        assert listed.status_code == 200
        assert local_id not in listed.text
    assert problem(await http.delete(PATH + local_id, headers=other)) == (404, "ResourceNotFound")
    assert (await http.get(PATH + local_id, headers=own)).json() == {"@context": TERMS}
    assert (await http.delete(PATH + local_id, headers=own)).status_code == 204
