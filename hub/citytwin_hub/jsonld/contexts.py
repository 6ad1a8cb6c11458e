"""Contexts: every @context the hub knows: resolves them, keeps them, hosts them.

ETSI GS CIM 009, clauses 4.4 and 5.13. Which @context applies is found in memory for nearly every
request (``find``); only a new one is compiled, and only one of a host that the operator allows is
fetched (``resolve``, which blocks; ``load`` for the event loop).
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from citytwin.batch import SECOND_NS
from citytwin.clock import Clock
from citytwin_hub.entities.errors import BadRequestData, LdContextNotAvailable, ResourceNotFound
from citytwin_hub.jsonld.context import CORE_URL, CORE_URLS, Context
from citytwin_hub.jsonld.fetch import FETCH_S_MAX, Fetcher
from citytwin_hub.jsonld.processing import CORE, compiled
from citytwin_hub.jsonld.store import ContextStore, Entry, Kind

PATH: Final = "/ngsi-ld/v1/jsonldContexts/"
"""Below it the hub serves the @contexts that it hosts; whatever its host is called outside."""
COMPILED_MAX: Final = 1_000
"""Compiled @contexts in memory."""
COMPILED_TERMS_MAX: Final = 500_000
"""Terms of all of them together: about 200 bytes each."""
STALE_S_MAX: Final = 60
"""How long an old copy serves, when it should be fetched anew and cannot, before the next try."""
LOADS_MAX: Final = 64
"""Requests that wait for a new @context at one time; one more is refused."""
_THREADS: Final = 4


class _Compiled:
    """An @context in memory, and what it was made of."""

    __slots__ = ("context", "parts", "until_ns", "used_ns", "uses")

    def __init__(self, context: Context, parts: tuple[str, ...], until_ns: int | None) -> None:
        self.context, self.parts, self.until_ns = context, parts, until_ns
        self.uses, self.used_ns = 0, 0


class _Loading:
    """What one compilation loads: the local ids that it found and when they must be had anew."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.until_ns: int | None = None

    def found(self, local_id: str, until_ns: int | None) -> None:
        self.parts.append(local_id)
        if until_ns is not None:
            self.until_ns = until_ns if self.until_ns is None else min(self.until_ns, until_ns)


class Contexts:
    """May be used from any thread."""

    core: Final[Context] = CORE

    def __init__(self, path: Path, clock: Clock, hosts: Collection[str] = ()) -> None:
        """Open the store.

        Args:
            path: an SQLite file.
            clock: when copies were made, used and become old.
            hosts: from where @contexts may be fetched (``Fetcher``); none: from nowhere.

        Raises:
            StoreError: the file cannot be used.
        """
        self._store, self._fetcher, self._clock = ContextStore(path), Fetcher(hosts, clock), clock
        self.opened_ns: Final = clock.now_ns()
        self._lock = threading.Lock()
        self._compiled: OrderedDict[tuple[str, object], _Compiled] = OrderedDict()
        self._terms = 0
        self._uses: dict[tuple[str, str], tuple[int, int]] = {}
        self._turn, self._busy = threading.Condition(), set[tuple[str, str]]()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="contexts")
        self._loads = 0

    def close(self) -> None:
        """Release the file and the threads; what was used is noted."""
        self._pool.shutdown(cancel_futures=True)
        self._note_uses()
        self._fetcher.close()
        self._store.close()

    def find(self, given: Any, tenant: str = "") -> Context | None:
        """Return an @context if it is in memory; never blocks.

        Args:
            given: the value of an @context member or the URL of a Link header; None: the core.
            tenant: whose hosted @contexts may be meant.
        """
        if given is None:
            return CORE
        key = (tenant, _key(given))
        with self._lock:
            known = self._compiled.get(key)
            if known is None:
                return None
            now_ns = self._clock.now_ns()
            if known.until_ns is not None and now_ns >= known.until_ns:
                return None
            self._compiled.move_to_end(key)
            known.uses += 1
            known.used_ns = now_ns
            return known.context

    def resolve(self, given: Any, tenant: str = "") -> Context:
        """Return an @context; blocks while it is fetched (``FETCH_S_MAX``).

        Raises:
            BadRequestData: it is not an @context, or one that it names is none (clause 5.5.6).
            LdContextNotAvailable: one that it names may not be fetched, or cannot be.
        """
        known = self.find(given, tenant)
        if known is not None:
            return known
        loading = _Loading()
        context = compiled(given, lambda url: self._document(url, tenant, loading), CORE)
        made = _Compiled(context, tuple(dict.fromkeys(loading.parts)), loading.until_ns)
        made.uses, made.used_ns = 1, self._clock.now_ns()
        with self._lock:
            self._drop((tenant, _key(given)))
            self._compiled[tenant, _key(given)] = made
            self._terms += len(context.terms)
            while len(self._compiled) > 1 and (
                len(self._compiled) > COMPILED_MAX or self._terms > COMPILED_TERMS_MAX
            ):
                self._drop(next(iter(self._compiled)))
        return context

    async def load(self, given: Any, tenant: str = "") -> Context:
        """Return an @context without blocking the event loop; raises what ``resolve`` raises."""
        known = self.find(given, tenant)
        if known is not None:
            return known
        if self._loads >= LOADS_MAX:
            raise LdContextNotAvailable(
                f"{LOADS_MAX} requests wait for an @context that is new here: try again"
            )
        self._loads += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, self.resolve, given, tenant
            )
        finally:
            self._loads -= 1

    def link(self, context: Context, tenant: str = "") -> str:
        """Return what a Link header says of an @context: its URL, or a path at this hub.

        An @context without a URL of its own becomes an ImplicitlyCreated one (clause 5.13.1).
        """
        if context.url is not None:
            return context.url
        return PATH + self._store.make(tenant, context.given, self._clock.now_ns())

    def host(self, given: Any, tenant: str = "") -> str:
        """Keep an @context for a client (clause 5.13.2); return its local id.

        What it names is not fetched before it is used.

        Raises:
            BadRequestData: it is not an @context.
            TooManyResults: as many are hosted as may be.
        """
        _check(given)
        return self._store.host(tenant, given, self._clock.now_ns())

    def listed(self, kind: Kind | None = None, tenant: str = "") -> list[Entry]:
        """Return what is kept for a tenant, the newest first, and the core's copy at the end."""
        self._note_uses()
        entries = self._store.listed(tenant, kind)
        return [*entries, self._core_entry()] if kind in {None, Kind.CACHED} else entries

    def entry(self, name: str, tenant: str = "") -> Entry:
        """Return what is kept under a local id, or a URL that it was fetched from.

        Raises:
            ResourceNotFound: there is nothing.
        """
        if name in CORE_URLS:
            return self._core_entry()
        self._note_uses()
        entry = self._store.get(tenant, name)
        if entry is None:
            raise ResourceNotFound(f"there is no @context {name!r}")
        return entry

    def delete(self, name: str, tenant: str = "") -> None:
        """Forget an @context (clause 5.13.5).

        Raises:
            BadRequestData: it is the core.
            ResourceNotFound: there is no such @context.
        """
        if name in CORE_URLS:
            raise BadRequestData("the core @context belongs to the hub: it cannot be deleted")
        self._store.delete(tenant, self.entry(name, tenant).id)
        self._forget()

    def reload(self, name: str, tenant: str = "") -> None:
        """Fetch a Cached @context anew (clause 5.13.5); where that fails, the copy stays.

        Raises:
            BadRequestData: there is no Cached @context of this name.
            LdContextNotAvailable: it cannot be fetched, or is not one.
        """
        if name in CORE_URLS:
            return  # it is part of the package: there is nothing newer
        entry = self._store.get(tenant, name)
        if entry is None or entry.kind is not Kind.CACHED:
            raise BadRequestData(
                f"{name!r} is not an @context that was fetched: only such can be reloaded"
            )
        try:
            self._fetch(entry.url, tenant)
        except BadRequestData as error:
            raise LdContextNotAvailable(str(error)) from error
        self._forget()

    def _core_entry(self) -> Entry:
        return Entry(id=CORE_URL, kind=Kind.CACHED, url=CORE_URL, created_ns=self.opened_ns)

    def _document(self, url: str, tenant: str, loading: _Loading) -> Any:
        """Return the @context at a URL, from the store where it is there."""
        # What stands before the path is what the hub is called outside, perhaps behind a proxy.
        _, below, name = urlsplit(url).path.rpartition(PATH)
        if below:
            own = self._store.get(tenant, unquote(name))
            if own is not None and own.kind is not Kind.CACHED:
                loading.found(own.id, None)
                return own.body
        if url.startswith("/"):
            raise LdContextNotAvailable(f"there is no @context at this hub's {url}")
        with self._turn:
            while (tenant, url) in self._busy:
                self._turn.wait(FETCH_S_MAX)
            self._busy.add((tenant, url))
        try:
            entry = self._copy(url, tenant)
        finally:
            with self._turn:
                self._busy.discard((tenant, url))
                self._turn.notify_all()
        loading.found(entry.id, entry.expires_ns)
        return entry.body

    def _copy(self, url: str, tenant: str) -> Entry:
        """Return the copy of a remote @context, a fresh one if that can be had."""
        now_ns = self._clock.now_ns()
        known = self._store.get(tenant, url)
        if known is not None and (known.expires_ns or 0) > now_ns:
            return known
        try:
            return self._fetch(url, tenant)
        except (BadRequestData, LdContextNotAvailable):
            if known is None:
                raise
            # The city does not stop because the host of an @context does.
            return msgspec.structs.replace(known, expires_ns=now_ns + STALE_S_MAX * SECOND_NS)

    def _fetch(self, url: str, tenant: str) -> Entry:
        fetched = self._fetcher.fetch(url)
        try:
            _check(fetched.body)
        except BadRequestData as error:
            raise BadRequestData(f"the @context at {url} is not valid: {error}") from error
        now_ns = self._clock.now_ns()
        self._store.cache(tenant, url, fetched.body, now_ns, now_ns + fetched.life_ns)
        return self.entry(url, tenant)

    def _drop(self, key: tuple[str, object]) -> None:
        """Take one out of memory; what it was used for is noted later."""
        known = self._compiled.pop(key, None)
        if known is not None:
            self._terms -= len(known.context.terms)
            self._count(key[0], known)

    def _count(self, tenant: str, known: _Compiled) -> None:
        if known.uses:
            for local_id in known.parts:
                uses, used_ns = self._uses.get((tenant, local_id), (0, 0))
                self._uses[tenant, local_id] = uses + known.uses, max(used_ns, known.used_ns)
            known.uses = 0

    def _note_uses(self) -> None:
        with self._lock:
            for (tenant, _), known in self._compiled.items():
                self._count(tenant, known)
            uses, self._uses = self._uses, {}
        if uses:
            self._store.used(uses)

    def _forget(self) -> None:
        """Compile everything anew: something that others may stand on has changed."""
        with self._lock:
            for key in list(self._compiled):
                self._drop(key)


def _key(given: Any) -> object:
    """Return what tells an @context from another in memory."""
    if isinstance(given, str):
        return given
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], str):
        return (given[0],)
    return msgspec.json.encode(given)


def _check(given: Any) -> None:
    """Check the form of an @context without what it names."""
    compiled(given, lambda _: {}, CORE)
