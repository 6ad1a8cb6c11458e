"""Terrain models: heights between cells against a plane that is known everywhere, and GDAL's."""

import math
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from citytwin_hub.importers import dem
from citytwin_hub.importers.dem import EMPTY, OUTSIDE, Model
from citytwin_hub.importers.frame import SourceError
from citytwin_hub.importers.places import Projection

UTM = "EPSG:32643"
WEST, NORTH, CELL = 657_000.0, 4_791_000.0, 10.0


def plane(x, y):
    """Height of a slope, metres: linear, so between centres it must be exact."""
    return 800 + (x - WEST) * 0.02 + (NORTH - y) * 0.05


def model(folder, rows=600, columns=500, change=lambda cells: cells, name="m.tif", **profile):
    x = WEST + (np.arange(columns) + 0.5) * CELL
    y = NORTH - (np.arange(rows) + 0.5) * CELL
    cells = change(plane(x[None, :], y[:, None]).astype(profile.get("dtype", "float32")))
    given: dict[str, Any] = {
        "driver": "GTiff", "height": rows, "width": columns, "count": 1, "dtype": cells.dtype,
        "crs": UTM, "transform": rasterio.Affine(CELL, 0, WEST, 0, -CELL, NORTH), "nodata": -9999,
    } | profile  # fmt: skip
    path = folder / name
    with rasterio.open(path, "w", **given) as raster:
        for band in range(given["count"]):
            raster.write(cells, band + 1)
    return path


def at(*places) -> list[Any]:
    to = Projection(UTM)
    return [to.place(x, y) for x, y in places]


def heights(path, places, crs=""):
    opened = Model(path, crs)
    try:
        return list(opened.heights(at(*places)))
    finally:
        opened.close()


def test_a_slope_is_exact_between_cells_also_across_tiles(tmp_path):
    generator = np.random.default_rng(7)
    x = WEST + generator.uniform(10, 4990, 500)
    y = NORTH - generator.uniform(10, 5990, 500)
    edge = WEST + dem.TILE * CELL  # between the last centre of a tile and the first of the next
    x[:3], y[:3] = [edge - 4, edge, edge + 4], NORTH - dem.TILE * CELL
    found = heights(model(tmp_path), list(zip(x, y, strict=True)))
    assert [why for _, why in found] == [""] * 500
    assert np.allclose([height for height, _ in found], plane(x, y), atol=0.02)


def test_it_is_what_gdal_says_bilinear(tmp_path):
    generator = np.random.default_rng(3)
    path = model(tmp_path, 40, 40, lambda cells: cells + generator.normal(0, 20, cells.shape))
    places = [(WEST + 55.5, NORTH - 201.5), (WEST + 333.5, NORTH - 67.5)]
    with rasterio.open(path) as raster:
        # Ten times finer, bilinear: the centre of a fine cell is one of the places.
        fine = raster.read(1, out_shape=(400, 400), resampling=Resampling.bilinear)
    wanted = [fine[201, 55], fine[67, 333]]
    assert np.allclose([one for one, _ in heights(path, places)], wanted, atol=0.05)


def test_outside_and_without_data_is_said(tmp_path):
    def hole(cells):
        cells[10, 10] = -9999
        cells[20, 20] = np.nan
        return cells

    places = [
        (WEST - 1, NORTH - 50), (WEST + 50, NORTH + 1), (WEST + 105, NORTH - 105),
        (WEST + 112, NORTH - 105), (WEST + 125, NORTH - 105), (WEST + 205, NORTH - 205),
        (WEST + 1, NORTH - 1),
    ]  # fmt: skip
    found = heights(model(tmp_path, 50, 50, hole), places)
    assert [why for _, why in found] == [OUTSIDE, OUTSIDE, EMPTY, EMPTY, "", EMPTY, ""]
    assert all(math.isnan(height) == bool(why) for height, why in found)


def test_another_system_feet_and_whole_numbers(tmp_path):
    path = model(tmp_path, 50, 50, dtype="int16")
    with rasterio.open(path, "r+") as raster:
        raster.units = ("ft",)
    ((height, why),) = heights(path, [(WEST + 105, NORTH - 105)])
    assert (height, why) == (
        pytest.approx(int(plane(WEST + 105, NORTH - 105)) * 0.3048, abs=0.01),
        "",
    )
    bare = model(tmp_path, 50, 50, crs=None, name="bare.tif")
    with pytest.raises(SourceError, match="give --crs"):
        Model(bare, "")
    assert heights(bare, [(WEST + 105, NORTH - 105)], UTM)[0][1] == ""


def test_what_is_no_terrain_model(tmp_path, monkeypatch):
    path = tmp_path / "x.tif"
    path.write_text("no raster")
    with pytest.raises(SourceError, match=r"x\.tif is no raster"):
        Model(path, "")
    virtual = tmp_path / "x.vrt"
    virtual.write_text("<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>")
    with pytest.raises(SourceError, match="is no raster of a form"):
        Model(virtual, UTM)
    with pytest.raises(SourceError, match="cells of complex64"):
        Model(model(tmp_path, 5, 5, dtype="complex64", nodata=None), "")
    several = Model(model(tmp_path, 5, 5, count=2), "")
    assert "several bands" in several.notes[0].text
    several.close()
    monkeypatch.setattr(dem, "BLOCK_BYTES_MAX", 10)
    with pytest.raises(SourceError, match="TILED=YES"):
        Model(model(tmp_path, 5, 5), "")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_picture_lies_nowhere(tmp_path):
    with pytest.raises(SourceError, match="not georeferenced"):
        Model(model(tmp_path, 5, 5, transform=rasterio.Affine.identity()), UTM)
