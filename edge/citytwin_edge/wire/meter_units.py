"""Meter units: the units that meters write or push, as UCUM codes, and numbers in another unit.

>>> in_unit(6545766.0, "W.h", "kW.h"), WRITTEN["kvarh"], PUSHED[30]
(6545.766, 'kvar.h', 'W.h')
"""

from __future__ import annotations

from typing import Final

from citytwin.conversion import between
from citytwin.errors import DeviceMalformed, UnitError
from citytwin.units import unit

WRITTEN: Final = {
    "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "GWh": "GW.h", "kW": "kW", "W": "W", "MW": "MW",
    "kvarh": "kvar.h", "varh": "var.h", "Mvarh": "Mvar.h", "kvar": "kvar", "var": "var",
    "Mvar": "Mvar", "kVArh": "kvar.h", "kVAr": "kvar", "kVAh": "kV.A.h", "VAh": "V.A.h",
    "MVAh": "MV.A.h", "kVA": "kV.A", "VA": "V.A", "MVA": "MV.A", "V": "V", "kV": "kV", "mV": "mV",
    "A": "A", "mA": "mA", "Hz": "Hz", "m3": "m3", "dm3": "L", "l": "L", "L": "L", "GJ": "GJ",
    "MJ": "MJ", "kJ": "kJ", "s": "s", "min": "min", "h": "h", "d": "d", "%": "%", "deg": "deg",
    "C": "Cel", "degC": "Cel", "°C": "Cel", "K": "K", "bar": "bar", "m3/h": "m3/h", "l/h": "L/h",
    "kvAh": "kV.A.h", "KWh": "kW.h", "KW": "kW",
}  # fmt: skip
"""Units in lines of text (IEC 62056-21, DSMR P1), in the spellings that meters have."""

PUSHED: Final = {
    1: "a", 4: "d", 5: "h", 6: "min", 7: "s", 8: "deg", 9: "Cel", 11: "m", 12: "m/s", 13: "m3",
    14: "m3", 15: "m3/h", 16: "m3/h", 17: "m3/d", 18: "m3/d", 19: "L", 20: "kg", 22: "N", 23: "Pa",
    24: "bar", 25: "J", 27: "W", 28: "V.A", 29: "var", 30: "W.h", 31: "V.A.h", 32: "var.h",
    33: "A", 35: "V", 44: "Hz", 52: "K", 56: "%", 255: "1",
}  # fmt: skip
"""Units by their number in a scaler_unit (DLMS UA Blue Book, 4.3.2, table of units)."""


def in_unit(value: float, have: str, want: str) -> float:
    """Return a number in another unit (UCUM codes).

    Raises:
        DeviceMalformed: the two do not measure the same; the text says what the point must say.
    """
    if have == want:
        return value
    try:
        factor, offset = between(have, want)
    except UnitError:
        raise DeviceMalformed(
            f"the meter says {unit(have).symbol or 'a number without unit'}, the point is in "
            f"{unit(want).symbol or 'no unit'}: write unit = {have!r} or one that measures the same"
        ) from None
    # 15 digits are what a float64 keeps of a product: 6545.766, not 6545.766000000001.
    return float(f"{value * factor:.15g}") + offset
