"""A kernel is described from its code: by what it says, and where it says less, by that."""

from citytwin_edge.catalogue.calculations import Input, calculation
from tests.edge.catalogue.installed_ohm import ohm
from tests.edge.vendor_kernels import vendor

__all__ = ["vendor"]


def test_all_that_it_says_is_there(tmp_path, monkeypatch):
    with ohm(tmp_path, monkeypatch):
        one = calculation("ohm")
    assert one.summary == "power of a voltage and a current, after Ohm (1827)"
    assert one.about == (
        "Source: Ohm 1827, valid for `direct` current.", "    P = U I", "- one: a thing",
    )  # fmt: skip
    assert (one.distribution, one.domain) == ("ohm-kernel 2.0", "")
    assert one.inputs == (Input(name="voltage", unit="V"), Input(name="power | factor", unit="1"))
    assert one.outputs is not None
    (power,) = one.outputs
    assert (power.name, power.unit, power.kind) == ("power", "W", "analog")
    assert (power.label["ru"], power.attribute) == ("Мощность", "activePower")
    assert [table.name for table in one.fields] == ["kernel", "kernel.limits"]
    factor, _, age = one.fields[0].fields
    assert (factor.allowed, factor.needed, factor.meaning) == (
        "above 0 up to 10", True, "how many there are.",
    )  # fmt: skip
    assert (age.name, age.default, age.unit) == ("age_s_max", "60", "s")
    assert one.refuses == "the sun does not shine."


def test_a_vendors_that_says_little_is_described_with_that(vendor):
    one = calculation("total")
    assert (one.summary, one.about, one.inputs, one.outputs) == ("", (), None, None)
    assert [field.name for field in one.fields[0].fields] == ["factor", "broken"]
    assert one.fields[0].fields[0].default == "1"
