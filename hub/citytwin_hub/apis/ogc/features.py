"""Features: an entity as a GeoJSON Feature (RFC 7946), with plain properties for a GIS.

The geometry is the entity's ``location``; every other attribute is a property by its short name:
its default instance's value, a text in the language that is wanted. Beside a value stand
``NAME.observedAt``, ``NAME.unitCode`` and, unless it is good, ``NAME.quality``. Instances with a
``datasetId`` (forecasts, simulations) are not among the properties: never shown as measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import numpy as np
import shapely
import shapely.geometry

from citytwin_hub.apis.ngsild.languages import Languages
from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.naming import short
from citytwin_hub.entities.bindings import QUALITY
from citytwin_hub.entities.geo import shape
from citytwin_hub.entities.model import Attribute, AttributeKind, Entity
from citytwin_hub.entities.moments import format_ns

LOCATION: Final = "https://uri.etsi.org/ngsi-ld/location"


class Feature:
    """An entity as whoever asks sees it."""

    def __init__(self, entity: Entity, languages: Languages) -> None:
        """Take an entity and the languages of its texts."""
        self.entity, self._languages = entity, languages

    @cached_property
    def properties(self) -> dict[str, Any]:
        """Its properties by name: JSON values."""
        entity = self.entity
        found: dict[str, Any] = {}
        for iri in entity.attributes:
            if iri != LOCATION and (one := entity.attribute(iri)) is not None:
                name = short(iri)
                found.update(self._shown(iri if name in found else name, one))
        found["createdAt"] = format_ns(entity.created_ns)
        found["modifiedAt"] = format_ns(entity.modified_ns)
        if len(entity.types) > 1:
            found["types"] = [short(one) for one in entity.types]
        return found

    def value(self, name: str) -> Any:
        """Return a property, or ``id``; None where there is none."""
        return self.entity.id if name == "id" else self.properties.get(name)

    @property
    def location(self) -> Any:
        """Its geometry as GeoJSON; None without one."""
        instances = self.entity.attributes.get(LOCATION, ())
        default = self.entity.attribute(LOCATION)
        one = default or next(iter(instances), None)
        return one.value if one is not None and one.kind is AttributeKind.GEO else None

    @cached_property
    def geometry(self) -> Any:
        """Its geometry as shapely's, mended if it has to be; None without one."""
        return shape(self.location)

    def written(self, system: str = crs.CRS84) -> dict[str, Any]:
        """Return the GeoJSON Feature with coordinates of a system."""
        return {
            "type": "Feature",
            "id": self.entity.id,
            "geometry": self.location if system == crs.CRS84 else self._in(system),
            "properties": self.properties,
        }

    def _in(self, system: str) -> Any:
        if self.geometry is None:
            return None
        there = crs.transformed(self.geometry, crs.CRS84, system)
        positions = shapely.get_coordinates(there)
        if not np.isfinite(positions).all():
            return None  # the system does not reach there: no position rather than a wrong one
        if crs.is_metric(system):
            there = shapely.transform(
                there, lambda xy: np.round(xy, crs.DECIMALS), include_z=bool(there.has_z)
            )
        return shapely.geometry.mapping(there)

    def _shown(self, name: str, one: Attribute) -> Iterator[tuple[str, Any]]:
        yield name, self._plain(one)
        if one.observed_ns is not None:
            yield f"{name}.observedAt", format_ns(one.observed_ns)
        if one.unit_code:
            yield f"{name}.unitCode", one.unit_code
        for iri, parts in one.parts.items():
            if short(iri) == QUALITY and parts:
                yield f"{name}.{QUALITY}", parts[0].value

    def _plain(self, one: Attribute) -> Any:
        value = one.value
        match one.kind:
            case AttributeKind.LANGUAGE:
                chosen = self._languages.choose(value)
                return None if chosen is None else chosen[1]
            case AttributeKind.VOCAB:
                return [short(each) for each in value] if isinstance(value, list) else short(value)
            case AttributeKind.PROPERTY if isinstance(value, dict):
                return value.get("@value", value)
            case _:
                return value
