"""Fetch: one remote @context over HTTP, only from hosts that the operator allows."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin_hub.entities.errors import BadRequestData, LdContextNotAvailable

WAIT_S_MAX: Final = 3.0
"""For each step of a request: to connect, to send, and between two pieces of the answer."""
FETCH_S_MAX: Final = 10.0
"""For one @context in all, redirects included."""
SIZE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one @context; that of all Smart Data Models has about 2 MB."""
REDIRECTS_MAX: Final = 3
"""Each of them only to a host that is allowed, too."""
LIFE_S_DEFAULT: Final = 24 * 3600
"""How long a copy serves where the host does not say."""
LIFE_S_MIN: Final = 60
LIFE_S_MAX: Final = 30 * 24 * 3600

_ACCEPT: Final = "application/ld+json, application/json;q=0.9"
_MAX_AGE: Final = re.compile(r"\b(?:s-maxage|max-age)\s*=\s*\"?(\d{1,12})")
_NO_CACHE: Final = re.compile(r"\bno-(?:cache|store)\b")


class Fetched(NamedTuple):
    """What stood at a URL: the value of its @context member, and how long it may be kept."""

    body: Any
    life_ns: int


class Fetcher:
    """Fetches; blocks; may be used from any thread."""

    def __init__(self, hosts: Collection[str], clock: Clock) -> None:
        """Remember who may be asked.

        Args:
            hosts: names such as ``example.org`` (any port) or ``example.org:8080`` (this port).
            clock: ends a fetch that takes too long in all.
        """
        self._hosts = frozenset(host.lower() for host in hosts)
        self._clock = clock
        # Reading the certificates of the authorities takes long: not where nobody is ever asked.
        self._client = (
            httpx.Client(timeout=WAIT_S_MAX, follow_redirects=False, headers={"Accept": _ACCEPT})
            if hosts
            else None
        )

    def close(self) -> None:
        """Close what is connected."""
        if self._client is not None:
            self._client.close()

    def allows(self, url: str) -> bool:
        """Return whether a URL is one that may be fetched."""
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            return False
        host = (parts.hostname or "").lower()
        if port is None or not host or parts.username or parts.password:
            return False
        return parts.scheme in {"http", "https"} and bool(
            self._hosts & {host, f"{host}:{port}", f"[{host}]:{port}"}
        )

    def fetch(self, url: str) -> Fetched:
        """Return what stands at a URL.

        Raises:
            LdContextNotAvailable: its host is not allowed, does not answer in time, answers with
                another status than 200, or with too much.
            BadRequestData: what stands there is no JSON document that has an @context.
        """
        until_ns = self._clock.monotonic_ns() + int(FETCH_S_MAX * SECOND_NS)
        at = url
        for _ in range(REDIRECTS_MAX + 1):
            if not self.allows(at):
                raise LdContextNotAvailable(
                    f"the @context at {at} may not be fetched: its host is not one of those that "
                    "the hub's operator allows; host the @context at the hub (jsonldContexts), or "
                    "ask the operator"
                )
            try:
                status, headers, content = self._get(at, until_ns)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                raise LdContextNotAvailable(
                    f"the @context at {at} cannot be fetched: {str(error) or type(error).__name__}"
                ) from error
            if status in {301, 302, 303, 307, 308} and "location" in headers:
                at = urljoin(at, headers["location"])
                continue
            if status != 200:
                raise LdContextNotAvailable(
                    f"the @context at {at} cannot be fetched: its host answers with {status}"
                )
            return Fetched(_body(at, content), _life_s(headers) * SECOND_NS)
        raise LdContextNotAvailable(
            f"the @context at {url} cannot be fetched: it is redirected over {REDIRECTS_MAX} times"
        )

    def _get(self, url: str, until_ns: int) -> tuple[int, httpx.Headers, bytes]:
        assert self._client is not None, "a host is allowed only where there are hosts"
        content = bytearray()
        with self._client.stream("GET", url) as answer:
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > SIZE_BYTES_MAX:
                    raise LdContextNotAvailable(
                        f"the @context at {url} has over {SIZE_BYTES_MAX} bytes"
                    )
                if self._clock.monotonic_ns() > until_ns:
                    raise LdContextNotAvailable(
                        f"the @context at {url} takes over {FETCH_S_MAX:g} s to fetch"
                    )
            return answer.status_code, answer.headers, bytes(content)


def _body(url: str, content: bytes) -> Any:
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequestData(f"what stands at {url} is not JSON: {error}") from error
    if not isinstance(document, dict) or "@context" not in document:
        raise BadRequestData(f"what stands at {url} has no @context")
    return document["@context"]


def _life_s(headers: httpx.Headers) -> int:
    said = headers.get("cache-control", "").lower()
    if _NO_CACHE.search(said):
        return LIFE_S_MIN
    match = _MAX_AGE.search(said)
    life_s = LIFE_S_DEFAULT if match is None else int(match[1])
    return min(max(life_s, LIFE_S_MIN), LIFE_S_MAX)
