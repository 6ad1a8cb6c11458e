"""Reload: a changed configuration takes the place of the running one, or is refused whole.

The file is read and checked on a thread beside; what is built anew touches no network. Only then
does anything change. Every attempt leaves an answer in the state folder, which tells whoever asked
(``citytwin-edge reload``) what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog

from citytwin.config import Document
from citytwin.errors import CityTwinError, ConfigError
from citytwin.files import replace
from citytwin_edge.config import load
from citytwin_edge.gateway import GatewayConfig, digest
from citytwin_edge.health import ConfigHealth

FOLDER: Final = "config"
ANSWER: Final = "answer.json"
VERSION: Final = "version.json"
BUILD_ERRORS: Final = (
    CityTwinError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What adapters, other people's among them, raise when they cannot be built."""
_RESULTS: Final = {"none": 0, "applied": 1, "refused": 2, "rolled-back": 3, "trial": 4}

Result = Literal["none", "applied", "refused", "rolled-back", "trial"]

_log = structlog.get_logger(__name__)


class Answer(msgspec.Struct, frozen=True):
    """What became of a reload.

    Attributes:
        number: grows with each answer of one state folder.
        digest: of the file that it is about.
        result: applied or refused.
        text: why it was refused, or what has changed.
    """

    number: int
    digest: str
    result: Result
    text: str


class Version(msgspec.Struct, frozen=True):
    """How many different configurations have run here, and which one ran last."""

    version: int = 0
    digest: str = ""


class Reloader:
    """Serves requests to reload one after the other. Belongs to the event loop."""

    def __init__(
        self,
        current: Callable[[], GatewayConfig],
        change: Callable[[GatewayConfig], Awaitable[str]],
    ) -> None:
        """Begin; touches the state folder only.

        Args:
            current: the configuration that runs.
            change: lets another one take its place and returns what has changed, in words; raises
                one of BUILD_ERRORS if it cannot, and then nothing has changed.
        """
        self._current, self._change = current, change
        self.folder = current().state / FOLDER
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self.result: Result = "none"
        self._answer = _read(self.folder / ANSWER, Answer) or Answer(0, "", "none", "")
        self._version = _read(self.folder / VERSION, Version) or Version()
        self._count(current())

    @property
    def current(self) -> GatewayConfig:
        """The configuration that runs."""
        return self._current()

    @property
    def health(self) -> ConfigHealth:
        """What the agent tells of its configuration."""
        return ConfigHealth(self._version.version, _RESULTS[self.result])

    def request(self) -> None:
        """Reload the file soon; called by a signal."""
        self._asked.set()

    async def run(self) -> None:
        """Serve requests, and look at the file now and then where that is wanted, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            while True:
                await self._asked.wait()
                self._asked.clear()
                await self.reload()

    async def reload(self) -> Answer:
        """Let what is in the file now take the place of what runs, and answer."""
        async with self._turn:
            path = self._current().path
            try:
                raw = await asyncio.to_thread(lambda: Document(path).raw)
            except ConfigError as error:
                return await self._told("", "refused", str(error))
            return await self._replaced(raw)

    async def apply(self, raw: bytes) -> Answer:
        """Let a configuration that is not, or not yet, in the file take the place of what runs."""
        async with self._turn:
            return await self._replaced(raw)

    async def _replaced(self, raw: bytes) -> Answer:
        before = self._current()
        try:
            config = await asyncio.to_thread(load, before.path, raw)
            refuse_fixed(before, config)
            told = await self._change(config) + _later(before, config)
        except BUILD_ERRORS as error:
            text = str(error) or type(error).__name__
            _log.error("config.refused", reason=text, goes_on=before.digest[:12])
            return await self._told(digest(raw), "refused", text)
        await asyncio.to_thread(self._count, config)
        _log.info("config.applied", what=told, digest=config.digest[:12],
                  version=self._version.version)  # fmt: skip
        return await self._told(config.digest, "applied", told)

    async def _told(self, name: str, result: Result, text: str) -> Answer:
        self.result = result
        self._answer = Answer(self._answer.number + 1, name, result, text)
        await asyncio.to_thread(self._write, ANSWER, self._answer)
        return self._answer

    def _count(self, config: GatewayConfig) -> None:
        if config.digest != self._version.digest:
            self._version = Version(self._version.version + 1, config.digest)
            self._write(VERSION, self._version)

    def _write(self, name: str, what: Answer | Version) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            body = msgspec.json.encode(what)
            replace(self.folder / name, lambda file: file.write(body), mode=0o600)
        except OSError as error:
            _log.error("config.answer_unsaved", reason=str(error))

    async def _watch(self) -> None:
        """Reload when the file has changed and is left alone; off where ``watch_s`` is 0."""
        before = seen = _stamp(self._current().path)
        while True:
            config = self._current()
            await asyncio.sleep(config.watch_ns / 1e9 or WATCH_IDLE_S)
            now = _stamp(config.path)
            if config.watch_ns and now == seen and now != before:
                before = now
                self.request()
            elif not config.watch_ns:
                before = now
            seen = now


WATCH_IDLE_S: Final = 10.0
"""So often an agent that does not watch looks whether it shall."""


def refuse_fixed(before: GatewayConfig, after: GatewayConfig) -> None:
    """Refuse what cannot be changed while the agent runs.

    Raises:
        ConfigError: name or state folder differ.
    """
    for field in ("name", "state"):
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            raise Document(after.path, after.raw).error(
                f'cannot be changed from "{old}" to "{new}" while the agent runs; restart it '
                "(sudo systemctl restart citytwin-edge)",
                ("gateway", field),
            )


def _later(before: GatewayConfig, after: GatewayConfig) -> str:
    """Return what is taken at a restart only."""
    if before.page == after.page:
        return ""
    return "; [page] is taken at a restart (sudo systemctl restart citytwin-edge)"


def _read(path: Path, kind: type[msgspec.Struct]) -> Any:
    """Return what a file of the state folder holds; None when it is not there or not readable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("config.state_unreadable", file=str(path), reason=str(error))
        return None


def read_answer(state: Path) -> Answer | None:
    """Return the last answer that an agent left in its state folder."""
    found: Answer | None = _read(state / FOLDER / ANSWER, Answer)
    return found


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
