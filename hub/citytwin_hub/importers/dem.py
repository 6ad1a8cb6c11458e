"""DEM: heights of a terrain model at places, bilinear between the centres of its cells.

The raster is read by the tile, so its size does not matter. A place outside the model, or beside a
cell without data, has no height: what the ground does there is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from pyproj.exceptions import ProjError

from citytwin_hub.importers import places
from citytwin_hub.importers.frame import Note, Settings, SourceError, library

TILE: Final = 256
"""Cells of a side that are read at once."""
BLOCK_BYTES_MAX: Final = 256 * 2**20
"""Of what the file has in one piece: it must be unpacked whole."""
HEIGHT_DIGITS: Final = 2
"""Centimetres: no terrain model knows more."""
DRIVERS: Final = ("GTiff", "AAIGrid", "SRTMHGT", "EHdr", "HFA")
"""None of these leads to another file or host, as a VRT does."""
_FEET: Final = {
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048,
    "us-ft": 1200 / 3937, "us survey foot": 1200 / 3937,
}  # fmt: skip
OUTSIDE: Final = "it is outside the model"
EMPTY: Final = "the model has no data there"
TYPES: Final = ("Junction", "DrainageJunction", "FlowDivider", "StorageUnit", "Outfall", "Hydrant",
                "Manhole", "Well", "RoadJunction")  # fmt: skip
"""Of objects that stand at the ground, and are given heights unless other types are named. Not
tanks: their bottom may be above it."""


class Model:
    """A terrain model that is open; close it."""

    def __init__(self, path: Path, crs: str) -> None:
        """Open.

        Raises:
            SourceError: it is no raster that can be read, or does not say where it lies.
        """
        self._rasterio = library("rasterio")
        self._raster = self._opened(path)
        try:
            self._check(path, crs)
        except SourceError:
            self._raster.close()
            raise

    def _opened(self, path: Path) -> Any:
        told = ""
        for driver in DRIVERS:
            try:
                return self._rasterio.open(path, driver=driver)
            except self._rasterio.errors.RasterioError as error:
                told = told or str(error)
        raise SourceError(
            f"{path} is no raster of a form that is read ({', '.join(DRIVERS)}): {told[:300]}; "
            "make a GeoTIFF of it with gdal_translate"
        )

    def _check(self, path: Path, crs: str) -> None:
        raster = self._raster
        system = crs or (raster.crs.to_wkt() if raster.crs else "")
        if not system:
            raise SourceError(f"{path} does not say its coordinate system; give --crs")
        if raster.transform.is_identity or raster.transform.is_degenerate:
            raise SourceError(f"{path} does not say where it lies (it is not georeferenced)")
        rows, columns = raster.block_shapes[0]
        dtype = np.dtype(raster.dtypes[0])
        if dtype.kind not in "iuf":
            raise SourceError(f"{path} has cells of {dtype}; heights are numbers")
        if rows * columns * dtype.itemsize > BLOCK_BYTES_MAX:
            raise SourceError(
                f"{path} has pieces of {rows} x {columns} cells, over {BLOCK_BYTES_MAX} bytes; "
                "write it anew with gdal_translate -co TILED=YES"
            )
        self._projection = places.Projection(system)
        self._metres = _FEET.get((raster.units[0] or "").lower(), 1.0)
        self.notes = [Note("it has several bands; heights are taken from the first")] * (
            raster.count > 1
        )

    def close(self) -> None:
        """Release the file."""
        self._raster.close()

    def heights(self, where: Sequence[tuple[float, float]]) -> Iterator[tuple[float, str]]:
        """Yield the height at each place (longitude, latitude), metres, or NaN and why.

        Raises:
            SourceError: a part of the file cannot be read.
        """
        yield from zip(*self._sampled(np.array(where, dtype=float).reshape(-1, 2)), strict=True)

    def _sampled(self, where: np.ndarray) -> tuple[list[float], list[str]]:
        raster = self._raster
        found, why = np.full(len(where), np.nan), [OUTSIDE] * len(where)
        try:
            x, y = self._projection.back(where)
        except ProjError:
            return found.tolist(), why
        with np.errstate(invalid="ignore"):
            turn = ~raster.transform
            column = turn.a * x + turn.b * y + turn.c
            row = turn.d * x + turn.e * y + turn.f
            inside = (column >= 0) & (column <= raster.width) & (row >= 0) & (row <= raster.height)
        numbers = np.flatnonzero(inside)
        # From corners to centres; half a cell at the rim has the height of its last centre.
        column = np.clip(column[numbers] - 0.5, 0, raster.width - 1)
        row = np.clip(row[numbers] - 0.5, 0, raster.height - 1)
        tiles = np.stack([row // TILE, column // TILE], axis=1).astype(int)
        for tile in np.unique(tiles, axis=0):
            here = np.flatnonzero((tiles == tile).all(axis=1))
            values = self._between(tile * TILE, row[here], column[here])
            found[numbers[here]] = values
            for number, value in zip(numbers[here], values, strict=True):
                why[number] = EMPTY if np.isnan(value) else ""
        return found.round(HEIGHT_DIGITS).tolist(), why

    def _between(self, corner: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return heights at rows and columns (counted from centres) of the tile at a corner."""
        raster, (first_row, first_column) = self._raster, (int(one) for one in corner)
        window = self._rasterio.windows.Window(
            first_column, first_row,
            min(TILE + 1, raster.width - first_column), min(TILE + 1, raster.height - first_row),
        )  # fmt: skip
        try:
            read = raster.read(1, window=window, masked=True)
        except self._rasterio.errors.RasterioError as error:
            raise SourceError(f"{raster.name} cannot be read: {error}") from None
        cells = read.astype(float).filled(np.nan)
        cells[~np.isfinite(cells)] = np.nan
        row, column = row - first_row, column - first_column
        above, left = np.floor(row).astype(int), np.floor(column).astype(int)
        down, right = row - above, column - left
        total: np.ndarray = np.zeros(len(row))
        for below, weight_down in ((0, 1 - down), (1, down)):
            for beside, weight_right in ((0, 1 - right), (1, right)):
                weight = weight_down * weight_right
                at_row = np.minimum(above + below, cells.shape[0] - 1)
                at_column = np.minimum(left + beside, cells.shape[1] - 1)
                # A cell that has no weight need not have data.
                total += np.where(weight > 0, cells[at_row, at_column] * weight, 0.0)
        total = total * float(raster.scales[0]) + float(raster.offsets[0])
        return total * self._metres


def read(settings: Settings) -> Model:
    """Open a terrain model; unlike other formats it has no objects, but heights for those there.

    Raises:
        SourceError: it is none.
    """
    return Model(settings.path, settings.crs)
