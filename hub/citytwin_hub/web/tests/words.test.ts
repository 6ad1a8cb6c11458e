import { expect, test } from "vitest";
import { age, buttonText, bytes, dateTime, isButton, isSwitch, number, switchWords, time, valueText } from "../src/format";
import { known, label, t, TEXTS } from "../src/i18n";
import type { PointInfo } from "../src/types";

test("every word is there in all three languages, and Kazakh is not Russian copied", () => {
  for (const [key, words] of Object.entries(TEXTS)) {
    expect(words.length, key).toBe(3);
    for (const word of words) expect(word.trim(), key).not.toBe("");
  }
  const same = Object.entries(TEXTS).filter(([, [kk, ru]]) => kk === ru);
  // Words that the two languages do share.
  const shared = ["card.normal", "gateway", "unit.B", "unit.GB", "unit.KB", "unit.MB", "unit.min", "unit.ms", "unit.s"];
  expect(same.map(([key]) => key).sort()).toEqual(shared);
});

test("numbers carry the language's comma, thin thousands and a real minus", () => {
  expect(number(1234567, "ru")).toBe("1\u00a0234\u00a0567");
  expect(number(12.5, "kk")).toBe("12,5");
  expect(number(-0.125, "en")).toBe("−0.125");
  expect(number(Number.NaN, "en")).toBe("—");
  expect(number(null, "en")).toBe("—");
});

test("times are Almaty's", () => {
  const noon = Date.UTC(2026, 10, 21, 7, 0, 5);
  expect(time(noon)).toBe("12:00:05");
  expect(dateTime(noon, "kk")).toBe("21.11.2026 12:00:05");
  expect(dateTime(noon, "en")).toBe("2026-11-21 12:00:05");
});

test("ages and sizes take one unit", () => {
  expect(age(5000, "en")).toBe("5 s");
  expect(age(600_000, "ru")).toBe("10 мин");
  expect(age(3 * 3600_000, "kk")).toBe("3 сағ");
  expect(bytes(1536, "en")).toBe("1.5 KB");
  expect(bytes(0, "ru")).toBe("0 Б");
});

test("labels and unknown words fall back", () => {
  expect(label({ ru: "Насос" }, "kk", "p")).toBe("Насос");
  expect(label({}, "kk", "p")).toBe("p");
  expect(known("state", "good", "en")).toBe("normal");
  expect(known("state", "strange", "en")).toBe("strange");
});

test("a valve is open, a pump is on, a value has its unit", () => {
  const valve = { id: "g/d/valve", kind: "state", writable: [0, 1], feeds: "urn:ngsi-ld:Valve:189", symbol: { kk: "", ru: "", en: "" } } as unknown as PointInfo;
  expect(valueText(valve, 0, "kk")).toBe("жабық");
  expect(t(switchWords(valve).do[1], "ru")).toBe("Открыть");
  const pump = { ...valve, feeds: "urn:ngsi-ld:Pump:10" };
  expect(valueText(pump, 1, "ru")).toBe("включено");
  expect(t(switchWords(pump).do[0], "en")).toBe("Switch off");
  const maturity = { ...valve, id: "g/d/p.anomaly-maturity", writable: [0, 0] } as unknown as PointInfo;
  expect([isButton(maturity), isButton(valve), isSwitch(maturity)]).toEqual([true, false, false]);
  expect(buttonText(maturity, "kk")).toBe("Қайта үйрену");
  expect([0, 1, 2, 3].map((value) => valueText(maturity, value, "en"))).toEqual([
    "learning", "useful after an hour", "has learnt", "3",
  ]);
  expect(buttonText({ ...maturity, id: "g/d/reset" }, "en")).toBe("Set 0");
  const flow = { ...valve, kind: "analog" as const, writable: null, symbol: { kk: "м³/сағ", ru: "м³/ч", en: "m³/h" } };
  expect(valueText(flow, 12.5, "kk")).toBe("12,5 м³/сағ");
  expect(valueText(flow, Number.NaN, "kk")).toBe("—");
});
