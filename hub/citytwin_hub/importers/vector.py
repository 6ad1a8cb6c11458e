"""Vector: city objects from GeoJSON, GeoPackage or Shapefile through GDAL, by a mapping file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import shapely
from shapely.errors import ShapelyError

from citytwin_hub.importers import mapping, places
from citytwin_hub.importers.frame import Found, Note, Refusal, Settings, SourceError, library
from citytwin_hub.importers.mapping import ObjectMap, Rules

BATCH_FEATURES: Final = 1000
"""So many features are in memory at a time."""


def read(settings: Settings) -> Iterator[Found]:
    """Yield the objects of the layers that a mapping names.

    Raises:
        SourceError: the file or its mapping cannot be read.
    """
    pyogrio = library("pyogrio")
    errors = (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError,
              pyogrio.errors.FeatureError, pyogrio.errors.GeometryError)  # fmt: skip
    try:
        layers = [str(one) for one in pyogrio.list_layers(settings.path)[:, 0]]
        rules = mapping.read(settings.mapping, lambda: _columns(pyogrio, settings, layers))
        for one in rules.object:
            yield from _layer(pyogrio, settings, rules, one, layers)
    except errors as error:
        raise SourceError(f"{settings.path} cannot be read: {error}") from None


def _columns(pyogrio: Any, settings: Settings, layers: list[str]) -> str:
    told = []
    for layer in layers[:20]:
        fields = pyogrio.read_info(settings.path, layer=layer)["fields"]
        told.append(f"layer {layer} with {', '.join(map(str, fields))[:500]}")
    return "; ".join(told) or "no layer"


def _layer(
    pyogrio: Any, settings: Settings, rules: Rules, one: ObjectMap, layers: list[str]
) -> Iterator[Found]:
    if one.layer and one.layer not in layers:
        raise SourceError(f"{settings.path} has no layer {one.layer!r}; it has {', '.join(layers)}")
    if not one.layer and len(layers) != 1:
        raise SourceError(
            f"{settings.path} has layers {', '.join(layers)}: say layer in the mapping"
        )
    layer = one.layer or layers[0]
    encoding = rules.encoding or None
    info = pyogrio.read_info(settings.path, layer=layer, encoding=encoding)
    mapping.check_columns(one, [str(name) for name in info["fields"]], f"layer {layer}")
    projection = places.Projection(_crs(settings, rules, info["crs"]))
    if info["encoding"] and not info["encoding"].upper().startswith("UTF"):
        yield Note(f"layer {layer} was read as {info['encoding']}")
    number = 0
    opened = pyogrio.open_arrow(
        settings.path, layer=layer, encoding=encoding, batch_size=BATCH_FEATURES, use_pyarrow=True
    )
    with opened as (meta, batches):
        place = meta["geometry_name"] or "wkb_geometry"
        for batch in batches:
            for row in batch.to_pylist():
                number += 1
                if mapping.is_meant(one, row):
                    where = f"{settings.path.name}: {layer}, feature {number}"
                    shape = row.pop(place, None)
                    yield from _feature(settings, rules, one, row, where, shape, projection)


def _crs(settings: Settings, rules: Rules, own: str | None) -> str:
    found = settings.crs or rules.crs or own
    if not found:
        raise SourceError(
            f"{settings.path} does not say its coordinate system; give --crs, such as EPSG:32643"
        )
    return found


def _feature(
    settings: Settings,
    rules: Rules,
    one: ObjectMap,
    row: Mapping[str, Any],
    where: str,
    wkb: bytes | None,
    projection: places.Projection,
) -> Iterator[Found]:
    try:
        geometry, reason = places.outline(shapely.from_wkb(wkb) if wkb else None, projection)
    except ShapelyError as error:
        geometry, reason = None, f"its geometry cannot be read: {error}"
    found = list(mapping.mapped(settings, rules, one, row, where, geometry))
    if reason and not isinstance(found[-1], Refusal):
        source_id = found[-1].source_id if not isinstance(found[-1], Note) else ""
        remedy = "mend it in the GIS; the object came without a place"
        yield Refusal(where, "geometry", reason, remedy, source_id, one.type, whole=False)
    yield from found
