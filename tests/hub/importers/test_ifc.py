"""Building models: written by ifcopenshell's own API, and found where they were put."""

from typing import Any

import ifcopenshell
import ifcopenshell.api.aggregate
import ifcopenshell.api.georeference
import ifcopenshell.api.owner
import ifcopenshell.api.owner.settings
import ifcopenshell.api.root
import ifcopenshell.api.unit
import ifcopenshell.guid
import numpy as np
import pyproj
import pytest

from citytwin_hub.importers import ifc
from citytwin_hub.importers.frame import SourceError
from tests.hub.importers.reading import Came

LAT, LON = (43, 14, 24, 500_000), (76, 57, 0)
UTM = "EPSG:32643"


class House:
    """A site with a building of two storeys, 30 m east and 40 m north of it; units are mm."""

    def __init__(self, schema="IFC4"):
        self.file: Any = ifcopenshell.api.run("project.create_file", version=schema)
        if schema == "IFC2X3":  # knows no object without its owner
            ifcopenshell.api.owner.add_application(self.file)
            ifcopenshell.api.owner.add_person_and_organisation(
                self.file,
                person=ifcopenshell.api.owner.add_person(self.file),
                organisation=ifcopenshell.api.owner.add_organisation(self.file),
            )
        made = [
            ifcopenshell.api.root.create_entity(self.file, ifc_class=name, name=name[3:])
            for name in ("IfcProject", "IfcSite", "IfcBuilding", "IfcBuildingStorey",
                         "IfcBuildingStorey")
        ]  # fmt: skip
        self.project, self.site, self.building, *self.storeys = made
        ifcopenshell.api.unit.assign_unit(self.file)  # millimetres
        for parent, children in (
            (self.project, [self.site]), (self.site, [self.building]),
            (self.building, self.storeys),
        ):  # fmt: skip
            ifcopenshell.api.aggregate.assign_object(
                self.file, products=children, relating_object=parent
            )
        self.site.RefLatitude, self.site.RefLongitude, self.site.RefElevation = LAT, LON, 850_500.0
        self.building.LongName, self.building.ElevationOfRefHeight = "Мектеп", 851_000.0
        self.storeys[1].Elevation = 3_300.0
        self.site.ObjectPlacement = self.place(1_000.0, 2_000.0)
        self.building.ObjectPlacement = self.place(30_000.0, 40_000.0, self.site.ObjectPlacement)

    def place(self, x, y, on=None):
        point = self.file.createIfcCartesianPoint((x, y, 0.0))
        axis = self.file.createIfcAxis2Placement3D(point)
        return self.file.createIfcLocalPlacement(on, axis)

    def north(self, x, y):
        (context,) = self.file.by_type("IfcGeometricRepresentationContext") or [
            self.file.createIfcGeometricRepresentationContext(
                None, "Model", 3, 1e-5,
                self.file.createIfcAxis2Placement3D(
                    self.file.createIfcCartesianPoint((0.0, 0.0, 0.0))
                ),
            )
        ]  # fmt: skip
        context.TrueNorth = self.file.createIfcDirection((x, y))
        return context

    def boxed(self):
        corner = self.file.createIfcCartesianPoint((0.0, 0.0, -500.0))
        box = self.file.createIfcBoundingBox(corner, 20_000.0, 10_000.0, 7_000.0)
        shape = self.file.createIfcShapeRepresentation(
            self.north(0.0, 1.0), "Box", "BoundingBox", [box]
        )
        self.building.Representation = self.file.createIfcProductDefinitionShape(
            None, None, [shape]
        )

    def written(self, folder, name="house.ifc"):
        path = folder / name
        self.file.write(str(path))
        return path


def from_site(came, urn):
    """Return how many metres east and north of the site's reference an object is."""
    lon, lat = came.value(urn, "location")["coordinates"]
    at = [43 + 14 / 60 + 24.5 / 3600, 76.95]
    azimuth, _, far = pyproj.Geod(ellps="WGS84").inv(at[1], at[0], lon, lat)
    return far * np.sin(np.radians(azimuth)), far * np.cos(np.radians(azimuth))


def urns(house):
    ids = [house.site.GlobalId, house.building.GlobalId, *(one.GlobalId for one in house.storeys)]
    kinds = ["Site", "Building", "Storey", "Storey"]
    quoted = [one.replace("$", "%24") for one in ids]
    return [f"urn:ngsi-ld:{kind}:s:{one}" for kind, one in zip(kinds, quoted, strict=True)]


@pytest.mark.parametrize("schema", ["IFC4", "IFC2X3", "IFC4X3"])
def test_a_house_comes_with_its_storeys_where_it_is(tmp_path, schema, monkeypatch):
    owner = ifcopenshell.api.owner.settings
    for name, kind in (
        ("get_user", "IfcPersonAndOrganization"), ("get_application", "IfcApplication"),
    ):  # fmt: skip
        monkeypatch.setattr(
            owner, name, lambda file, kind=kind: next(iter(file.by_type(kind)), None)
        )
    house = House(schema)
    came = Came("ifc", house.written(tmp_path))
    assert came.kinds == {"Site": 1, "Building": 1, "Storey": 2}
    assert (came.refusals, came.notes) == ([], [])
    site, building, ground, first = urns(house)
    assert came.value(building, "isContainedIn") == site
    assert came.value(first, "isContainedIn") == building
    assert came.value(building, "alternateName") == "Мектеп"
    assert [came.value(one, "elevation") for one in (site, building, first)] == [850.5, 851, 854.3]
    assert came.value(first, "relativeElevation") == 3.3
    assert came.value(ground, "relativeElevation") is None
    assert came.records[building].aliases == (("ifc", house.building.GlobalId),)
    assert from_site(came, site) == pytest.approx((0, 0), abs=0.02)
    assert from_site(came, building) == pytest.approx((30, 40), abs=0.02)


def test_it_is_turned_to_true_north(tmp_path):
    house = House()
    house.north(1.0, 0.0)  # north is where x points: the building is 40 m west, 30 m north
    came = Came("ifc", house.written(tmp_path))
    assert from_site(came, urns(house)[1]) == pytest.approx((-40, 30), abs=0.02)


def test_a_bounding_box_is_the_footprint(tmp_path):
    house = House()
    house.boxed()
    came = Came("ifc", house.written(tmp_path))
    building = urns(house)[1]
    shape = came.value(building, "location")
    (ring,) = shape["coordinates"]
    assert (shape["type"], len(ring), came.value(building, "height")) == ("Polygon", 5, 7)
    lons, lats = ([place[axis] for place in ring] for axis in (0, 1))
    area, _ = pyproj.Geod(ellps="WGS84").polygon_area_perimeter(lons, lats)
    assert abs(area) == pytest.approx(200, rel=1e-3)


def test_a_map_conversion_goes_before_latitude_and_longitude(tmp_path):
    house = House()
    house.north(0.0, 1.0)
    ifcopenshell.api.georeference.add_georeferencing(house.file)
    ifcopenshell.api.georeference.edit_georeferencing(
        house.file,
        projected_crs={"Name": UTM},
        coordinate_operation={"Eastings": 658_000.0, "Northings": 4_790_000.0, "Scale": 0.001},
    )
    came = Came("ifc", house.written(tmp_path))
    to = pyproj.Transformer.from_crs("EPSG:4326", UTM, always_xy=True)
    place = to.transform(*came.value(urns(house)[1], "location")["coordinates"])
    assert place == pytest.approx((658_031, 4_790_042), abs=0.02)


def test_a_model_that_says_nothing_of_its_place_comes_without_one(tmp_path):
    house = House()
    house.site.RefLatitude = None
    house.building.GlobalId = "short"
    came = Came("ifc", house.written(tmp_path))
    assert "without places" in came.notes[0]
    assert came.kinds == {"Site": 1, "Storey": 2}
    (refusal,) = came.refusals
    assert (refusal.field, refusal.whole) == ("GlobalId", True)
    assert f"house.ifc: #{house.building.id()} IfcBuilding" == refusal.where


def test_a_placement_that_leads_to_itself_costs_the_place(tmp_path):
    house = House()
    house.building.ObjectPlacement.PlacementRelTo = house.building.ObjectPlacement
    came = Came("ifc", house.written(tmp_path))
    (refusal,) = came.refusals
    assert (refusal.field, refusal.whole) == ("location", False)
    assert came.kinds["Building"] == 1


def test_what_is_no_model(tmp_path, monkeypatch):
    for name, text, words in (
        ("x.ifc", "no model", "is no IFC model"),
        ("e.ifc", "ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\nENDSEC;\n",
         "is no IFC model"),
        ("x.ifczip", "", "unpack .ifczip"),
    ):  # fmt: skip
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(SourceError, match=words):
            Came("ifc", path)
    monkeypatch.setattr(ifc, "FILE_BYTES_MAX", 3)
    with pytest.raises(SourceError, match="at most 3 of this"):
        Came("ifc", tmp_path / "x.ifc")
