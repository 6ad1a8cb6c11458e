"""Door: makes the permit of each request, once; and writes down what is done, before it is."""

from __future__ import annotations

import hmac
from collections.abc import Callable, MutableMapping
from typing import Any, Final, Protocol

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from citytwin.errors import StoreError
from citytwin_hub.access import Access, AccessError
from citytwin_hub.accounts import Accounts, Opened, csrf_of
from citytwin_hub.audit import Audit, Deed
from citytwin_hub.policy.document import Policy
from citytwin_hub.policy.grants import Act, Rights
from citytwin_hub.policy.permit import Permit

ANONYMOUS: Final = "anonymous"
ON_CHARS_MAX: Final = 2_000
"""Of what a record says that something was done to; each may take six bytes there."""

COOKIE: Final = "citytwin-session"
CSRF: Final = "X-CSRF-Token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
DEED: Final = "citytwin.deed"
"""Where in the scope of a request stands what was recorded of it."""

_log = structlog.get_logger(__name__)


class Keeper(Protocol):
    """What routes ask who somebody is; ``Door`` is the one of a hub."""

    def admit(self, connection: HTTPConnection, *acts: Act, whole: bool = False) -> Permit:
        """Return the permit of a request; raises AccessError where it may do none of the acts."""
        ...

    def record(self, connection: HTTPConnection, permit: Permit, act: Act) -> None:
        """Write down what a request is about to do; raises StoreError if that cannot be."""
        ...

    def note(self, permit: Permit, what: str, on: str) -> None:
        """Write down what somebody reads or does; raises StoreError if that cannot be."""
        ...

    def of_user(self, name: str) -> Permit | None:
        """Return what a user may do now; None where there is none any more."""
        ...


class Door:
    """Who comes in and as what; for any thread."""

    def __init__(
        self,
        access: Access,
        policy: Policy,
        now_ns: Callable[[], int],
        audit: Audit | None = None,
        *,
        otherwise: str = "",
        accounts: Accounts | None = None,
    ) -> None:
        """Take what it stands on.

        Args:
            access: users.
            policy: what their roles may.
            now_ns: a clock, UTC.
            audit: where deeds are written down.
            otherwise: the role of who gives no token; empty: the one that the policy says.
            accounts: sessions of who has logged in; None: there are none.
        """
        self.access, self.policy, self.audit = access, policy, audit
        self._accounts = accounts
        self._now_ns, self._nobody = now_ns, otherwise or policy.public or ""

    def permit(self, token: str, source: str = "") -> Permit:
        """Return what whoever has a token may do; ``source``: from where he comes.

        Raises:
            AccessError: 401 for a wrong token, 429 after many; 401 without one where none may.
            StoreError: the users cannot be read.
        """
        if not token and self._nobody:
            return Permit(ANONYMOUS, self.policy.rights((self._nobody,)), source)
        user = self.access.user(token, self._now_ns())
        return Permit(user.name, self.policy.rights(user.roles), source)

    def who(self, connection: HTTPConnection, token: str) -> Permit:
        """Return the permit of a token, else of the session of the cookie, else of nobody.

        Raises:
            AccessError: as ``permit``; 403 where a session would write without its CSRF token.
        """
        if token or self._accounts is None:
            return self.permit(token, source_of(connection))
        now_ns = self._now_ns()
        cookie = connection.cookies.get(COOKIE, "")
        name = self._accounts.session(cookie, now_ns)
        if not name:
            return self.permit("", source_of(connection))
        if connection.scope["type"] == "websocket":
            origin = connection.headers.get("origin", "").partition("://")[2]
            if origin != connection.headers.get("host", ""):
                raise AccessError(403, "a session is for the hub's own page")
        elif connection.scope["method"] not in _SAFE:
            shown = connection.headers.get(CSRF, "").encode()
            if not hmac.compare_digest(shown, csrf_of(cookie).encode()):
                raise AccessError(403, f"a session writes with its {CSRF} only; load the page anew")
        return Permit(name, self.policy.rights(self.access.roles(name)), source_of(connection))

    def log_in(self, name: str, password: str, source: str) -> Opened:
        """Open a session; raises AccessError 401 or 429 as ``Accounts.log_in``."""
        if self._accounts is None:
            raise AccessError(401, "this hub has no accounts")
        nobody = Permit(name[:80], Rights((), ()), source)
        try:
            opened = self._accounts.log_in(name, password, source, self._now_ns())
        except AccessError as error:
            if error.status == 401:  # those that are refused unseen would only fill the disk
                self._append(nobody, "log in", "", "refused: 401")
            raise
        self._append(nobody, "log in", "")
        return opened

    def log_out(self, connection: HTTPConnection) -> None:
        """End the session of a request, if it has one; raises AccessError without CSRF token."""
        permit = self.who(connection, "")
        if self._accounts is not None:
            self._append(permit, "log out", "")
            self._accounts.log_out(connection.cookies.get(COOKIE, ""))

    def session(self, connection: HTTPConnection) -> tuple[str, str]:
        """Return whose session a request has, and its CSRF token; raises AccessError 401."""
        cookie = connection.cookies.get(COOKIE, "")
        name = self._accounts.session(cookie, self._now_ns()) if self._accounts else ""
        if not name:
            raise AccessError(401, "nobody is logged in")
        return name, csrf_of(cookie)

    def of_user(self, name: str) -> Permit | None:
        """Return what a user may do now; None where there is none any more."""
        if name == ANONYMOUS:
            roles: tuple[str, ...] = (self._nobody,) if self._nobody else ()
        else:
            roles = self.access.roles(name)
        return Permit(name, self.policy.rights(roles)) if roles else None

    def admit(self, connection: HTTPConnection, *acts: Act, whole: bool = False) -> Permit:
        """Return the permit of a request, if it may do one of some acts (``whole``: everywhere).

        Raises:
            AccessError: 401 or 429 as ``permit``; 403 where the roles may do none of them.
        """
        header = connection.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        if header and not token:
            raise AccessError(401, "a valid token is needed: Authorization: Bearer TOKEN")
        permit = self.who(connection, token)
        # Nobody without a name can try what he may not do: that is journalled under his.
        able = acts[:1] if permit.name == ANONYMOUS else acts
        if permit.is_whole(*able) if whole else permit.may(*able):
            return permit
        if permit.name == ANONYMOUS:
            raise AccessError(401, "a token is needed: Authorization: Bearer TOKEN")
        if acts[0] is not Act.READ:
            self._append(permit, acts[0], what(connection), "refused: 403")
        raise AccessError(403, permit.refusal(acts[0], whole=whole))

    def record(self, connection: HTTPConnection, permit: Permit, act: Act) -> None:
        """Write down what a request is about to do.

        Raises:
            StoreError: it cannot be written, so it must not be done.
        """
        on = what(connection)
        self._append(permit, act, on)
        if self.audit is not None:
            connection.scope[DEED] = (permit, act, on)

    def note(self, permit: Permit, what: str, on: str) -> None:
        """Write down what somebody reads or does, in words.

        Raises:
            StoreError: it cannot be written, so it must not be done.
        """
        self._append(permit, what, on)

    def failed(self, scope: MutableMapping[str, Any], status: int) -> None:
        """Write down that what was recorded of a request was not done; on any thread."""
        deed = scope.pop(DEED, None)
        if deed is not None:
            try:
                permit, act, on = deed
                self._append(permit, act, on, f"failed: {status}")
            except StoreError as error:
                _log.error("audit.not_written", reason=str(error))

    def _append(self, permit: Permit, what: str, on: str, result: str = "") -> None:
        if self.audit is not None:
            deed = Deed(permit.name, str(what), on[:ON_CHARS_MAX], result, permit.source)
            self.audit.append(deed, self._now_ns())


class Outcomes:
    """An ASGI application around another: what was recorded and then failed is recorded so."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Take the application, and what records."""
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and DEED in scope:
                status = message["status"]
                if status >= 400:
                    await run_in_threadpool(self._door.failed, scope, status)
            await send(message)

        await self._app(scope, receive, watched)


def source_of(connection: HTTPConnection) -> str:
    """Return from where a request or WebSocket comes: an address; empty where it is not known."""
    client = connection.client
    return str(client.host) if client else ""


def what(connection: HTTPConnection) -> str:
    """Return what a request asks for, as it stands in the log."""
    query = f"?{connection.url.query}" if connection.url.query else ""
    tenant = connection.headers.get("ngsild-tenant", "")
    branch = connection.headers.get("ngsild-snapshot", "")
    more = "".join(f" {name}={one}" for name, one in (("tenant", tenant), ("in", branch)) if one)
    return f"{connection.scope.get('method', '')} {connection.url.path}{query}{more}"
