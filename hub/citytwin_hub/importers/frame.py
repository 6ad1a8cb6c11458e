"""Frame: what every importer is given and yields: records, refusals and notes, one after another.

An importer is a module with ``read(settings) -> Iterator[Found]``. It reads a file as far as it is
taken from, knows nothing of HTTP or of the store, and goes on behind what it must refuse. Only when
the file as a whole cannot be read it raises ``SourceError``.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from citytwin.errors import CityTwinError
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.jsonld.processing import CORE

FILE_BYTES_MAX: Final = 4 * 2**30
"""Of a file; larger ones are cut by district first."""
SOURCE: Final = CORE.expand("source")
SOURCE_ID: Final = CORE.expand("sourceId")
GIVES: Final = CORE.expand("gives")
"""Part of ``source``: names of the attributes that the source gave last time."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_TERM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


class SourceError(CityTwinError):
    """A file, or its mapping, cannot be read as a whole; the sentence says what to do."""


class Record(NamedTuple):
    """A city object of a source.

    Attributes:
        source_id: its identifier there.
        entity: what the source says of it.
        where: in the file it stands.
        aliases: systems, and what they call it.
    """

    source_id: str
    entity: Entity
    where: str
    aliases: tuple[tuple[str, str], ...] = ()


class Refusal(NamedTuple):
    """What was not taken.

    Attributes:
        where: file, and line or feature.
        field: of what; empty: of the whole.
        reason: a sentence.
        remedy: what to do.
        source_id: whose, where that is known: it has not vanished from the source.
        kind: of that object.
        whole: whether the object did not come at all, or only without this field.
    """

    where: str
    field: str
    reason: str
    remedy: str
    source_id: str = ""
    kind: str = ""
    whole: bool = True


class Note(NamedTuple):
    """Something about the whole file that the reader of the report should know."""

    text: str


Found = Record | Refusal | Note


@dataclass(frozen=True, slots=True)
class Settings:
    """What an import was asked for.

    Attributes:
        path: the file or folder.
        source: the name of the source system; part of every URN.
        crs: of the file, such as ``EPSG:32643``; empty: what the file says.
        mapping: the mapping file; None: none was given.
    """

    path: Path
    source: str
    crs: str = ""
    mapping: Path | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its module, the libraries it needs, and what it is."""

    module: str
    needs: tuple[str, ...]
    words: str


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "epanet": Format("epanet", ("wntr",), "EPANET network, INP"),
        "swmm": Format("swmm", ("swmm_api",), "SWMM drainage network, INP"),
        "vector": Format("vector", ("pyogrio",), "GeoJSON, GeoPackage or Shapefile, mapping file"),
        "csv": Format("register", (), "register as CSV, mapping file"),
        "gtfs": Format("gtfs", (), "timetables' stops, routes and shapes, ZIP or folder"),
        "cityjson": Format(
            "cityjson", (), "CityJSON or CityJSONSeq: buildings in three dimensions"
        ),
        "pandapower": Format(
            "pandapower", (), "power, heat or gas network of pandapower, pandapipes"
        ),
        "sumo": Format("sumo", ("sumolib",), "SUMO road network, .net.xml"),
        "osm": Format("osm", ("osmium",), "OpenStreetMap, PBF or XML"),
        "ifc": Format("ifc", ("ifcopenshell",), "IFC building model: site, buildings, storeys"),
        "dem": Format("dem", ("rasterio",), "terrain model: elevations of objects that are there"),
    }
)


def importer(name: str) -> Callable[[Settings], Iterator[Found]]:
    """Return the ``read`` of a format.

    Raises:
        SourceError: a library that it needs is not installed.
    """
    read: Callable[[Settings], Iterator[Found]] = importlib.import_module(
        f"citytwin_hub.importers.{FORMATS[name].module}"
    ).read
    for needed in FORMATS[name].needs:
        library(needed)
    return read


def library(name: str) -> ModuleType:
    """Return a library of the extra ``import``.

    Raises:
        SourceError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SourceError(
            f"this format needs the library {name} ({error}); install citytwin-hub[import]"
        ) from None


def check(settings: Settings, name: str) -> None:
    """Refuse what cannot be meant before anything is read.

    Raises:
        SourceError: no such file, one that is too large, or a source name that fits no URN.
    """
    if not _NAME.fullmatch(settings.source):
        raise SourceError(
            f"--source {settings.source!r} is no name: small letters, digits, . _ - (at most 63)"
        )
    if not settings.path.exists():
        raise SourceError(f"there is no file {settings.path}")
    if settings.path.is_file():
        check_size(
            settings.path, FILE_BYTES_MAX, "cut it by area and import each part as its own source"
        )
    if settings.mapping is not None and name not in {"vector", "csv"}:
        raise SourceError(f"format {name} takes no --mapping: it says itself what is what")


def check_size(path: Path, bytes_max: int, remedy: str) -> None:
    """Refuse a file that is larger than its reader can hold.

    Raises:
        SourceError: it is, or it cannot be looked at.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    if size > bytes_max:
        raise SourceError(
            f"{path} has {size} bytes, and at most {bytes_max} of this format are read; {remedy}"
        )


def urn(source: str, source_id: str, kind: str) -> str:
    """Return the URN of an object of a source: the one place where that is worked out.

    >>> urn("vodokanal", "P 17", "Pipe")
    'urn:ngsi-ld:Pipe:vodokanal:P%2017'
    """
    return f"urn:ngsi-ld:{kind}:{source}:{quote(source_id, safe='-._~')}"


def is_term(name: str) -> bool:
    """Tell whether a name can be that of a type or an attribute."""
    return bool(_TERM.fullmatch(name))


class Draft:
    """An entity in the making; what has no value is left out."""

    def __init__(self, settings: Settings, kind: str, source_id: str, where: str) -> None:
        """Begin an object of a class."""
        self._source, self._kind, self.source_id, self.where = (
            settings.source, kind, source_id, where,
        )  # fmt: skip
        self._attributes: dict[str, Attribute] = {}
        self._names: list[str] = []
        self._types = [kind]
        self._aliases: list[tuple[str, str]] = []

    def also(self, kind: str) -> Draft:
        """Let it be of a further type."""
        self._types.append(kind)
        return self

    def value(self, name: str, value: Any, unit: str = "") -> Draft:
        """Give a Property; None, an empty text and what is no finite number are no value.

        Args:
            name: a term.
            value: JSON.
            unit: UN/CEFACT code.
        """
        value = plain(value)
        if value is None or value == "":
            return self
        return self._put(name, Attribute(kind=AttributeKind.PROPERTY, value=value, unit_code=unit))

    def texts(self, name: str, texts: Mapping[str, str]) -> Draft:
        """Give a LanguageProperty: texts by language."""
        said = {tag: text for tag, text in texts.items() if text}
        if said:
            self._put(name, Attribute(kind=AttributeKind.LANGUAGE, value=said))
        return self

    def geometry(self, geometry: Mapping[str, Any] | None, name: str = "location") -> Draft:
        """Give a GeoProperty: GeoJSON in degrees, WGS 84."""
        if geometry:
            self._put(name, Attribute(kind=AttributeKind.GEO, value=geometry))
        return self

    def json(self, name: str, value: Any) -> Draft:
        """Give a JsonProperty: an object or a list of objects, as they are."""
        if value:
            self._put(name, Attribute(kind=AttributeKind.JSON, value=value))
        return self

    def tie(self, name: str, *targets: tuple[str, str]) -> Draft:
        """Give a Relationship to objects of the same source: class and identifier of each."""
        urns = [urn(self._source, source_id, kind) for kind, source_id in targets if source_id]
        if urns:
            value = urns[0] if len(urns) == 1 else urns
            self._put(name, Attribute(kind=AttributeKind.RELATIONSHIP, value=value))
        return self

    def alias(self, system: str, name: str) -> Draft:
        """Say what another system calls it: the hub joins what it knows under that name."""
        if system and name:
            self._aliases.append((system, name))
        return self

    def record(self) -> Record:
        """End it, with where it comes from."""
        gives = Attribute(kind=AttributeKind.PROPERTY, value=sorted(self._names))
        head = {
            SOURCE: Attribute(
                kind=AttributeKind.PROPERTY, value=self._source, parts={GIVES: (gives,)}
            ),
            SOURCE_ID: Attribute(kind=AttributeKind.PROPERTY, value=self.source_id),
        }
        entity = Entity(
            id=urn(self._source, self.source_id, self._kind),
            types=tuple(CORE.expand(kind) for kind in dict.fromkeys(self._types)),
            attributes={name: (one,) for name, one in (self._attributes | head).items()},
        )
        return Record(self.source_id, entity, self.where, tuple(dict.fromkeys(self._aliases)))

    def _put(self, name: str, attribute: Attribute) -> Draft:
        if name not in self._names:
            self._names.append(name)
        self._attributes[CORE.expand(name)] = attribute
        return self


def plain(value: Any) -> Any:
    """Return a value of a library as JSON's: numpy's numbers as Python's; NaN is None."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.strip() if isinstance(value, str) else value
