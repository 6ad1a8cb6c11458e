"""Mapping: a TOML file that says what the rows or features of a source are in the city.

Every field is in docs/guides/import.md. ``read`` checks the file; ``mapped`` makes one row an
object, or says what is wrong with it.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from citytwin_hub.importers.frame import (
    Draft,
    Found,
    Refusal,
    Settings,
    SourceError,
    is_term,
    plain,
)

OBJECTS_MAX: Final = 100
"""Tables [[object]] of one file."""
FILE_BYTES_MAX: Final = 2**20
ALIASES_MAX: Final = 10
NAME_MAX: Final = 400
"""Characters of a system, and of what it calls an object."""
_TRUE: Final = frozenset({"true", "yes", "1", "t", "y", "да", "иә", "ия", "истина"})
_FALSE: Final = frozenset({"false", "no", "0", "f", "n", "нет", "жоқ", "ложь"})

Kind = Literal["number", "text", "boolean", "date", "texts"]


class AttributeMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an attribute is made of."""

    column: str = ""
    columns: dict[str, str] = {}
    kind: Kind = "text"
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    values: dict[str, Any] = {}
    missing: tuple[str, ...] = ()
    constant: Any = None
    required: bool = False


class RelationMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an object is tied to: the class and, in a column, the identifier of the other."""

    column: str
    type: str
    separator: str = ""
    required: bool = False


class ObjectMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What rows or features of one layer are."""

    type: str
    id: str | list[str]
    layer: str = ""
    only: dict[str, list[str]] = {}
    lon: str = ""
    lat: str = ""
    wkt: str = ""
    attributes: dict[str, AttributeMap] = {}
    relations: dict[str, RelationMap] = {}
    aliases: dict[str, str] = {}


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping file."""

    object: list[ObjectMap]
    crs: str = ""
    encoding: str = ""
    delimiter: str = ""
    decimal: Literal[".", ","] = "."


def read(path: Path | None, columns: Callable[[], str]) -> Rules:
    """Return a mapping file, checked.

    Args:
        path: where it is.
        columns: says what there is to be mapped, for the error where there is no file.

    Raises:
        SourceError: there is none, or something in it cannot be meant.
    """
    if path is None:
        raise SourceError(
            f"this format needs --mapping FILE.toml, which says what is what; there is {columns()}"
        )
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise SourceError(f"{path} has over {FILE_BYTES_MAX} bytes; it cannot be a mapping")
        with path.open("rb") as file:
            found = msgspec.convert(tomllib.load(file), Rules)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SourceError(f"{path}: {error}; every field is in docs/guides/import.md") from None
    if not 0 < len(found.object) <= OBJECTS_MAX:
        raise SourceError(f"{path} needs 1 to {OBJECTS_MAX} tables [[object]]")
    for number, one in enumerate(found.object, 1):
        wrong = _wrong(one)
        if wrong:
            raise SourceError(f"{path}: [[object]] {number}: {wrong}")
    return found


def _wrong(one: ObjectMap) -> str:
    names = [one.type, *one.attributes, *one.relations, *(r.type for r in one.relations.values())]
    for name in names:
        if not is_term(name):
            return f"{name!r} cannot name a type or attribute: letters and digits, a letter first"
    if not one.id:
        return "id names no column"
    if len(one.aliases) > ALIASES_MAX or not all(map(_is_system, one.aliases)):
        return f"aliases has at most {ALIASES_MAX} systems, each of 1 to {NAME_MAX} characters"
    if bool(one.lon) != bool(one.lat):
        return "lon and lat go together"
    for name, made in one.attributes.items():
        given = bool(made.column) + bool(made.columns) + (made.constant is not None)
        if given != 1:
            return f"attribute {name} needs exactly one of column, columns and constant"
        if (made.kind == "texts") != bool(made.columns):
            return f"attribute {name}: kind texts and columns go together"
        if name in {"id", "type", "source", "sourceId", "location", "scope"}:
            return f"attribute {name} is the importer's own; choose another name"
    return ""


def _is_system(name: str) -> bool:
    return 0 < len(name) <= NAME_MAX


def check_columns(one: ObjectMap, there: list[str], where: str) -> None:
    """Refuse a mapping that names columns which are not there.

    Raises:
        SourceError: names them, and those that there are.
    """
    wanted = [*ids_of(one), *one.only, one.lon, one.lat, one.wkt]
    for made in one.attributes.values():
        wanted += [made.column, *made.columns.values()]
    wanted += [made.column for made in one.relations.values()]
    wanted += one.aliases.values()
    gone = [name for name in dict.fromkeys(wanted) if name and name not in there]
    if gone:
        raise SourceError(
            f"{where} has no column {', '.join(map(repr, gone))}, which the mapping names; it has "
            f"{', '.join(there)[:1000]}"
        )


def ids_of(one: ObjectMap) -> list[str]:
    """Return the columns whose values make the identifier."""
    return [one.id] if isinstance(one.id, str) else one.id


def is_meant(one: ObjectMap, row: Mapping[str, Any]) -> bool:
    """Tell whether a row is one of those that a table is for."""
    return all(_text(row.get(name)) in wanted for name, wanted in one.only.items())


def mapped(
    settings: Settings,
    rules: Rules,
    one: ObjectMap,
    row: Mapping[str, Any],
    where: str,
    geometry: Mapping[str, Any] | None,
) -> Iterator[Found]:
    """Yield the object of a row, or why there is none, and what it came without."""
    parts = [_text(row.get(name)) for name in ids_of(one)]
    if not all(parts):
        empty = ids_of(one)[parts.index("")]
        yield Refusal(where, empty, "it is empty, so the object has no id", "fill it in")
        return
    source_id = "-".join(parts)
    draft = Draft(settings, one.type, source_id, where).geometry(geometry)
    for name, made in one.attributes.items():
        reason = _give(draft, name, made, row, rules.decimal)
        if reason:
            column = made.column or ", ".join(made.columns.values())
            yield Refusal(
                where, column, reason, "correct it, or add to values or missing of the mapping",
                source_id, one.type, whole=made.required,
            )  # fmt: skip
            if made.required:
                return
    for name, tie in one.relations.items():
        told = _text(row.get(tie.column))
        several = told.split(tie.separator) if tie.separator else [told]
        targets = [(tie.type, text.strip()) for text in several if text.strip()]
        if tie.required and not targets:
            yield Refusal(
                where, tie.column, "it is empty, and the relation is required", "fill it in",
                source_id, one.type,
            )  # fmt: skip
            return
        draft.tie(name, *targets)
    for system, column in one.aliases.items():
        told = _text(row.get(column))
        if len(told) > NAME_MAX:
            yield Refusal(
                where, column, f"a name has at most {NAME_MAX} characters", "correct it",
                source_id, one.type, whole=False,
            )  # fmt: skip
        else:
            draft.alias(system, told)
    yield draft.record()


def _text(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _give(draft: Draft, name: str, made: AttributeMap, row: Mapping[str, Any], decimal: str) -> str:
    """Give an attribute; return what is wrong with its value."""
    if made.constant is not None:
        draft.value(name, made.constant, made.unit)
        return ""
    if made.columns:
        draft.texts(name, {tag: _text(row.get(one)) for tag, one in made.columns.items()})
        return ""
    given = plain(row.get(made.column))
    text = _text(given)
    if not text or text in made.missing:
        return f"it is {text!r}, and the attribute is required" if made.required else ""
    if text in made.values:
        draft.value(name, made.values[text], made.unit)
        return ""
    value, reason = _READERS[made.kind](given, text, decimal)
    if reason:
        return reason
    if made.kind == "number" and (made.scale, made.offset) != (1.0, 0.0):
        value = float(f"{value * made.scale + made.offset:.12g}")
    draft.value(name, value, made.unit)
    return ""


def _number(given: Any, text: str, decimal: str) -> tuple[Any, str]:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return given, ""
    compact = text.replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
    try:
        value = float(compact.replace(",", ".") if decimal == "," else compact)
    except ValueError:
        return None, f"{text[:60]!r} is no number"
    if plain(value) is None:
        return None, f"{text[:60]!r} is no finite number"
    return value, ""


def _boolean(given: Any, text: str, _decimal: str) -> tuple[Any, str]:
    if isinstance(given, bool):
        return given, ""
    low = text.lower()
    if low in _TRUE or low in _FALSE:
        return low in _TRUE, ""
    return None, f"{text[:60]!r} is neither yes nor no"


def _date(given: Any, text: str, _decimal: str) -> tuple[Any, str]:
    if isinstance(given, datetime.datetime | datetime.date):
        return given.isoformat(), ""
    try:
        if len(text) == 10 and text[2] == text[5] == ".":
            text = f"{text[6:]}-{text[3:5]}-{text[:2]}"
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None, f"{text[:60]!r} is no date such as 2026-11-26 or 26.11.2026"
    return text if len(text) == 10 else moment.isoformat(), ""


def _plain_text(given: Any, text: str, _decimal: str) -> tuple[Any, str]:
    if isinstance(given, datetime.datetime | datetime.date):
        return given.isoformat(), ""
    return text, ""


_READERS: Final[dict[Kind, Callable[[Any, str, str], tuple[Any, str]]]] = {
    "number": _number,
    "text": _plain_text,
    "boolean": _boolean,
    "date": _date,
}
