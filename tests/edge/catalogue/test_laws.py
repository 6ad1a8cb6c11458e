"""Laws: each is physics that holds, and each can be broken."""

import math

import msgspec
import pytest

from citytwin_edge.catalogue.laws import Law, parts
from citytwin_edge.catalogue.natures import nature, natures

HEAT = {"heat_power": 45.6, "flow": 1.0, "supply_temperature": 80.0, "return_temperature": 40.0}
PUMP = {"motor_power": 3.0, "flow": 36.0, "differential_pressure": 2.0, "head": 20.0}
AIR = {"pm1": 8.0, "pm25": 12.0, "pm4": 14.0, "pm10": 20.0}
WATER = {
    "flow": 2.0, "flow_velocity": 0.5, "density": 998.0, "mass_flow": 1.996,
    "volume": 100.0, "reverse_volume": 4.0, "net_volume": 96.0,
}  # fmt: skip
METER = {"active_energy_import": 50.0, "active_energy_export": 70.0, "active_energy_net": -20.0}
PHASES = {
    "": {"active_power": 1000.0, "reactive_power": 30.0, "active_energy_import": 30.0},
    "L1": {"active_power": 600.0, "reactive_power": 10.0, "active_energy_import": 10.0},
    "L2": {"active_power": 600.0, "reactive_power": 10.0, "active_energy_import": 10.0},
    "L3": {"active_power": -200.0, "reactive_power": 10.0, "active_energy_import": 10.0},
}


def texts(name, values, others=None):
    return [one.law.text for one in nature(name).broken(values, others)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("heat", HEAT), ("pump", PUMP), ("air", AIR), ("water", WATER), ("flow", WATER),
        ("electricity", METER),
    ],
)  # fmt: skip
def test_what_can_be_is_not_complained_of(name, values):
    assert texts(name, values) == []
    for left_out in values:
        rest = {key: value for key, value in values.items() if key != left_out}
        assert texts(name, rest) == [], f"nothing is said of what is not known ({left_out})"
    assert texts(name, dict.fromkeys(values, 0.0)) == [], "a plant that stands still"
    assert texts(name, dict.fromkeys(values, math.nan)) == []


@pytest.mark.parametrize(
    ("name", "values", "broken"),
    [
        # Heat: kilowatts for watts, exchanged sensors, a flow in the wrong unit.
        ("heat", HEAT | {"heat_power": 45_600.0}, ["P = k·V̇·ΔT"]),
        ("heat", HEAT | {"flow": 3.6}, ["P = k·V̇·ΔT"]),
        ("heat", HEAT | {"supply_temperature": 40.0, "return_temperature": 80.0},
         ["supply ≥ return while heat is given"]),
        ("heat", {"temperature_difference": 40.0, "supply_temperature": 80.0,
                  "return_temperature": 60.0}, ["ΔT = supply − return"]),
        ("heat", {"mass_flow": 3.6, "flow": 1.0}, ["ṁ = ρ·V̇ of water"]),
        # Pump: 36 m³/h over 2 bar are 2 kW of water, over 20 m 1.96 kW.
        ("pump", PUMP | {"motor_power": 1.8, "head": 0.0}, ["P ≥ V̇·Δp"]),
        ("pump", PUMP | {"motor_power": 1.8, "differential_pressure": 0.0}, ["P ≥ ρ·g·V̇·H"]),
        # Air: exchanged registers.
        ("air", AIR | {"pm1": 15.0}, ["PM1 ≤ PM2.5"]),
        ("air", {"pm25": 12.0, "pm4": 9.0}, ["PM2.5 ≤ PM4"]),
        ("air", {"pm25": 12.0, "pm10": 9.0}, ["PM2.5 ≤ PM10"]),
        ("air", {"pm4": 12.0, "pm10": 9.0}, ["PM4 ≤ PM10"]),
        # Water: kilogrammes for tonnes, a flow against its own velocity, a net that adds.
        ("water", WATER | {"mass_flow": 1996.0}, ["ṁ = ρ·V̇"]),
        ("water", WATER | {"mass_flow": -1.996}, ["ṁ = ρ·V̇"]),
        ("water", {"flow": 2.0, "flow_velocity": -0.5}, ["flow and velocity have one direction"]),
        ("water", WATER | {"net_volume": 104.0}, ["net = forward − reverse"]),
        ("electricity", METER | {"active_energy_net": 20.0}, ["net = import − export"]),
        ("electricity", {"apparent_power": 100.0, "active_power": 120.0}, ["|P| ≤ S"]),
        ("electricity", {"apparent_power": 100.0, "reactive_power": 120.0}, ["|Q| ≤ S"]),
    ],
)  # fmt: skip
def test_each_law_can_be_broken(name, values, broken):
    assert texts(name, values) == broken


@pytest.mark.parametrize(
    ("quantity", "value", "broken"),
    [
        ("active_power", 1000.0, []),
        ("active_power", 1400.0, ["P = P₁ + P₂ + P₃"]),  # as if L3 counted the other way
        ("active_power", -1000.0, ["P = P₁ + P₂ + P₃"]),
        ("reactive_power", 3000.0, ["Q = Q₁ + Q₂ + Q₃"]),
        ("active_energy_import", 3.0, ["E = E₁ + E₂ + E₃"]),
    ],
)
def test_a_total_is_the_sum_of_its_phases_with_its_sign(quantity, value, broken):
    total = PHASES[""] | {quantity: value}
    every = PHASES | {"": total}
    assert texts("electricity", total, every) == broken
    assert texts("electricity", every["L1"], every) == [], "a phase is no sum"
    without = {phase: of for phase, of in every.items() if phase != "L2"}
    assert texts("electricity", total, without) == [], "nobody knows what L2 adds"


def test_return_above_supply_is_no_fault_while_nothing_is_heated():
    turned = HEAT | {"supply_temperature": 6.0, "return_temperature": 12.0, "heat_power": -6.84}
    assert texts("heat", turned) == []


def test_every_law_of_every_nature_speaks_of_quantities_that_there_are():
    for name in natures():
        of = nature(name)
        for law in of.laws:
            assert set(law.quantities) <= of.quantities.keys(), law.text


def test_the_words_say_what_is_expected():
    (one,) = nature("air").broken(AIR | {"pm1": 15.0})
    assert one.words == "pm1 is 15, at most 12 is expected"
    (one,) = nature("water").broken({"flow": 2.0, "flow_velocity": -0.5})
    assert one.words == "flow is 2, the sign of -0.5 is expected"


def test_terms_are_sums_and_differences():
    assert list(parts("a - b + c")) == [("a", 1.0), ("b", -1.0), ("c", 1.0)]


@pytest.mark.parametrize("fields", [{}, {"product": ["a"], "phases": ["L1"]}])
def test_a_law_compares_one_thing(fields):
    with pytest.raises(msgspec.ValidationError, match="product or phases"):
        msgspec.convert({"of": "b", "text": "x", **fields}, Law)
