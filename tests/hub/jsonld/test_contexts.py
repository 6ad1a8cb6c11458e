"""Contexts: found in memory, in the store or at their host; kept, counted, made and forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from citytwin.batch import SECOND_NS
from citytwin.testing import VirtualClock
from citytwin_hub.entities.errors import BadRequestData, LdContextNotAvailable, ResourceNotFound
from citytwin_hub.jsonld import contexts as module
from citytwin_hub.jsonld.context import CORE_URL
from citytwin_hub.jsonld.contexts import PATH, Contexts
from citytwin_hub.jsonld.store import Kind
from tests.hub.jsonld.hosts import Host, host
from tests.waiting import until

TERMS = {"level": "urn:x:level"}
CORE_ANY = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-{}.jsonld"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def contexts(tmp_path: Path, clock: VirtualClock, served: Host) -> Iterator[Contexts]:
    made = Contexts(tmp_path / "contexts.sqlite", clock, [served.name])
    yield made
    made.close()


def kinds(contexts: Contexts, tenant: str = "") -> list[tuple[Kind, str]]:
    return [(entry.kind, entry.url) for entry in contexts.listed(tenant=tenant)]


def test_the_core_needs_nobody(contexts: Contexts, served: Host) -> None:
    assert contexts.resolve(None) is contexts.core
    for version in ("v1.3", "v1.6", "v1.8"):
        made = contexts.resolve(CORE_ANY.format(version))
        assert made.expand("location") == "https://uri.etsi.org/ngsi-ld/location"
        assert made.url == CORE_ANY.format(version)
    with pytest.raises(LdContextNotAvailable, match="non-existing"):
        contexts.resolve(CORE_ANY.format("non-existing"))
    assert served.asked == []


def test_a_remote_context_is_fetched_once(contexts: Contexts, served: Host) -> None:
    inner = served.serve("/inner", TERMS)
    url = served.serve("/outer", [inner, CORE_URL])
    made = contexts.resolve(url)
    assert made.expand("level") == "urn:x:level"
    assert contexts.find(url) is contexts.resolve(url) is made
    assert contexts.resolve([url, {"flow": "urn:x:flow"}]).expand("level") == "urn:x:level"
    assert served.asked == ["/outer", "/inner"]
    assert kinds(contexts) == [
        (Kind.CACHED, inner),
        (Kind.CACHED, url),
        (Kind.CACHED, CORE_URL),
    ]


def test_what_was_fetched_survives_a_restart(tmp_path: Path, clock: VirtualClock) -> None:
    with host() as served:
        url = served.serve("/a", TERMS)
        before = Contexts(tmp_path / "c.sqlite", clock, [served.name])
        before.resolve(url)
        before.resolve(url)
        before.close()
    after = Contexts(tmp_path / "c.sqlite", clock, [served.name])
    assert after.resolve(url).expand("level") == "urn:x:level"
    assert after.entry(url).hits == 3
    assert after.entry(url).used_ns == clock.now_ns()
    after.close()


def test_an_old_copy_is_fetched_anew_and_serves_while_that_fails(
    contexts: Contexts, served: Host, clock: VirtualClock
) -> None:
    url = served.serve("/a", TERMS, Cache_Control="max-age=100")
    contexts.resolve(url)
    served.serve("/a", {"level": "urn:y:level"}, Cache_Control="max-age=100")
    clock.advance(99 * SECOND_NS)
    assert contexts.resolve(url).expand("level") == "urn:x:level"
    clock.advance(2 * SECOND_NS)
    assert contexts.find(url) is None
    assert contexts.resolve(url).expand("level") == "urn:y:level"
    served.answers.clear()
    clock.advance(101 * SECOND_NS)
    asked = len(served.asked)
    assert contexts.resolve(url).expand("level") == "urn:y:level"
    assert contexts.resolve(url).expand("level") == "urn:y:level"
    assert len(served.asked) == asked + 1
    clock.advance((module.STALE_S_MAX + 1) * SECOND_NS)
    served.serve("/a", {"level": "urn:z:level"})
    assert contexts.resolve(url).expand("level") == "urn:z:level"


def test_hosted_contexts_are_read_from_the_store(contexts: Contexts, served: Host) -> None:
    local_id = contexts.host(TERMS)
    entry = contexts.entry(local_id)
    assert (entry.kind, entry.hits, entry.used_ns) == (Kind.HOSTED, 0, None)
    for given in (
        f"{PATH}{local_id}",
        f"http://hub.example:9090{PATH}{local_id}",
        f"https://city.example/hub{PATH}{local_id}",
        [f"https://other.name{PATH}{local_id.replace(':', '%3A')}"],
    ):
        assert contexts.resolve(given).expand("level") == "urn:x:level"
    assert contexts.entry(local_id).hits == 4
    assert served.asked == []
    with pytest.raises(LdContextNotAvailable, match="this hub's"):
        contexts.resolve(f"{PATH}urn:uuid:0")


def test_what_a_hosted_context_names_is_fetched_when_it_is_used(
    contexts: Contexts, served: Host
) -> None:
    url = served.serve("/a", TERMS)
    local_id = contexts.host([url])
    assert served.asked == []
    contexts.resolve(PATH + local_id)
    assert [kind for kind, _ in kinds(contexts)] == [Kind.CACHED, Kind.HOSTED, Kind.CACHED]
    with pytest.raises(BadRequestData, match="holds 7"):
        contexts.host([url, 7])


def test_a_context_without_a_url_gets_one(contexts: Contexts, served: Host) -> None:
    url = served.serve("/a", TERMS)
    assert contexts.link(contexts.core) == CORE_URL
    assert contexts.link(contexts.resolve([url, CORE_URL])) == url
    inline = contexts.resolve([url, {"flow": "urn:x:flow"}])
    link = contexts.link(inline)
    assert link == contexts.link(inline)
    entry = contexts.entry(link.removeprefix(PATH))
    assert (entry.kind, entry.body) == (Kind.IMPLICIT, [url, {"flow": "urn:x:flow"}])
    assert contexts.resolve(link).expand("flow") == "urn:x:flow"


def test_tenants_do_not_see_each_other(contexts: Contexts) -> None:
    local_id = contexts.host(TERMS, "water")
    assert contexts.resolve(PATH + local_id, "water").expand("level") == "urn:x:level"
    with pytest.raises(LdContextNotAvailable):
        contexts.resolve(PATH + local_id, "heat")
    for ask in (contexts.entry, contexts.delete):
        with pytest.raises(ResourceNotFound, match="no @context"):
            ask(local_id, "heat")
    assert kinds(contexts, "heat") == [(Kind.CACHED, CORE_URL)]


def test_what_is_deleted_means_nothing_more(contexts: Contexts) -> None:
    local_id = contexts.host(TERMS)
    contexts.resolve(PATH + local_id)
    contexts.delete(local_id)
    with pytest.raises(LdContextNotAvailable):
        contexts.resolve(PATH + local_id)
    with pytest.raises(ResourceNotFound):
        contexts.delete(local_id)
    with pytest.raises(BadRequestData, match="core"):
        contexts.delete(CORE_ANY.format("v1.6"))


def test_a_reload_replaces_the_copy_or_leaves_it(contexts: Contexts, served: Host) -> None:
    url = served.serve("/a", TERMS)
    contexts.resolve(url)
    served.serve("/a", {"level": "urn:y:level"})
    contexts.reload(url)
    assert contexts.resolve(url).expand("level") == "urn:y:level"
    for broken in (42, {"level": 42}):
        served.serve("/a", broken)
        with pytest.raises(LdContextNotAvailable, match="not valid"):
            contexts.reload(contexts.entry(url).id)
    assert contexts.resolve(url).expand("level") == "urn:y:level"
    contexts.reload(CORE_ANY.format("v1.6"))
    for name in (contexts.host(TERMS), "nothing"):
        with pytest.raises(BadRequestData, match="only such can be reloaded"):
            contexts.reload(name)


async def test_the_event_loop_goes_on_while_a_context_is_fetched(
    contexts: Contexts, served: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOADS_MAX", 2)
    url = served.serve("/a", TERMS)
    served.hold.clear()
    both = [asyncio.create_task(contexts.load(url)) for _ in range(2)]
    await until(lambda: served.asked, "the host is asked")
    with pytest.raises(LdContextNotAvailable, match="2 requests wait"):
        await contexts.load([url])
    assert await contexts.load(None) is contexts.core
    served.hold.set()
    first, second = await asyncio.gather(*both)
    assert first.expand("level") == second.expand("level") == "urn:x:level"
    assert served.asked == ["/a"]
    assert await contexts.load(url) is contexts.find(url)


def test_memory_has_a_limit(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPILED_MAX", 2)
    given = [{"level": f"urn:{number}:level"} for number in range(3)]
    for one in given:
        contexts.resolve(one)
    assert [contexts.find(one) is None for one in given] == [True, False, False]
    monkeypatch.setattr(module, "COMPILED_TERMS_MAX", 1)
    contexts.resolve(given[0])
    assert [contexts.find(one) is None for one in given] == [False, True, True]


def test_many_threads_agree(contexts: Contexts, served: Host) -> None:
    url = served.serve("/a", TERMS)
    found: list[str] = []

    def ask() -> None:
        for _ in range(50):
            found.append(contexts.resolve(url).expand("level"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["urn:x:level"] * 200
    assert served.asked == ["/a"]
    assert contexts.entry(url).hits == 200
