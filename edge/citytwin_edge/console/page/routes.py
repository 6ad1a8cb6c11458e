"""What the page asks for and what it gets: the same rows as the commands, in three languages.

Whoever reaches the page may look. To read a device now, to watch its bytes and to write a point a
browser must be unlocked; then each order carries the session's word, which no other site can know.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus
from importlib import resources
from typing import Any, Final, cast

from citytwin.clock import Clock
from citytwin.errors import CityTwinError
from citytwin.point import Label
from citytwin.reasons import Language
from citytwin.units import unit
from citytwin_edge.console.doctor import running
from citytwin_edge.console.looking import Chosen
from citytwin_edge.console.operations import Operations
from citytwin_edge.console.page.unlocking import Unlocking
from citytwin_edge.console.page.web import Refusal, Request, Response, as_json
from citytwin_edge.console.sentences import translated
from citytwin_edge.gateway import GatewayConfig

COOKIE: Final = "citytwin-page"
WORD: Final = "x-citytwin-word"
LANGUAGES: Final = ("kk", "ru", "en")
_STATIC: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/words.json": ("words.json", "application/json"),
}


class Routes:
    """Answers the page's requests."""

    def __init__(
        self,
        operations: Operations,
        unlocking: Unlocking,
        config: Callable[[], GatewayConfig],
        clock: Clock,
    ) -> None:
        """Read the page's own files; ``config`` gives the configuration that runs."""
        self._operations, self._unlocking = operations, unlocking
        self._config, self._clock = config, clock
        folder = resources.files("citytwin_edge.console.page") / "static"
        self._files = {
            path: Response((folder / name).read_bytes(), kind)
            for path, (name, kind) in _STATIC.items()
        }
        host = socket.gethostname().lower()
        self._names = {"localhost", host, f"{host.partition('.')[0]}.local"}
        self._looks: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/state": self._state,
            "/api/watch": self._watch,
            "/api/frames": self._frames,
            "/api/doctor": self._doctor,
        }
        self._orders: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/unlock": self._unlock,
            "/api/lock": self._lock,
            "/api/probe": self._probe,
            "/api/write": self._write,
        }

    async def handle(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            Refusal: it is not to be answered.
        """
        self._check_host(request)
        if request.method in {"GET", "HEAD"} and request.path in self._files:
            return self._files[request.path]
        known = {"GET": self._looks, "POST": self._orders}.get(request.method, {})
        if request.path not in known:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such page")
        if request.method == "POST":
            self._check_order(request)
        try:
            return await known[request.path](request)
        except CityTwinError as error:
            words = translated(str(error), language_of(request))
            raise Refusal(HTTPStatus.CONFLICT, words) from None

    # ---- who may

    def _check_host(self, request: Request) -> None:
        """Refuse another site's name that somebody has pointed at this gateway (rebinding)."""
        host = request.headers.get("host", "").lower()
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if name in self._names:
            return
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST, "this page has another name; use its address"
            ) from None

    def _check_order(self, request: Request) -> None:
        """Refuse an order that another site lets a browser send, and one of a locked browser."""
        host = request.headers.get("host", "").lower()
        if request.headers.get("origin", "").lower() not in {f"http://{host}", f"https://{host}"}:
            raise Refusal(HTTPStatus.FORBIDDEN, "that comes from another site")
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "orders are JSON")
        if request.path != "/api/unlock":
            word = request.headers.get(WORD, "")
            if not self._unlocking.may_act(request.cookie(COOKIE), word):
                raise Refusal(HTTPStatus.FORBIDDEN, "the page is locked")

    # ---- looking

    async def _state(self, request: Request) -> Response:
        language = language_of(request)
        status = await self._operations.ask("status", {}, "page")
        session = self._unlocking.session(request.cookie(COOKIE))
        config = self._config()
        labels = {one.name: one.points[0].point.device_label for one in config.devices}
        return as_json(
            {
                "gateway": status["gateway"],
                "label": _named(config.label, language),
                "version": status["version"],
                "time_ns": status["time_ns"],
                "summary": [one.row(language) for one in running.summary(status)],
                "devices": [
                    {
                        **one,
                        "label": _named(labels[one["device"]], language),
                        "error": translated(one["error"], language),
                    }
                    for one in status["devices"]
                ],
                "unlocked_s": self._unlocking.seconds_left(request.cookie(COOKIE)),
                "word": session.word if session else "",
            }
        )

    async def _watch(self, request: Request) -> Response:
        wanted = request.query.get("device")
        chosen = Chosen(devices=(wanted,) if wanted else ())
        return Response(events=self._values(chosen, language_of(request)))

    async def _values(self, chosen: Chosen, language: Language) -> AsyncGenerator[Any, None]:
        async with aclosing(self._operations.looking.watch(chosen)) as items:
            async for item in items:
                points = [
                    {**point, "unit": unit(point["ucum"]).symbol_in(language)}
                    for point in item.get("points", ())
                ]
                yield {**item, "points": points} if points else item

    async def _frames(self, request: Request) -> Response:
        if self._unlocking.session(request.cookie(COOKIE)) is None:
            raise Refusal(HTTPStatus.FORBIDDEN, "the page is locked")
        wanted = request.query.get("device")
        chosen = Chosen(devices=(wanted,) if wanted else ())
        return Response(events=self._while_unlocked(chosen, request.cookie(COOKIE)))

    async def _while_unlocked(self, chosen: Chosen, cookie: str) -> AsyncGenerator[Any, None]:
        async with aclosing(self._operations.looking.frames(chosen)) as items:
            async for item in items:
                if self._unlocking.session(cookie) is None:
                    return
                yield item

    async def _doctor(self, request: Request) -> Response:
        # A gateway that nobody examines need not carry what only an examination needs.
        from citytwin_edge.console.doctor.examination import examine

        status = await self._operations.ask("status", {}, "page")
        findings = await examine(self._config(), self._clock, status)
        return as_json({"findings": [one.row(language_of(request)) for one in findings]})

    # ---- orders

    async def _unlock(self, request: Request) -> Response:
        made = self._unlocking.unlock(str(request.json().get("pin", "")))
        seconds = int(self._unlocking.seconds_left(made.cookie))
        cookie = f"{COOKIE}={made.cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}"
        return as_json({"word": made.word, "unlocked_s": seconds}, ("set-cookie", cookie))

    async def _lock(self, request: Request) -> Response:
        self._unlocking.end(request.cookie(COOKIE))
        return as_json({"unlocked_s": 0})

    async def _probe(self, request: Request) -> Response:
        device = str(request.json().get("device", ""))
        return as_json(await self._operations.ask("probe", {"devices": [device]}, "page"))

    async def _write(self, request: Request) -> Response:
        given = request.json()
        about = {"point": given.get("point"), "value": given.get("value")}
        done = await self._operations.ask("write", about, f"page at {request.peer}")
        return as_json({**done, "reason": translated(done["reason"], language_of(request))})


def _named(label: Label, language: Language) -> str:
    """Return a label in a language, else in another; empty where there is none."""
    return str(getattr(label, language)) or label.ru or label.en or label.kk


def language_of(request: Request) -> Language:
    """Return the language that a request names; English where it names none of ours."""
    named = request.query.get("language", "")
    return cast("Language", named) if named in LANGUAGES else "en"
