"""Push store: what a gateway remembers of the newest push, so that no crash leaves half of it.

In ``config/`` of the state folder: ``push.json``, the newest push and how far it is; and
``previous.toml``, the configuration that it replaced. The configuration itself is always the file
that the technician knows; it is replaced whole. Each step is durable before the next one begins:

::

    previous.toml, push.json (taking) → the file → the agent takes it → push.json (trial)
        → push.json (confirmed)
        → push.json (rolling-back) → the file → the agent takes it → push.json (rolled-back)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog

from citytwin.config import Document
from citytwin.errors import ConfigError, StoreError
from citytwin.files import replace
from citytwin_edge.config import load
from citytwin_edge.gateway import GatewayConfig, digest

FOLDER: Final = "config"
PUSH: Final = "push.json"
PREVIOUS: Final = "previous.toml"
OVERWRITTEN: Final = "overwritten.toml"
STARTS_MAX: Final = 10
"""A configuration with which the agent has to be started so often while it is on trial goes."""
STATE: Final = "/var/lib/citytwin-edge"

State = Literal["", "taking", "trial", "confirmed", "rolling-back", "rolled-back", "refused"]

_log = structlog.get_logger(__name__)


class Push(msgspec.Struct, frozen=True):
    """The newest push.

    Attributes:
        number: the hub's; 0: none yet, or the newest was not taken.
        seen: the highest number that has been decided on: lower ones are old, whoever sends them.
        old, new: digests of the configuration that it replaces, and of its own.
        state: how far it is.
        reason: why it was refused or rolled back.
        at_ns: since when, UTC.
        deadline_ns: until when the way to the hub must have proven itself, UTC.
        trial_ns: how long that was in all.
        starts: how often the agent has been started with it while it was on trial.
    """

    number: int = 0
    seen: int = 0
    old: str = ""
    new: str = ""
    state: State = ""
    reason: str = ""
    at_ns: int = 0
    deadline_ns: int = 0
    trial_ns: int = 0
    starts: int = 0


class ConfigStore:
    """The files of one gateway; every method is durable on return."""

    def __init__(self, path: Path, state: Path) -> None:
        """Belong to the configuration file ``path`` and a state folder; touches nothing yet."""
        self.path, self.folder = path, state / FOLDER

    def push(self) -> Push:
        """Return the newest push; none when there is none, or its file cannot be read."""
        try:
            return msgspec.json.decode((self.folder / PUSH).read_bytes(), type=Push)
        except FileNotFoundError:
            return Push()
        except (OSError, msgspec.MsgspecError) as error:
            _log.error("config.push_unreadable", file=str(self.folder / PUSH), reason=str(error))
            return Push()

    def note(self, push: Push) -> Push:
        """Remember how far a push is.

        Raises:
            StoreError: it cannot be written.
        """
        self._put(self.folder / PUSH, msgspec.json.encode(push))
        return push

    def keep_previous(self, raw: bytes) -> None:
        """Keep the configuration that runs, and what is in the file if that is another one.

        Raises:
            StoreError: it cannot be written.
        """
        self._put(self.folder / PREVIOUS, raw)
        try:
            found = self.path.read_bytes()
        except OSError:
            return
        if found != raw:
            self._put(self.folder / OVERWRITTEN, found)

    def previous(self) -> bytes:
        """Return the configuration that the newest push replaced.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return (self.folder / PREVIOUS).read_bytes()
        except OSError as error:
            raise StoreError(f"{self.folder / PREVIOUS} cannot be read: {error}") from error

    def put(self, raw: bytes) -> None:
        """Put a configuration into the file that the technician knows, with the rights it has.

        Raises:
            StoreError: it cannot be written; the text says what to do.
        """
        try:
            mode = self.path.stat().st_mode & 0o777
        except OSError:
            mode = 0o640
        try:
            replace(self.path, lambda file: file.write(raw), mode=mode)
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be replaced: {error.strerror or error}; whoever runs the "
                f"agent must own the folder (sudo chown citytwin {self.path.parent.absolute()})"
            ) from error

    def digest(self) -> str:
        """Return the name of what is in the file; empty when it cannot be read."""
        try:
            return digest(self.path.read_bytes())
        except OSError:
            return ""

    def _put(self, path: Path, body: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace(path, lambda file: file.write(body), mode=0o600)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def ended(push: Push, state: State, reason: str, now_ns: int) -> Push:
    """Return a push that has come to an end."""
    return msgspec.structs.replace(push, state=state, reason=reason, at_ns=now_ns)


def recovered(path: Path, now_ns: int) -> GatewayConfig:
    """Return the configuration to start with: goes on with what a stop has cut short.

    A configuration on trial is rolled back when its time is over, when it cannot be used, or when
    the agent was started with it STARTS_MAX times.

    Raises:
        ConfigError: there is no configuration that can be used.
    """
    try:
        return _recovered(path, now_ns)
    except StoreError as error:
        # A full disk must not keep a gateway from reading its devices.
        _log.error("config.not_recovered", reason=str(error))
        return load(path)


def _recovered(path: Path, now_ns: int) -> GatewayConfig:
    store = ConfigStore(path, state_of(path))
    push, found = store.push(), store.digest()
    if push.state not in {"taking", "trial", "rolling-back"}:
        return load(path)
    if found == push.old and push.state == "taking":
        store.note(Push(seen=push.seen))
    elif found != push.new:
        reason = push.reason or "the configuration was changed on the spot during the trial"
        store.note(ended(push, "rolled-back", reason, now_ns))
    elif push.state == "rolling-back":
        _roll_back(store, push, push.reason, now_ns)
    elif now_ns >= push.deadline_ns:
        _roll_back(store, push, "the hub was not reached in time; the agent was restarted", now_ns)
    elif push.starts >= STARTS_MAX:
        reason = f"the agent had to be started {STARTS_MAX} times with it"
        _roll_back(store, push, reason, now_ns)
    else:
        store.note(msgspec.structs.replace(push, state="trial", starts=push.starts + 1))
        try:
            return load(path)
        except ConfigError as error:
            _roll_back(store, push, str(error), now_ns)
    return load(path)


def _roll_back(store: ConfigStore, push: Push, reason: str, now_ns: int) -> None:
    _log.warning("config.rolled_back", push=push.number, reason=reason)
    push = store.note(ended(push, "rolling-back", reason, now_ns))
    store.put(store.previous())
    store.note(ended(push, "rolled-back", reason, now_ns))


def state_of(path: Path) -> Path:
    """Return the state folder of a configuration of which nothing else need be right."""
    gateway = Document(path).data.get("gateway")
    state = gateway.get("state", STATE) if isinstance(gateway, dict) else STATE
    return path.parent / os.fspath(state if isinstance(state, str) else STATE)
