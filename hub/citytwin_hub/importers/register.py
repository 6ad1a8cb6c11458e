"""Register: city objects from a CSV file, by a mapping file; errors name line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any, Final

import shapely
from shapely.errors import ShapelyError

from citytwin_hub.importers import encodings, mapping, places
from citytwin_hub.importers.frame import Found, Note, Refusal, Settings, SourceError
from citytwin_hub.importers.mapping import ObjectMap, Rules

FIELD_CHARACTERS_MAX: Final = 4 * 2**20
SAMPLE_CHARACTERS: Final = 64 * 1024
COLUMNS_MAX: Final = 2000
_DELIMITERS: Final = ",;\t|"


def read(settings: Settings) -> Iterator[Found]:
    """Yield the objects of a register.

    Raises:
        SourceError: the file or its mapping cannot be read.
    """
    encoding = encodings.of_file(settings.path)
    rules = mapping.read(settings.mapping, lambda: _columns(settings, encoding))
    if rules.encoding:
        encoding = rules.encoding
    elif encodings.told(encoding):
        yield Note(encodings.told(encoding))
    projection = None
    if any(one.lon or one.wkt for one in rules.object):
        projection = places.Projection(settings.crs or rules.crs or places.WGS84)
    yield from _rows(settings, rules, encoding, projection)


def _columns(settings: Settings, encoding: str) -> str:
    with settings.path.open(encoding=encoding, newline="", errors="replace") as file:
        head: list[str] = next(_reader(file, ""), [])
    return f"a header with {', '.join(head)[:1000]}"


def _reader(file: Any, delimiter: str) -> Any:
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    start = file.read(SAMPLE_CHARACTERS)
    file.seek(0)
    first = start.partition("\n")[0]
    chosen = delimiter or max(_DELIMITERS, key=first.count)
    return csv.reader(file, delimiter=chosen, strict=True)


def _rows(
    settings: Settings, rules: Rules, encoding: str, projection: places.Projection | None
) -> Iterator[Found]:
    name = settings.path.name
    try:
        with settings.path.open(encoding=encoding, newline="") as file:
            reader = _reader(file, rules.delimiter)
            head = [one.strip() for one in next(reader, [])]
            if not head or len(head) > COLUMNS_MAX:
                raise SourceError(f"{name}:1 must be a header with 1 to {COLUMNS_MAX} columns")
            for one in rules.object:
                mapping.check_columns(one, head, f"{name}:1")
            for values in reader:
                line = reader.line_num
                if not any(values):
                    continue
                where = f"{name}:{line}"
                if len(values) != len(head):
                    yield Refusal(
                        where, "", f"it has {len(values)} fields, the header {len(head)}",
                        "put fields that hold the delimiter in quotes",
                    )  # fmt: skip
                    continue
                row = dict(zip(head, values, strict=True))
                for one in rules.object:
                    if mapping.is_meant(one, row):
                        yield from _row(settings, rules, one, row, where, projection)
    except (csv.Error, UnicodeError) as error:
        raise SourceError(
            f"{settings.path} cannot be read as CSV in {encoding}: {error}; say encoding and "
            "delimiter in the mapping file"
        ) from None
    except LookupError:
        raise SourceError(f"there is no encoding {encoding!r}; try utf-8, cp1251, kz1048") from None
    except OSError as error:
        raise SourceError(f"{settings.path} cannot be read: {error.strerror}") from None


def _row(
    settings: Settings,
    rules: Rules,
    one: ObjectMap,
    row: Mapping[str, Any],
    where: str,
    projection: places.Projection | None,
) -> Iterator[Found]:
    geometry, field, reason = _geometry(one, row, rules.decimal, projection)
    found = list(mapping.mapped(settings, rules, one, row, where, geometry))
    if reason and any(not isinstance(each, Refusal) for each in found):
        source_id = next(each.source_id for each in found if not isinstance(each, Note))
        yield Refusal(where, field, reason, "correct it", source_id, one.type, whole=False)
    yield from found


def _geometry(
    one: ObjectMap, row: Mapping[str, Any], decimal: str, projection: places.Projection | None
) -> tuple[Mapping[str, Any] | None, str, str]:
    """Return the geometry of a row, else the column and what is wrong with it, if anything is."""
    if one.wkt:
        text = str(row[one.wkt]).strip()
        if not text:
            return None, one.wkt, "there is no geometry"
        try:
            shape = shapely.from_wkt(text)
        except ShapelyError:
            return None, one.wkt, f"{text[:60]!r} is no geometry as WKT"
        geometry, reason = places.outline(shape, projection)
        return geometry, one.wkt, reason
    if not one.lon:
        return None, "", ""
    place = []
    for column in (one.lon, one.lat):
        text = str(row[column]).strip()
        try:
            place.append(float(text.replace(",", ".") if decimal == "," else text))
        except ValueError:
            return None, column, f"{text[:60]!r} is no coordinate"
    assert projection is not None
    found = projection.place(*place)
    if found is None:
        return None, one.lon, f"{place[0]:g}, {place[1]:g} lies nowhere on Earth"
    return places.point(found), "", ""
