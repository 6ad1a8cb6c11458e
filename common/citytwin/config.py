"""Configuration: TOML read into structs, with errors that say file, line, device and field.

>>> import tempfile, pathlib
>>> class Pump(msgspec.Struct, forbid_unknown_fields=True):
...     name: str
...     speed: float = 1.0
>>> path = pathlib.Path(tempfile.mkdtemp()) / "pumps.toml"
>>> _ = path.write_text('name = "p1"\\nspeed = "fast"')
>>> Document(path).convert(Pump)
Traceback (most recent call last):
    ...
citytwin.errors.ConfigError: ...pumps.toml:2: field "speed": expected a number, got a text
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from citytwin.errors import CityTwinError, ConfigError

FILE_BYTES_MAX: Final = 8 * 1024 * 1024
"""A gateway with ten thousand points has a file of about 2 MiB."""

T = TypeVar("T")
At = tuple[str | int, ...]

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"))*)\s*=""")
_PART: Final = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_PATH: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\.\.\.\]")
_REPORT: Final = re.compile(r"(.*?)(?: - at `(?:key in )?\$(.*)`)?$", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_TYPES: Final = (
    ("Expected `", "expected "),
    ("`, got `", ", got "),
    ("float | null", "a number"),
    ("int | null", "a whole number"),
    ("str | null", "a text"),
    ("object | null", "a table { … }"),
    ("array | null", "a list [ … ]"),
    ("float", "a number"),
    ("int", "a whole number"),
    ("str", "a text"),
    ("bool", "true or false"),
    ("array", "a list [ … ]"),
    ("object", "a table { … }"),
)


class Document:
    """One TOML file: its data, and where each part of it stands."""

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            ConfigError: it cannot be read, is too large, is not UTF-8 or not TOML.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
        if len(raw) > FILE_BYTES_MAX:
            raise ConfigError(f"{path}: has over {FILE_BYTES_MAX} bytes")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise ConfigError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(_syntax(path, str(error))) from None
        self._lines = _line_map(text)

    def convert(self, kind: type[T], value: Any = None, at: At = ()) -> T:
        """Return the data, or a part of it that was found ``at`` some place, as a struct.

        Raises:
            ConfigError: the data does not fit; the text says where and what is allowed.
        """
        try:
            return msgspec.convert(self.data if value is None else value, kind, str_keys=True)
        except msgspec.ValidationError as error:
            raise self._explained(str(error), kind, at) from None
        except CityTwinError as error:
            raise self.error(str(error), at) from None

    def error(self, message: str, at: At = ()) -> ConfigError:
        """Return the error that says what is wrong at some place of the file."""
        where = "".join(f"{part}: " for part in [", ".join(self._words(at))] if part)
        return ConfigError(f"{self.path}:{self._line(at)}: {where}{message}")

    def _explained(self, report: str, kind: type[Any], at: At) -> ConfigError:
        message, path = _REPORT.match(report).groups()  # type: ignore[union-attr]  # matches anything
        place = (*at, *_parts(path or ""))
        if found := _UNKNOWN.match(message):
            name = found[1]
            near = difflib.get_close_matches(name, _fields(kind, place[len(at) :]), 1, 0.5)
            known = ", ".join(sorted(_fields(kind, place[len(at) :])))
            hint = f"did you mean {near[0]!r}?" if near else f"allowed are {known}"
            return self.error(f"is not known here; {hint}", (*place, name))
        if found := _MISSING.match(message):
            return self.error(f"field {found[1]!r} is missing", place)
        for technical, plain in _TYPES if message.startswith("Expected `") else ():
            message = message.replace(technical, plain)
        return self.error(message.replace("`", "").removesuffix("."), place)

    def _line(self, at: At) -> int:
        for length in range(len(at), 0, -1):
            if at[:length] in self._lines:
                return self._lines[at[:length]]
        return 1

    def _words(self, at: At) -> list[str]:
        """Return the place in words: the names of tables in lists, then the field."""
        words: list[str] = []
        value: Any = self.data
        for index, part in enumerate(at):
            known = isinstance(value, dict | list) and (
                part in value if isinstance(value, dict) else int(part) < len(value)
            )
            value = value[part] if known else None
            if isinstance(part, int) and isinstance(value, dict):
                name = value.get("name", f"number {part + 1}")
                words.append(f'{at[index - 1]} "{name}"')
            elif isinstance(part, str) and not isinstance(value, list) and index == len(at) - 1:
                words.append(f'{"table" if isinstance(value, dict) else "field"} "{part}"')
            elif isinstance(part, str) and isinstance(value, list) and _plain(value):
                words.append(f'field "{part}"')
        return words


def load(path: Path, kind: type[T]) -> T:
    """Return a whole file as a struct.

    Raises:
        ConfigError: see :class:`Document`.
    """
    return Document(path).convert(kind)


def _plain(values: list[Any]) -> bool:
    return not any(isinstance(value, dict) for value in values)


def _syntax(path: Path, message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)|\(at end of document\)", message)
    if found and found[1]:
        words = message[: found.start()].strip()
        return f"{path}:{found[1]}: is not TOML at column {found[2]}: {words}"
    return f"{path}: is not TOML: {message}"


def _parts(path: str) -> At:
    return tuple(
        int(found[2]) if found[2] else found[1]
        for found in _PATH.finditer(path)
        if found[1] or found[2]
    )


def _fields(kind: Any, path: At) -> list[str]:
    """Return the names that the struct at a path below ``kind`` knows."""
    info = msgspec.inspect.type_info(kind)
    for part in path:
        info = _below(info, part)
    info = _struct_in(info)
    return [field.encode_name for field in getattr(info, "fields", ())]


def _below(info: Any, part: str | int) -> Any:
    info = _struct_in(info)
    if isinstance(part, int):
        return getattr(info, "item_type", None)
    for field in getattr(info, "fields", ()):
        if field.encode_name == part:
            return field.type
    return getattr(info, "value_type", None)


def _struct_in(info: Any) -> Any:
    """Return the one alternative of a union that has fields or items."""
    for option in getattr(info, "types", ()):
        if hasattr(option, "fields") or hasattr(option, "item_type"):
            return option
    return info


def _line_map(text: str) -> dict[At, int]:
    """Return the line of every table header and key."""
    lines: dict[At, int] = {}
    counts: dict[At, int] = {}
    table: At = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _table(_names(header[2]), header[1] == "[[", counts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            names = _names(key[1])
            for length in range(1, len(names) + 1):
                lines.setdefault((*table, *names[:length]), number)
    return lines


def _names(text: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(text)]


def _table(names: list[str], in_list: bool, counts: dict[At, int]) -> At:
    """Return the path of a table header; each list on the way stands for its last table."""
    path: At = ()
    for index, name in enumerate(names):
        path = (*path, name)
        if in_list and index == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
