// Symbols of units as each language writes them (for Russian: GOST 8.417; Kazakh follows it).
import type { Language } from "./i18n";

/** [Kazakh, Russian] of each part of a symbol; what is not here is written alike everywhere. */
const PARTS: Record<string, readonly [string, string]> = {
  Pa: ["Па", "Па"], hPa: ["гПа", "гПа"], kPa: ["кПа", "кПа"], MPa: ["МПа", "МПа"], bar: ["бар", "бар"],
  "m H₂O": ["м су бағ.", "м вод. ст."],
  mm: ["мм", "мм"], cm: ["см", "см"], m: ["м", "м"], km: ["км", "км"], "m²": ["м²", "м²"], "m³": ["м³", "м³"],
  L: ["л", "л"], kg: ["кг", "кг"], t: ["т", "т"], mg: ["мг", "мг"], "µg": ["мкг", "мкг"],
  ms: ["мс", "мс"], s: ["с", "с"], min: ["мин", "мин"], h: ["сағ", "ч"], d: ["тәул", "сут"],
  J: ["Дж", "Дж"], MJ: ["МДж", "МДж"], GJ: ["ГДж", "ГДж"], kcal: ["ккал", "ккал"], Gcal: ["Гкал", "Гкал"],
  W: ["Вт", "Вт"], kW: ["кВт", "кВт"], MW: ["МВт", "МВт"],
  Wh: ["Вт·сағ", "Вт·ч"], kWh: ["кВт·сағ", "кВт·ч"], MWh: ["МВт·сағ", "МВт·ч"],
  V: ["В", "В"], mV: ["мВ", "мВ"], kV: ["кВ", "кВ"], A: ["А", "А"], mA: ["мА", "мА"],
  VA: ["В·А", "В·А"], kVA: ["кВ·А", "кВ·А"], var: ["вар", "вар"], kvar: ["квар", "квар"],
  kvarh: ["квар·сағ", "квар·ч"], Hz: ["Гц", "Гц"], "µS": ["мкСм", "мкСм"], lx: ["лк", "лк"],
  dB: ["дБ", "дБ"], B: ["Б", "Б"], veh: ["көлік", "авт."],
};
export const ALIKE: ReadonlySet<string> = new Set(["", "1", "%", "ppm", "K", "°C", "°F", "°", "pH", "NTU"]);

/** Returns a unit's symbol in a language: `m³/h` is `м³/сағ` in Kazakh and `м³/ч` in Russian. */
export function symbolIn(symbol: string, language: Language): string {
  if (language === "en") return symbol;
  const column = language === "kk" ? 0 : 1;
  return symbol.split("/").map((part) => PARTS[part]?.[column] ?? part).join("/");
}

/** Tells whether every part of a symbol has its form in all languages. */
export function isKnown(symbol: string): boolean {
  return symbol.split("/").every((part) => part in PARTS || ALIKE.has(part));
}
