"""Selecting: which features of a collection a request wants, and in which coordinates.

OGC API - Features - Part 1 (17-069r4, 7.15), Part 2 (18-058r1) and Part 3 (19-079r2). The store is
asked by type and box; what it does not rule out is looked at one by one and never kept, so that a
request costs memory for its page alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import shapely

from citytwin_hub.apis.ogc import cql2_text, crs, filters
from citytwin_hub.apis.ogc.calls import Ask, Parameter
from citytwin_hub.apis.ogc.features import LOCATION, Feature
from citytwin_hub.apis.ogc.filters import Filter
from citytwin_hub.apis.ogc.naming import short
from citytwin_hub.entities.errors import BadRequestData, InvalidRequest
from citytwin_hub.entities.moments import parse_ns
from citytwin_hub.entities.store import Box, Hints

COORDINATE_MAX: Final = 1e9
"""Of a box, in metres or degrees: more than any place has."""
SAMPLE: Final = 200
"""Features of a collection by which its properties are told."""
ALWAYS: Final = frozenset({"id", "createdAt", "modifiedAt", "types"}) | filters.GEOMETRY

BBOX: Final = Parameter(
    "bbox",
    "Only features whose geometry touches this box: west, south, east, north (or with heights).",
    {"type": "array", "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
     "items": {"type": "number"}},
    explode=False,
)  # fmt: skip
BBOX_CRS: Final = Parameter(
    "bbox-crs", "The system of bbox.", {"type": "string", "format": "uri", "default": crs.CRS84}
)
DATETIME: Final = Parameter(
    "datetime",
    "Only features that were last modified at a moment, or between two: 2026-11-26T00:00:00Z/..",
)
FILTER: Final = Parameter("filter", "Only features that pass this CQL2 expression.")
FILTER_LANG: Final = Parameter(
    "filter-lang",
    "How filter is written.",
    {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"},
)
FILTER_CRS: Final = Parameter(
    "filter-crs", "The system of filter.", {"type": "string", "format": "uri", "default": crs.CRS84}
)
LANG: Final = Parameter("lang", "The languages of texts, the most wanted first: kk,ru;q=0.5.")
CHOICES: Final = (BBOX, BBOX_CRS, DATETIME, FILTER, FILTER_LANG, FILTER_CRS, LANG)
"""What chooses features, wherever they are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which features of a collection (immutable).

    Attributes:
        type: the IRI of the collection's type.
        area: a shapely geometry that they touch; None: anywhere.
        first_ns, last_ns: when they were last modified; None: no such end.
        filter: what they pass; None: nothing is asked.
        equal: properties and the texts that they have.
    """

    type: str
    area: Any = None
    first_ns: int | None = None
    last_ns: int | None = None
    filter: Filter | None = None
    equal: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_all(self) -> bool:
        """Whether every feature of the collection is chosen."""
        nothing = self.area is None and self.filter is None and not self.equal
        return nothing and self.first_ns is None and self.last_ns is None

    @property
    def names(self) -> set[str]:
        """The properties by which features are chosen."""
        return set(self.equal) | (self.filter.names if self.filter is not None else set())

    def hints(self, after: str = "") -> Hints:
        """Return what a store may leave out."""
        box = self.filter.box if self.filter is not None else None
        if self.area is not None:
            box = Box(LOCATION, *self.area.bounds)
        return Hints(types=[self.type], box=box, after=after)

    def takes(self, feature: Feature) -> bool:
        """Tell whether a feature of the collection is chosen."""
        modified_ns = feature.entity.modified_ns
        if self.first_ns is not None and modified_ns < self.first_ns:
            return False
        if self.last_ns is not None and modified_ns > self.last_ns:
            return False
        if self.area is not None:
            geometry = feature.geometry
            if geometry is None or not self.area.intersects(geometry):
                return False
        if not all(_is(feature.value(name), text) for name, text in self.equal.items()):
            return False
        return self.filter is None or self.filter.passes(feature)


def chosen(ask: Ask, choice: Choice, after: str = "") -> Generator[Feature, None, None]:
    """Yield the features that are chosen, in the order of their creation; ``after``: behind one."""
    for entity in ask.tenant.entities.select(choice.hints(after)):
        feature = Feature(entity, ask.languages)
        if choice.takes(feature):
            yield feature


def choice_of(ask: Ask, iri: str, known: Collection[str]) -> Choice:
    """Return what a request chooses from a collection.

    Args:
        ask: the request.
        iri: the collection's type.
        known: names of parameters that choose nothing.

    Raises:
        BadRequestData, InvalidRequest: a parameter is wrong.
    """
    given = ask.given
    first_ns, last_ns = _interval(given.get("datetime"))
    expression = _filter(given)
    mine = {one.name for one in CHOICES} | set(known)
    equal = {name: text for name, text in given.items() if name not in mine}
    names = set(equal) | (expression.names if expression is not None else set())
    _check_names(ask, iri, names - ALWAYS)
    return Choice(
        type=iri,
        area=_area(given),
        first_ns=first_ns,
        last_ns=last_ns,
        filter=expression,
        equal=equal,
    )


def queryables(ask: Ask, iri: str) -> dict[str, set[str]]:
    """Return the properties of a collection with the JSON types of their values, by a sample."""
    found: dict[str, set[str]] = {}
    for number, entity in enumerate(ask.tenant.entities.select(Hints(types=[iri]))):
        if number == SAMPLE:
            break
        for name, value in Feature(entity, ask.languages).properties.items():
            found.setdefault(name, set()).add(json_type(value))
    return found


def json_type(value: Any) -> str:
    """Return the name of a JSON value's type."""
    match value:
        case bool():
            return "boolean"
        case None:
            return "null"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _check_names(ask: Ask, iri: str, names: set[str]) -> None:
    unknown = names - queryables(ask, iri).keys() if names else names
    if unknown:
        # Something that few features have may not be in the sample.
        everywhere = {short(one) for one in ask.tenant.entities.store.attributes()} | set(
            ask.tenant.entities.store.attributes()
        )
        unknown = {one for one in unknown if one.partition(".")[0] not in everywhere} - everywhere
    if unknown:
        raise InvalidRequest(
            f"{min(unknown)[:80]!r} is neither a parameter nor a property; see the queryables of "
            "this collection"
        )


def _filter(given: Mapping[str, str]) -> Filter | None:
    text, lang = given.get("filter"), given.get("filter-lang", "cql2-text")
    system = crs.system(given.get("filter-crs", crs.CRS84), "filter-crs")
    if lang not in ("cql2-text", "cql2-json"):
        raise BadRequestData(f"filter-lang {lang[:80]!r} is neither cql2-text nor cql2-json")
    if text is None:
        return None
    if lang == "cql2-text":
        return filters.compiled(cql2_text.parse(text), system)
    try:
        return filters.compiled(msgspec.json.decode(text), system)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequestData(f"filter is not JSON: {error}") from None


def _area(given: Mapping[str, str]) -> Any:
    system = crs.system(given.get("bbox-crs", crs.CRS84), "bbox-crs")
    if "bbox" not in given:
        return None
    try:
        numbers = [float(part) for part in given["bbox"].split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, 6) or not all(abs(one) < COORDINATE_MAX for one in numbers):
        raise BadRequestData("bbox is four or six numbers with commas between")
    (west, south), (east, north) = numbers[:2], numbers[len(numbers) // 2 :][:2]
    first, last = (south, north) if system != crs.EPSG.format(4326) else (west, east)
    if first > last:
        raise BadRequestData("bbox: its south lies north of its north")
    if system == crs.CRS84 and west > east:  # over the antimeridian
        return shapely.union(_box(west, south, 180, north), _box(-180, south, east, north))
    if west > east or south > north:
        raise BadRequestData("bbox: its first corner lies behind its second")
    # With corners alone, the sides of a box in another system would be straight lines.
    box, side = _box(west, south, east, north), max(east - west, north - south)
    area = crs.transformed(shapely.segmentize(box, side / 16) if side else box, system, crs.CRS84)
    if not all(map(math.isfinite, area.bounds)):
        raise BadRequestData("bbox lies outside of its reference system")
    shapely.prepare(area)
    return area


def _box(west: float, south: float, east: float, north: float) -> Any:
    """Return a box, which may be flat or a point."""
    if west < east and south < north:
        return shapely.box(west, south, east, north)
    if west == east and south == north:
        return shapely.Point(west, south)
    return shapely.LineString([(west, south), (east, north)])


def _interval(text: str | None) -> tuple[int | None, int | None]:
    """Return the ends of ``datetime``: a moment or two, with ``..`` or nothing for open."""
    if text is None:
        return None, None
    start, slash, end = text.partition("/")
    first, last = _end(start, text), _end(end if slash else start, text)
    if first is None and (last is None or not slash):
        raise BadRequestData("datetime has no moment")
    if first is not None and last is not None and first > last:
        raise BadRequestData("datetime: its end lies before its beginning")
    return first, last


def _end(part: str, text: str) -> int | None:
    if part in ("", ".."):
        return None
    try:
        return parse_ns(part)
    except ValueError:
        raise BadRequestData(
            f"datetime {text[:80]!r} is neither a moment such as 2026-11-26T17:10:00Z nor two with "
            "a slash between"
        ) from None


def _is(value: Any, text: str) -> bool:
    """Tell whether a property is what a query parameter says."""
    if isinstance(value, list):
        return any(_is(one, text) for one in value)
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except ValueError:
            return False
    return isinstance(value, str) and value == text
