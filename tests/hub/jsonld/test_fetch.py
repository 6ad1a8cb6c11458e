"""Fetch: who may be asked, how long, how much, and what must stand there."""

from __future__ import annotations

import pytest

from citytwin.clock import SystemClock
from citytwin.testing import VirtualClock
from citytwin_hub.entities.errors import BadRequestData, EntityError, LdContextNotAvailable
from citytwin_hub.jsonld import fetch
from citytwin_hub.jsonld.fetch import Fetcher
from tests.hub.jsonld.hosts import Host
from tests.servers import free_port

SECOND_NS = 1_000_000_000


@pytest.fixture
def fetcher(served: Host):
    made = Fetcher([served.name], SystemClock())
    yield made
    made.close()


def test_what_stands_there_and_how_long_it_serves(served: Host, fetcher: Fetcher) -> None:
    url = served.serve("/a", {"level": "urn:x:level"})
    assert fetcher.fetch(url) == ({"level": "urn:x:level"}, 24 * 3600 * SECOND_NS)
    for said, life_s in (
        ("public, max-age=3600", 3600),
        ("max-age=5", 60),
        ("max-age=999999999", 30 * 24 * 3600),
        ("no-cache, max-age=3600", 60),
        ("private", 24 * 3600),
    ):
        served.serve("/a", [], Cache_Control=said)
        assert fetcher.fetch(url).life_ns == life_s * SECOND_NS


@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        (["example.org"], "https://example.org/a", True),
        (["example.org"], "http://EXAMPLE.org:8080/a", True),
        (["example.org:8080"], "http://example.org:8080/a", True),
        (["example.org:443"], "https://example.org/a", True),
        (["example.org:8080"], "http://example.org/a", False),
        (["example.org"], "https://example.org.evil.example/a", False),
        (["example.org"], "https://user:word@example.org/a", False),
        (["example.org"], "ftp://example.org/a", False),
        (["example.org"], "http://example.org:99999/a", False),
        (["[::1]:80"], "http://[::1]/a", True),
        ([], "https://example.org/a", False),
        (["example.org"], "urn:example.org", False),
    ],
)
def test_only_hosts_that_the_operator_allows(hosts: list[str], url: str, allowed: bool) -> None:
    asked = Fetcher(hosts, VirtualClock())
    assert asked.allows(url) is allowed
    if not allowed:
        with pytest.raises(LdContextNotAvailable, match="operator allows"):
            asked.fetch(url)
    asked.close()


def test_a_redirect_is_followed_to_allowed_hosts_only(served: Host, fetcher: Fetcher) -> None:
    served.serve("/new", {"a": "urn:x:a"})
    served.answers["/old"] = 301, {"Location": "/new"}, b""
    assert fetcher.fetch(served.url("/old")).body == {"a": "urn:x:a"}
    served.answers["/out"] = 302, {"Location": "http://localhost:1/secret"}, b""
    with pytest.raises(LdContextNotAvailable, match="localhost:1/secret may not be fetched"):
        fetcher.fetch(served.url("/out"))
    served.answers["/ring"] = 307, {"Location": "/ring"}, b""
    with pytest.raises(LdContextNotAvailable, match="redirected over 3 times"):
        fetcher.fetch(served.url("/ring"))


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (404, b"", LdContextNotAvailable, "answers with 404"),
        (500, b"{}", LdContextNotAvailable, "answers with 500"),
        (200, b"<html>", BadRequestData, "not JSON"),
        (200, b"\xff\xfe", BadRequestData, "not JSON"),
        (200, b"[" * 100_000, BadRequestData, "not JSON"),
        (200, b"{}", BadRequestData, "no @context"),
        (200, b"[]", BadRequestData, "no @context"),
    ],
)
def test_what_is_no_context(
    served: Host, fetcher: Fetcher, status: int, body: bytes, error: type[EntityError], words: str
) -> None:
    served.answers["/a"] = status, {}, body
    with pytest.raises(error, match=words):
        fetcher.fetch(served.url("/a"))


def test_a_host_that_is_not_there_or_does_not_answer(
    served: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr(fetch, "WAIT_S_MAX", 0.2)
    asked = Fetcher([f"127.0.0.1:{port}", served.name], SystemClock())
    with pytest.raises(LdContextNotAvailable, match="cannot be fetched"):
        asked.fetch(f"http://127.0.0.1:{port}/a")
    served.hold.clear()
    with pytest.raises(LdContextNotAvailable, match="timed out"):
        asked.fetch(served.serve("/a", {}))
    asked.close()


def test_size_and_time_have_a_limit(
    served: Host, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = served.serve("/a", {"a": "urn:x:a"})
    monkeypatch.setattr(fetch, "SIZE_BYTES_MAX", 10)
    with pytest.raises(LdContextNotAvailable, match="over 10 bytes"):
        fetcher.fetch(url)
    monkeypatch.undo()
    monkeypatch.setattr(fetch, "FETCH_S_MAX", -1)
    with pytest.raises(LdContextNotAvailable, match="to fetch"):
        fetcher.fetch(url)
