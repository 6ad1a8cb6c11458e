"""Adding: a device's tables as text, put into a gateway's file without touching what stands there.

The file with the new device is checked as a whole before it takes the place of the old one.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from citytwin.config import Document
from citytwin.errors import ConfigError
from citytwin_edge.catalogue.profile import Profile
from citytwin_edge.config import load
from citytwin_edge.gateway import GatewayConfig

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_HEAD: Final = '[gateway]\nname = {}\nstate = "./state"\n'


def value_text(value: Any) -> str:
    """Return a value as TOML writes it (TOML 1.0)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {value_text(one)}" for name, one in value.items())
        return f"{{ {inner} }}"
    return f"[{', '.join(map(value_text, value))}]"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def device_text(fields: Mapping[str, Any], points: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return a ``[[device]]`` and its points as text."""
    lines = ["[[device]]"]
    lines += [f"{_key(name)} = {value_text(value)}" for name, value in fields.items()]
    for point in points:
        lines += ["", "[[device.point]]"]
        lines += [f"{_key(name)} = {value_text(value)}" for name, value in point.items()]
    return "\n".join(lines) + "\n"


def connection_fields(profile: Profile, kind: Any, given: Mapping[str, Any]) -> list[str]:
    """Return which fields say where a device is, so that a technician is asked for them.

    They are those of the adapter's examples of connections: of the first that is begun by what is
    given, ``unit`` where the adapter has it, ``topic_name`` where a convention fixes the topics.
    """
    examples: list[Mapping[str, Any]] = list(getattr(kind, "examples", ()) or ({},))
    if profile.file.example:
        examples.insert(0, profile.file.example)
    chosen = next((one for one in examples if one.keys() & given.keys()), examples[0])
    known = {field.encode_name for field in msgspec.structs.fields(kind.device_settings)}
    more = ["unit", "topic_name"] if "dialect" in profile.file.device else ["unit"]
    return [*chosen, *(name for name in more if name in known and name not in chosen)]


def may_change(path: Path) -> None:
    """Raise before anything is asked or read when this user may not change the file.

    Raises:
        ConfigError: he may not.
    """
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path} cannot be changed by this user: type sudo before the command")


def added(
    path: Path, text: str, *, gateway: str = "gateway", is_trial: bool = False
) -> GatewayConfig:
    """Put a device at the end of a gateway's file; make the file where there is none.

    Args:
        path: the gateway's file.
        text: of the device.
        gateway: its name, where there is no file yet.
        is_trial: leave the file as it is.

    Returns:
        What the whole file then comes to.

    Raises:
        ConfigError: the file would be wrong; it is left as it was.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else _HEAD.format(value_text(gateway))
    whole = f"{old.rstrip()}\n\n{text}"
    # In the same folder: the file may name others relative to it, and a rename is then atomic.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".toml")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        try:
            config = load(draft)
        except ConfigError as error:
            raise ConfigError(
                f"{path} would be wrong and is left as it was: "
                f"{str(error).replace(f'{draft}:', 'with the new device, line ')}"
            ) from None
        if is_trial:
            return config
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o640)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return load(path)


def free_name(path: Path, wish: str) -> str:
    """Return a name for a new device that the file does not have yet: ``wish``, ``wish-2``, …"""
    taken: set[str] = set()
    if path.exists():
        tables = Document(path).data.get("device", [])
        taken = {str(one.get("name")) for one in tables if isinstance(one, dict)}
    number, name = 1, wish
    while name in taken:
        number += 1
        name = f"{wish}-{number}"
    return name
