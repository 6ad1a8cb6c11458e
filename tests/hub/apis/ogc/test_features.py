"""What a GIS sees of an entity."""

import pytest

from citytwin_hub.apis.ngsild.languages import parse
from citytwin_hub.apis.ogc import crs
from citytwin_hub.apis.ogc.features import Feature
from citytwin_hub.entities.model import Attribute, AttributeKind
from tests.hub.apis.ogc.serving import shape, square, words
from tests.hub.entities.samples import entity, link, name, point, prop

ANY = parse("*")


def seen(*, lang="*", **attributes):
    return Feature(entity(1, **attributes), parse(lang)).written()


def test_properties_are_plain_values_with_their_age_unit_and_quality():
    bad = prop("no answer")
    level = prop(3.2, unit_code="MTR", observed_ns=10**18, parts={name("quality"): (bad,)})
    found = seen(level=level)["properties"]
    assert found == {
        "level": 3.2,
        "level.unitCode": "MTR",
        "level.observedAt": "2001-09-09T01:46:40Z",
        "level.quality": "no answer",
        "createdAt": "1970-01-01T00:00:00Z",
        "modifiedAt": "1970-01-01T00:00:00Z",
    }


def test_a_forecast_is_never_shown_as_measured():
    forecast = prop(9, dataset="urn:ngsi-ld:dataset:forecast")
    assert "level" not in seen(level=forecast)["properties"]
    assert seen(level=(prop(1), forecast))["properties"]["level"] == 1


def test_a_failed_reading_is_null():
    failed = Attribute(kind=AttributeKind.JSON, value=None)
    assert seen(level=failed)["properties"]["level"] is None


def test_every_kind_of_attribute_has_a_plain_value():
    vocab = Attribute(kind=AttributeKind.VOCAB, value="https://example.org/Open")
    found = seen(
        lang="ru",
        name=words(kk="Су", ru="Вода"),
        feeds=link("urn:a", "urn:b"),
        state=vocab,
        since=prop({"@type": "Date", "@value": "2026-11-26"}),
        address=prop({"street": "Абай"}),
    )["properties"]
    assert found["name"] == "Вода"
    assert found["feeds"] == ["urn:a", "urn:b"]
    assert found["state"] == "Open"
    assert found["since"] == "2026-11-26"
    assert found["address"] == {"street": "Абай"}


def test_two_attributes_with_one_last_part_are_both_there():
    one = entity(1, level=prop(1))
    other = {**one.attributes, "https://other.example/level": (prop(2),)}
    both = Feature(entity(1), ANY).entity.__class__(id=one.id, types=one.types, attributes=other)
    found = Feature(both, ANY).properties
    assert (found["level"], found["https://other.example/level"]) == (1, 2)


def test_the_geometry_comes_in_any_system_and_is_null_where_that_does_not_reach():
    feature = Feature(entity(1, location=point(75, 43)), ANY)
    assert feature.written()["geometry"] == {"type": "Point", "coordinates": [75, 43]}
    there = feature.written(crs.EPSG.format(32643))["geometry"]
    assert there["coordinates"] == pytest.approx((500_000, 4_760_814.798), abs=1)
    far = Feature(entity(1, location=point(165, 0)), ANY)
    assert far.written(crs.EPSG.format(32643))["geometry"] is None
    assert Feature(entity(1), ANY).written(crs.EPSG.format(3857))["geometry"] is None
    turned = Feature(entity(1, location=shape("Polygon", square(75, 43))), ANY)
    first = turned.written(crs.EPSG.format(4326))["geometry"]["coordinates"][0][0]
    assert first == (43, 75)
