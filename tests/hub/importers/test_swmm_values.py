"""What storage units and links are, besides where: offsets above inverts, in SI."""

from pathlib import Path

from swmm_api.input_file import sections

from citytwin_hub.importers.frame import Draft, Settings
from citytwin_hub.importers.swmm_text import Units
from citytwin_hub.importers.swmm_values import Values
from citytwin_hub.jsonld.processing import CORE


def given(line, model, *, by_elevation=False, unit="CMS"):
    values = Values(Units(unit), {"A": 100.0}, by_elevation=by_elevation)
    draft = Draft(Settings(Path(), "s"), "Thing", "1", "here")
    values.give(draft, getattr(sections, model).from_inp_line(*line.split()))
    entity = draft.record().entity
    return lambda name: getattr(entity.attribute(CORE.expand(name)), "value", None)


def test_an_offset_is_above_the_invert_however_it_is_given():
    assert given("w a b SIDE 1.5 0.65", "Orifice")("crestHeight") == 1.5
    assert given("w a b SIDE 101.5 0.65", "Orifice", by_elevation=True)("crestHeight") == 1.5
    assert given("w a b SIDE * 0.65", "Orifice", by_elevation=True)("crestHeight") == 0
    unknown = given("w x b SIDE 101.5 0.65", "Orifice", by_elevation=True)
    assert unknown("crestHeight") is None


def test_an_ideal_pump_has_no_curve():
    pump = given("p a b * OFF", "Pump")
    assert (pump("pumpCurve"), pump("initialStatus")) == (None, "OFF")
