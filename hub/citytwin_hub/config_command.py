"""Config command: what `citytwin-hub config` asks the running hub, and the lines that it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from citytwin.errors import CityTwinError
from citytwin_hub import tables

ACTIONS: Final = (
    "status", "show", "push", "history", "diff", "rollback", "cancel", "accept",
)  # fmt: skip
FINAL: Final = frozenset({"confirmed", "rolled-back", "refused", "expired", "cancelled"})
WAIT_S: Final = 0.5
WAIT_S_MAX: Final = 24 * 3600
STATUS_COLUMNS: Final = (
    "gateway",
    "number",
    "wanted",
    "drift",
    "remote",
    "push",
    "state",
    "reason",
)
WORDS: Final = "show, push and take back the configuration of a gateway"
HISTORY_COLUMNS: Final = ("number", "at_ms", "by", "state", "why", "digest")


class Asks(Protocol):
    """Who asks the hub: :class:`citytwin_hub.client.HubClient`."""

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET."""
        ...

    def post(self, path: str, body: Any) -> Any:
        """Return the answer of a POST."""
        ...


class NotConfirmed(CityTwinError):
    """A push that was waited for came to another end."""


def add_to(command: Any) -> None:
    """Give the command its arguments."""
    command.add_argument("gateway")
    command.add_argument("action", choices=ACTIONS)
    command.add_argument("file", nargs="?", type=Path, help="push: the configuration")
    command.add_argument("--number", type=int, default=0, help="show, rollback, diff: this version")
    command.add_argument("--against", type=int, default=0, help="diff: with this version")
    command.add_argument("--why", default="", help="push, rollback: for whoever asks later")
    command.add_argument("--force", action="store_true", help="push: whatever the gateway runs now")
    command.add_argument(
        "--wait", action="store_true", help="push, rollback: until it is confirmed or is not"
    )


def answer(options: Any, client: Asks) -> Any:
    """Do what is asked; return the hub's answer.

    Raises:
        CityTwinError: it may not be done, or the file cannot be read.
        NotConfirmed: it was waited for, and did not come to run.
    """
    path, action = f"gateways/{options.gateway}/config", options.action
    if action == "status":
        return client.get(path)
    if action == "show":
        return client.get(f"{path}/text", number=options.number)
    if action == "history":
        return client.get(f"{path}/versions")["versions"]
    if action == "diff":
        return client.get(f"{path}/diff", old=options.against, new=options.number)
    if action in {"cancel", "accept"}:
        return client.post(f"{path}/{action}", {})
    if action == "rollback":
        pushed = client.post(f"{path}/rollback", {"number": options.number, "why": options.why})
    else:
        wish = {"text": _read(options.file), "why": options.why, "force": options.force}
        pushed = client.post(path, wish)
    if options.wait:
        pushed = asyncio.run(_until_final(lambda: client.get(path)["push"]))
        if pushed["state"] != "confirmed":
            raise NotConfirmed(f"push {pushed['number']} {pushed['state']}: {pushed['reason']}")
    return pushed


def lines(options: Any, found: Any) -> Iterator[str]:
    """Yield an answer as people read it."""
    action = options.action
    if action == "show":
        yield found["text"].rstrip("\n")
    elif action == "diff":
        yield found["diff"].rstrip("\n") or "(no difference)"
    elif action == "history":
        rows = [{**one, "state": _state_of(one["push"])} for one in found]
        yield from tables.table(rows, HISTORY_COLUMNS)
    elif action == "status":
        push = found["push"] or {"number": None, "state": None, "reason": None}
        row = {**found, "push": push["number"], "state": push["state"], "reason": push["reason"]}
        yield from tables.table([row], STATUS_COLUMNS)
    elif action == "accept":
        yield f"version {found['number']} is what {options.gateway} shall run"
    else:
        yield f"push {found['number']} is {found['state']}"


def _state_of(push: dict[str, Any] | None) -> str:
    return "found at the gateway" if push is None else str(push["state"])


def _read(file: Path | None) -> str:
    if file is None:
        raise CityTwinError("push needs a FILE")
    try:
        # Byte for byte: the gateway names a configuration by its bytes.
        return file.read_bytes().decode()
    except OSError as error:
        raise CityTwinError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise CityTwinError(f"{file} is not UTF-8") from None


async def _until_final(ask: Callable[[], Any]) -> Any:
    for _ in range(round(WAIT_S_MAX / WAIT_S)):
        pushed = ask()
        if pushed["state"] in FINAL:
            return pushed
        await asyncio.sleep(WAIT_S)
    raise CityTwinError("the gateway has not answered in a day; ask again with `status`")
