"""What is known of all features before a file is written."""

import pytest

from citytwin_hub.apis.ngsild.languages import parse
from citytwin_hub.apis.ogc import crs, spool
from citytwin_hub.apis.ogc.features import Feature
from citytwin_hub.apis.ogc.spool import Spool
from citytwin_hub.entities.errors import TooManyResults
from tests.hub.entities.samples import entity, point, prop


def features():
    for number, value in enumerate((1, "x", None)):
        one = entity(number, level=prop(value), location=point(75 + number, 43))
        yield Feature(entity(number) if value is None else one, parse("*"))


def test_columns_extent_and_rows_are_known(tmp_path):
    held = Spool(tmp_path / "spool", crs.CRS84)
    held.fill(features())
    assert (held.count, held.shapes, held.box) == (3, {"Point"}, (75, 43, 76, 43))
    assert held.types["level"] == {"number", "string"}
    rows = list(held.rows())
    assert [one for one, _, _ in rows] == [f"urn:ngsi-ld:Tank:{n}" for n in range(3)]
    assert (rows[1][1].x, rows[1][2]["level"], rows[2][1]) == (76, "x", None)


def test_a_place_that_the_system_does_not_reach_is_left_out(tmp_path):
    held = Spool(tmp_path / "spool", crs.EPSG.format(32643))
    held.fill([Feature(entity(1, location=point(165, 0)), parse("*"))])
    assert (held.count, held.box) == (1, None)


def test_there_is_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "FEATURES_MAX", 2)
    with pytest.raises(TooManyResults):
        Spool(tmp_path / "spool", crs.CRS84).fill(features())
