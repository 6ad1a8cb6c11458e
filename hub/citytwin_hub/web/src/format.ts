// Numbers, dates and ages in three languages. The browser's own Intl is wrong for Kazakh, so the
// few forms that the page needs are made here.
import { type Language, type Key, t } from "./i18n";
import type { PointInfo } from "./types";

const ALMATY_OFFSET_MS = 5 * 3600 * 1000;

/** Returns a number with at most four significant decimals, decimal comma in kk and ru. */
export function number(value: number | null | undefined, language: Language): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "—";
  const size = Math.abs(value);
  const decimals = Number.isInteger(value) || size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  const [whole = "0", fraction = ""] = value.toFixed(decimals).split(".");
  const trimmed = fraction.replace(/0+$/, "");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, language === "en" ? "," : "\u00a0");
  const minus = grouped.startsWith("-") ? "−" + grouped.slice(1) : grouped;
  return trimmed ? minus + (language === "en" ? "." : ",") + trimmed : minus;
}

const two = (part: number): string => String(part).padStart(2, "0");

/** Returns HH:MM:SS of Almaty (UTC+5, the whole year). */
export function time(ms: number): string {
  const date = new Date(ms + ALMATY_OFFSET_MS);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

/** Returns DD.MM.YYYY HH:MM:SS of Almaty (ISO order in English). */
export function dateTime(ms: number, language: Language): string {
  const date = new Date(ms + ALMATY_OFFSET_MS);
  const [day, month, year] = [two(date.getUTCDate()), two(date.getUTCMonth() + 1), date.getUTCFullYear()];
  return `${language === "en" ? `${year}-${month}-${day}` : `${day}.${month}.${year}`} ${time(ms)}`;
}

/** Returns how long ago that was, in one unit. */
export function age(ms: number, language: Language): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [count, unit]: [number, Key] =
    seconds < 120
      ? [seconds, "unit.s"]
      : seconds < 7200
        ? [Math.round(seconds / 60), "unit.min"]
        : seconds < 172800
          ? [Math.round(seconds / 3600), "unit.h"]
          : [Math.round(seconds / 86400), "unit.d"];
  return `${count} ${t(unit, language)}`;
}

/** Returns bytes in the largest unit that leaves at least one. */
export function bytes(count: number | null, language: Language): string {
  if (count === null) return "—";
  const units: Key[] = ["unit.B", "unit.KB", "unit.MB", "unit.GB"];
  const power = Math.min(3, count < 1 ? 0 : Math.floor(Math.log2(count) / 10));
  return `${number(Math.round((count / 1024 ** power) * 10) / 10, language)} ${t(units[power] as Key, language)}`;
}

const MATURITIES: readonly Key[] = ["maturity.0", "maturity.1", "maturity.2"];

/** Tells whether a point takes two values only. */
export function isSwitch(point: PointInfo): boolean {
  return point.writable?.[0] === 0 && point.writable[1] === 1 && point.kind === "state";
}

/** Tells whether a point can be told one thing only: to be learnt anew, for example. */
export function isButton(point: PointInfo): boolean {
  return point.writable !== null && point.writable[0] !== null && point.writable[0] === point.writable[1];
}

/** Tells whether a point says how far a gateway has learnt another one. */
function isMaturity(point: PointInfo): boolean {
  return point.id.endsWith(".anomaly-maturity");
}

/** Returns what stands on the button of such a point. */
export function buttonText(point: PointInfo, language: Language): string {
  if (isMaturity(point)) return t("command.anew", language);
  return `${t("command.set", language)} ${valueText(point, point.writable?.[0] ?? Number.NaN, language)}`;
}

/** Returns the words of a switch, [for 0, for 1]: a valve opens and closes, the rest goes on and off. */
export function switchWords(point: PointInfo): { is: [Key, Key]; do: [Key, Key] } {
  return /:valve:/i.test(point.feeds)
    ? { is: ["value.closed", "value.open"], do: ["command.close", "command.open"] }
    : { is: ["value.off", "value.on"], do: ["command.off", "command.on"] };
}

/** Returns a value with its unit, or in words where it has two states; "—" where there is none. */
export function valueText(point: PointInfo, value: number, language: Language): string {
  if (!Number.isFinite(value)) return "—";
  if (point.kind === "alarm") return t(value > 0 ? "alarm.raised" : "state.good", language);
  const maturity = isMaturity(point) ? MATURITIES[value] : undefined;
  if (maturity) return t(maturity, language);
  if (isSwitch(point)) return t(switchWords(point).is[value > 0 ? 1 : 0], language);
  return `${number(value, language)} ${point.symbol[language]}`.trim();
}
