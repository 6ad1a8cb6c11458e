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
citytwin.errors.ConfigError: ...pumps.toml:2: field "speed": expected a number, got the text "fast"
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from citytwin.config_words import allowed, below, fields, in_words
from citytwin.errors import CityTwinError, ConfigError
from citytwin.toml_lines import At, line_map

__all__ = ["FILE_BYTES_MAX", "At", "Document", "load"]

FILE_BYTES_MAX: Final = 8 * 1024 * 1024
"""A gateway with ten thousand points has a file of about 2 MiB."""
WHOLE_MAX: Final = 2**63 - 1
"""What TOML promises of whole numbers."""

T = TypeVar("T")

_PATH: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\.\.\.\]")
_REPORT: Final = re.compile(r"(.*?)(?: - at `(?:key in )?\$(.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_SECRET: Final = re.compile(r"password|passphrase|secret|token|key")
"""Fields whose values are in no message: it goes into logs, and to the hub."""
_TYPE: Final = ("Expected `", "Invalid enum value")


class Document:
    """One TOML file: its data, and where each part of it stands."""

    def __init__(self, path: Path, raw: bytes | None = None) -> None:
        """Read a file, or take ``raw``, which is to be put there.

        Raises:
            ConfigError: it cannot be read, is too large, is not UTF-8 or not TOML.
        """
        self.path = path
        self.raw = _bytes(path) if raw is None else raw
        self._text = _text(path, self.raw)
        try:
            self.data: dict[str, Any] = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(_syntax(path, self._text, str(error))) from None
        except RecursionError:
            raise ConfigError(f"{path}: lists or tables are nested too deeply") from None
        for at, value in _leaves(self.data, ()):
            if value != value:  # noqa: PLR0124  # only NaN differs from itself
                raise self.error("nan is not allowed; give a number", at)
            if isinstance(value, int) and abs(value) > WHOLE_MAX:
                raise self.error(f"a whole number has at most {WHOLE_MAX}", at)

    def convert(
        self, kind: type[T], value: Any = None, at: At = (), *, also: Sequence[str] = ()
    ) -> T:
        """Return the data, or a part of it that was found ``at`` some place, as a struct.

        Fields that ``kind`` itself does not know are left out unless it forbids them; inside of it
        nothing unknown is allowed. ``also`` are fields that other structs know at the same place.

        Raises:
            ConfigError: the data does not fit; the text says where and what is allowed.
        """
        value = self.data if value is None else value
        info = _type_info(kind)
        for place, problem in _surplus(info, value, (), is_top=True):
            raise self.error(problem, (*at, *place))
        try:
            return msgspec.convert(value, kind, str_keys=True)
        except msgspec.ValidationError as error:
            raise self._explained(str(error), info, value, at, also) from None
        except OverflowError:
            raise self.error("a number is too large", at) from None
        except CityTwinError as error:
            raise self.error(str(error), at) from None

    def error(self, message: str, at: At = ()) -> ConfigError:
        """Return the error that says what is wrong at some place of the file."""
        words = ", ".join(self._words(at))
        return ConfigError(f"{self.path}:{self.line(at)}: {words}{': ' if words else ''}{message}")

    def line(self, at: At) -> int:
        """Return the line on which a place, or else what is around it, stands."""
        for length in range(len(at), 0, -1):
            if at[:length] in self._lines:
                return self._lines[at[:length]]
        return 1

    def unique(self, names: list[str], at: At, field: str = "name") -> None:
        """Refuse a list of tables ``at`` some place whose ``field`` says the same twice."""
        seen: dict[str, int] = {}
        for index, name in enumerate(names):
            if name in seen:
                line = self.line((*at, seen[name], field))
                raise self.error(
                    f'"{name}" is the {field} on line {line} already; each needs its own',
                    (*at, index, field),
                )
            seen[name] = index

    @functools.cached_property
    def _lines(self) -> dict[At, int]:
        """Made when something is wrong; a good file starts quickly."""
        return line_map(self._text)

    def _explained(
        self, report: str, info: Any, value: Any, at: At, also: Sequence[str]
    ) -> ConfigError:
        found = _REPORT.fullmatch(report)
        assert found is not None, "it matches anything"
        message, inside = found[1], _parts(found[2] or "")
        place = (*at, *inside)
        for part in inside:
            info, value = below(info, part), _at(value, part)
        if found[2] and found[2].endswith("[...]") and isinstance(value, dict):
            seen = ", ".join(f"{name} = {in_words(one)}" for name, one in value.items())
            return self.error(
                f"expected {allowed(info)}, got {{ {seen[:SHOWN_CHARS_MAX]} }}", place
            )
        if unknown := _UNKNOWN.fullmatch(message):
            known = [*fields(info), *(() if inside else also)]
            return self.error(_unknown(unknown[1], known), (*place, unknown[1]))
        if missing := _MISSING.fullmatch(message):
            wanted = allowed(below(info, missing[1]))
            return self.error(f'field "{missing[1]}" is missing: {wanted}', place)
        if message.startswith(_TYPE):
            secret = bool(place) and _SECRET.search(str(place[-1])) is not None
            message = f"expected {allowed(info)}, got {'…' if secret else in_words(value)}"
        elif isinstance(value, dict):
            place = (*place, *_mentioned(message, [name for name in fields(info) if name in value]))
        return self.error(message.removesuffix("."), place)

    def _words(self, at: At) -> list[str]:
        """Return the place in words: the names of tables in lists, then the field."""
        words: list[str] = []
        value: Any = self.data
        for index, part in enumerate(at):
            value = _at(value, part)
            if isinstance(part, int):
                if isinstance(value, dict):
                    name = value.get("name")
                    called = f'"{name}"' if isinstance(name, str) else f"number {part + 1}"
                    words.append(f"{at[index - 1]} {called}")
                else:
                    words.append(f"value {part + 1}")
            elif isinstance(value, dict):
                words.append(f'table "{part}"')
            elif not (isinstance(value, list) and value and isinstance(value[0], dict)):
                words.append(f'field "{part}"')
            elif index == len(at) - 1:
                words.append(f"[[{part}]]")
        return words


def load(path: Path, kind: type[T]) -> T:
    """Return a whole file as a struct.

    Raises:
        ConfigError: see :class:`Document`.
    """
    return Document(path).convert(kind)


SHOWN_CHARS_MAX: Final = 200
"""Of a table with something wrong in it."""
_type_info: Final[Callable[[Any], Any]] = functools.cache(msgspec.inspect.type_info)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None


def _text(path: Path, raw: bytes) -> str:
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: has over {FILE_BYTES_MAX} bytes")
    try:
        # Some editors begin a file with a mark of its encoding.
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None


def _syntax(path: Path, text: str, message: str) -> str:
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)", message)
    words = message[: found.start()] if found else message
    if found and found[1]:
        return f"{path}:{found[1]}: is not TOML at column {found[2]}: {words}"
    line = text.rstrip("\n").count("\n") + 1
    return f"{path}:{line}: is not TOML, the file ends too soon: {words}"


def _mentioned(message: str, names: Sequence[str]) -> Sequence[str]:
    """Return the field that a message names first, so that its line can be told; else nothing."""
    found = [(match.start(), name) for name in names
             if (match := re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", message))]  # fmt: skip
    return [min(found)[1]] if found else []


def _unknown(name: str, known: list[str]) -> str:
    import difflib  # for mistakes only; a gateway never needs it once it runs

    near = difflib.get_close_matches(name, known, 1, 0.6)
    hint = f'did you mean "{near[0]}"?' if near else f"allowed are {', '.join(sorted(known))}"
    return f"is not known here; {hint}"


def _surplus(info: Any, value: Any, at: At, *, is_top: bool) -> Iterator[tuple[At, str]]:
    """Yield places and words of what structs below ``info`` would silently leave out."""
    if isinstance(value, dict):
        known = fields(info)
        for name, inner in value.items():
            if known and name not in known and not is_top:
                yield (*at, name), _unknown(name, known)
            elif isinstance(inner, dict | list):
                yield from _surplus(below(info, name), inner, (*at, name), is_top=False)
    elif isinstance(value, list):
        known = fields(info)
        if known and len(value) > len(known):
            yield at, f"expected {allowed(info)}, got {in_words(value)}"
        for index, inner in enumerate(value):
            if isinstance(inner, dict | list):
                yield from _surplus(below(info, index), inner, (*at, index), is_top=False)


def _leaves(value: Any, at: At) -> Iterator[tuple[At, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*at, index))
    else:
        yield at, value


def _at(value: Any, part: str | int) -> Any:
    """Return what stands at a key or index; None when nothing does."""
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _parts(path: str) -> At:
    return tuple(
        int(found[2]) if found[2] else found[1]
        for found in _PATH.finditer(path)
        if found[1] or found[2]
    )
