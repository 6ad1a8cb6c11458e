"""Units of measure: the UCUM codes a point may carry, with their UN/CEFACT code and their symbol.

>>> unit("m3/h").symbol_in("kk"), unit("m3/h").symbol_in("ru"), unit("m3/h").symbol
('м³/сағ', 'м³/ч', 'm³/h')

UCUM (The Unified Code for Units of Measure, 2.1) is what people write; UN/CEFACT Recommendation 20
is what NGSI-LD speaks. A unit is added here once, with both, and is known everywhere.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from citytwin.errors import UnitError


class Unit(NamedTuple):
    """One unit: UCUM code, UN/CEFACT common code (empty if there is none), symbol for people."""

    ucum: str
    cefact: str
    symbol: str

    def symbol_in(self, language: str) -> str:
        """Return the symbol as kk, ru or en writes it; any other language gets the English one.

        Source: GOST 8.417 for Russian, which Kazakh follows but for times and counted things.
        """
        column = {"kk": 0, "ru": 1}.get(language)
        if column is None:
            return self.symbol
        parts = self.symbol.split("/")
        return "/".join(_PARTS[part][column] if part in _PARTS else part for part in parts)

    @property
    def symbols(self) -> set[str]:
        """The symbol in Kazakh, Russian and English, as devices may write it."""
        return {self.symbol_in(language) for language in ("kk", "ru", "en")}


_TABLE: Final = (
    Unit("1", "C62", ""),
    Unit("%", "P1", "%"),
    Unit("[ppm]", "59", "ppm"),
    Unit("[ppb]", "61", "ppb"),
    Unit("Cel", "CEL", "°C"),
    Unit("K", "KEL", "K"),
    Unit("Pa", "PAL", "Pa"),
    Unit("hPa", "A97", "hPa"),
    Unit("kPa", "KPA", "kPa"),
    Unit("MPa", "MPA", "MPa"),
    Unit("bar", "BAR", "bar"),
    Unit("mbar", "MBR", "mbar"),
    Unit("[psi]", "PS", "psi"),
    Unit("m[H2O]", "", "m H₂O"),
    Unit("um", "4H", "µm"),
    Unit("mm", "MMT", "mm"),
    Unit("cm", "CMT", "cm"),
    Unit("m", "MTR", "m"),
    Unit("km", "KMT", "km"),
    Unit("m/s", "MTS", "m/s"),
    Unit("mm/s", "C16", "mm/s"),
    Unit("cm/s", "2M", "cm/s"),
    Unit("[kn_i]", "KNT", "kn"),
    Unit("m/s2", "MSK", "m/s²"),
    Unit("[g]", "K40", "g₀"),
    Unit("km/h", "KMH", "km/h"),
    Unit("m2", "MTK", "m²"),
    Unit("L", "LTR", "L"),
    Unit("m3", "MTQ", "m³"),
    Unit("L/s", "G51", "L/s"),
    Unit("L/min", "L2", "L/min"),
    Unit("L/h", "E32", "L/h"),
    Unit("m3/s", "MQS", "m³/s"),
    Unit("m3/h", "MQH", "m³/h"),
    Unit("m3/d", "G36", "m³/d"),
    Unit("g", "GRM", "g"),
    Unit("kg", "KGM", "kg"),
    Unit("t", "TNE", "t"),
    Unit("kg/s", "KGS", "kg/s"),
    Unit("kg/h", "E93", "kg/h"),
    Unit("t/h", "E18", "t/h"),
    Unit("kg/m3", "KMQ", "kg/m³"),
    Unit("N", "NEW", "N"),
    Unit("N.m", "NU", "N·m"),
    Unit("J", "JOU", "J"),
    Unit("kJ", "KJO", "kJ"),
    Unit("MJ", "3B", "MJ"),
    Unit("GJ", "GV", "GJ"),
    Unit("GJ/h", "", "GJ/h"),
    Unit("MJ/h", "", "MJ/h"),
    Unit("kcal_th", "K53", "kcal"),
    Unit("Gcal_th", "", "Gcal"),
    Unit("Gcal_th/h", "", "Gcal/h"),
    Unit("W", "WTT", "W"),
    Unit("kW", "KWT", "kW"),
    Unit("MW", "MAW", "MW"),
    Unit("W.h", "WHR", "Wh"),
    Unit("kW.h", "KWH", "kWh"),
    Unit("MW.h", "MWH", "MWh"),
    Unit("GW.h", "GWH", "GWh"),
    Unit("V", "VLT", "V"),
    Unit("mV", "2Z", "mV"),
    Unit("kV", "KVT", "kV"),
    Unit("A", "AMP", "A"),
    Unit("mA", "4K", "mA"),
    Unit("A.h", "AMH", "Ah"),
    Unit("Ohm", "OHM", "Ω"),
    Unit("kOhm", "B49", "kΩ"),
    Unit("V.A", "D46", "VA"),
    Unit("kV.A", "KVA", "kVA"),
    Unit("MV.A", "MVA", "MVA"),
    Unit("V.A.h", "", "VAh"),
    Unit("kV.A.h", "C79", "kVAh"),
    Unit("MV.A.h", "", "MVAh"),
    Unit("var", "D44", "var"),
    Unit("kvar", "KVR", "kvar"),
    Unit("Mvar", "MAR", "Mvar"),
    Unit("var.h", "", "varh"),
    Unit("kvar.h", "K3", "kvarh"),
    Unit("Mvar.h", "MAH", "Mvarh"),
    Unit("Hz", "HTZ", "Hz"),
    Unit("kHz", "KHZ", "kHz"),
    Unit("/min", "C94", "1/min"),
    Unit("/h", "H10", "1/h"),
    Unit("/km", "", "1/km"),
    Unit("[degF]", "FAH", "°F"),
    Unit("deg", "DD", "°"),
    Unit("deg/s", "E96", "°/s"),
    Unit("s", "SEC", "s"),
    Unit("ms", "C26", "ms"),
    Unit("min", "MIN", "min"),
    Unit("h", "HUR", "h"),
    Unit("d", "DAY", "d"),
    Unit("a", "ANN", "a"),
    Unit("mg/L", "M1", "mg/L"),
    Unit("g/L", "GL", "g/L"),
    Unit("g/m3", "A93", "g/m³"),
    Unit("mg/m3", "GP", "mg/m³"),
    Unit("ug/m3", "GQ", "µg/m³"),
    Unit("[pH]", "Q30", "pH"),
    Unit("uS/cm", "G42", "µS/cm"),
    Unit("mS/cm", "H61", "mS/cm"),
    Unit("{NTU}", "", "NTU"),
    Unit("lx", "LUX", "lx"),
    Unit("dB", "2N", "dB"),
    Unit("dB[mW]", "DBM", "dBm"),
    Unit("W/m2", "D54", "W/m²"),
    Unit("mm/h", "H67", "mm/h"),
    Unit("By", "AD", "B"),
    Unit("{vehicles}", "C62", "veh"),
    Unit("{vehicles}/h", "H10", "veh/h"),
    Unit("{vehicles}/km", "", "veh/km"),
    Unit("{particles}/cm3", "", "particles/cm³"),
    Unit("{pulses}", "C62", "pulses"),
    Unit("{people}", "C62", "people"),
    Unit("{samples}", "C62", ""),
)

_PARTS: Final = {
    "Pa": ("Па", "Па"), "hPa": ("гПа", "гПа"), "kPa": ("кПа", "кПа"), "MPa": ("МПа", "МПа"),
    "bar": ("бар", "бар"), "m H₂O": ("м су бағ.", "м вод. ст."), "mm": ("мм", "мм"),
    "cm": ("см", "см"), "m": ("м", "м"), "km": ("км", "км"), "m²": ("м²", "м²"), "m³": ("м³", "м³"),
    "L": ("л", "л"), "kg": ("кг", "кг"), "t": ("т", "т"), "mg": ("мг", "мг"), "µg": ("мкг", "мкг"),
    "ms": ("мс", "мс"), "s": ("с", "с"), "min": ("мин", "мин"), "h": ("сағ", "ч"),
    "d": ("тәул", "сут"), "J": ("Дж", "Дж"), "MJ": ("МДж", "МДж"), "GJ": ("ГДж", "ГДж"),
    "kcal": ("ккал", "ккал"), "Gcal": ("Гкал", "Гкал"), "W": ("Вт", "Вт"), "kW": ("кВт", "кВт"),
    "MW": ("МВт", "МВт"), "Wh": ("Вт·сағ", "Вт·ч"), "kWh": ("кВт·сағ", "кВт·ч"),
    "MWh": ("МВт·сағ", "МВт·ч"), "V": ("В", "В"), "mV": ("мВ", "мВ"), "kV": ("кВ", "кВ"),
    "A": ("А", "А"), "mA": ("мА", "мА"), "VA": ("В·А", "В·А"), "kVA": ("кВ·А", "кВ·А"),
    "var": ("вар", "вар"), "kvar": ("квар", "квар"), "kvarh": ("квар·сағ", "квар·ч"),
    "Hz": ("Гц", "Гц"), "µS": ("мкСм", "мкСм"), "lx": ("лк", "лк"), "dB": ("дБ", "дБ"),
    "B": ("Б", "Б"), "veh": ("көлік", "авт."), "mbar": ("мбар", "мбар"), "µm": ("мкм", "мкм"),
    "s²": ("с²", "с²"), "kn": ("түйін", "уз."), "g": ("г", "г"), "N": ("Н", "Н"),
    "N·m": ("Н·м", "Н·м"), "kJ": ("кДж", "кДж"), "GWh": ("ГВт·сағ", "ГВт·ч"),
    "Ah": ("А·сағ", "А·ч"), "Ω": ("Ом", "Ом"), "kΩ": ("кОм", "кОм"), "MVA": ("МВ·А", "МВ·А"),
    "VAh": ("В·А·сағ", "В·А·ч"), "kVAh": ("кВ·А·сағ", "кВ·А·ч"),
    "MVAh": ("МВ·А·сағ", "МВ·А·ч"), "Mvar": ("Мвар", "Мвар"), "varh": ("вар·сағ", "вар·ч"),
    "Mvarh": ("Мвар·сағ", "Мвар·ч"), "kHz": ("кГц", "кГц"), "a": ("жыл", "год"),
    "mS": ("мСм", "мСм"), "dBm": ("дБм", "дБм"), "particles": ("бөлшек", "частиц"),
    "cm³": ("см³", "см³"), "pulses": ("импульс", "имп."), "people": ("адам", "чел."),
}  # fmt: skip
"""(Kazakh, Russian) of each part of a symbol; what is not here is written alike everywhere."""
ALIKE: Final = frozenset(
    {"", "1", "%", "ppm", "ppb", "psi", "g₀", "K", "°C", "°F", "°", "pH", "NTU"}
)
"""The parts that are: a test sees to it that no new unit is forgotten."""

_PLAIN: Final = str.maketrans({"³": "3", "²": "2", "°": None, "µ": "u", "μ": "u", "·": "."})

UNITS: Final[dict[str, Unit]] = {unit.ucum: unit for unit in _TABLE}


def unit(code: str) -> Unit:
    """Return the unit of a UCUM code.

    Raises:
        UnitError: the code is not in the table; the text names the nearest ones.
    """
    try:
        return UNITS[code]
    except KeyError:
        wanted = _folded(code)
        near = [
            known.ucum for known in _TABLE if wanted in {_folded(known.ucum), _folded(known.symbol)}
        ]
        hint = f"did you mean {' or '.join(near)}" if near else "docs/glossary.md has the list"
        raise UnitError(f"unit {code!r} is not a UCUM code that CityTwin knows; {hint}") from None


def _folded(text: str) -> str:
    """Return the text as people would type it: no case, superscripts, degree or micro signs."""
    return text.casefold().translate(_PLAIN)
