import { expect, test } from "vitest";
import units from "../../../../common/citytwin/units.py?raw";
import { isKnown, symbolIn } from "../src/units";

test("a symbol is written as the language writes it", () => {
  expect(symbolIn("m³/h", "kk")).toBe("м³/сағ");
  expect(symbolIn("m³/h", "ru")).toBe("м³/ч");
  expect(symbolIn("m³/h", "en")).toBe("m³/h");
  expect(symbolIn("bar", "kk")).toBe("бар");
  expect(symbolIn("°C", "ru")).toBe("°C");
  expect(symbolIn("furlong/h", "ru")).toBe("furlong/ч");
});

test("every unit of the SDK can be written", () => {
  const symbols = [...units.matchAll(/Unit\("[^"]*", "[^"]*", "([^"]*)"\)/g)].map((found) => found[1] as string);
  expect(symbols.length).toBeGreaterThan(70);
  expect(symbols.filter((symbol) => !isKnown(symbol))).toEqual([]);
});
