import { expect, test } from "vitest";
import { find } from "../src/panels";
import { stateOf, worst } from "../src/quality";
import { Store } from "../src/store";
import type { PointInfo } from "../src/types";

function point(row: number, changes: Partial<PointInfo> = {}): PointInfo {
  return {
    row,
    id: `g/d/p${row}`,
    gateway: "g",
    device: "d",
    name: `p${row}`,
    unit: "m3/h",
    symbol: "m³/h",
    kind: "analog",
    source: "measured",
    label: { ru: "Расход" },
    device_label: { ru: "Насосная" },
    place: [76.9, 43.2, null],
    valid: null,
    normal: [1, 5],
    writable: null,
    feeds: "",
    attribute: "",
    ...changes,
  };
}

test("a point's state follows quality first, then its normal span", () => {
  expect(stateOf(point(0), 0, 3, 0)).toBe("none");
  expect(stateOf(point(0), 1, 3, 0)).toBe("good");
  expect(stateOf(point(0), 1, 6, 0)).toBe("limit");
  expect(stateOf(point(0), 1, 6, 0x41)).toBe("uncertain");
  expect(stateOf(point(0), 1, Number.NaN, 0x81)).toBe("bad");
  expect(stateOf(point(0, { normal: [null, 5] }), 1, -100, 0)).toBe("good");
  expect(worst(["good", "bad", "limit"])).toBe("bad");
  expect(worst([])).toBe("none");
});

test("samples are kept by row and survive a new list of points", () => {
  const store = new Store();
  store.setPoints([point(0), point(2, { source: "health" })]);
  const samples = {
    rows: Int32Array.of(0, 5),
    timeMs: Float64Array.of(10, 10),
    value: Float64Array.of(9, 1),
    quality: Uint8Array.of(0, 0),
  };
  expect(store.apply(samples)).toBe(true);
  store.setPoints([point(0), point(5)]);
  expect(store.latest(0)).toEqual({ timeMs: 10, value: 9, quality: 0 });
  expect(store.latest(5).timeMs).toBe(0);
  const device = store.devices.get("g/d");
  expect(device && store.deviceState(device)).toBe("limit");
});

test("health points make no device on the map", () => {
  const store = new Store();
  store.setPoints([point(0, { source: "health" })]);
  expect(store.devices.size).toBe(0);
});

test("search finds by any word of id or label", () => {
  const store = new Store();
  store.setPoints([point(0)]);
  expect(find(store, "насос").map((device) => device.id)).toEqual(["g/d"]);
  expect(find(store, "расход g/d").length).toBe(1);
  expect(find(store, "труба")).toEqual([]);
  expect(find(store, "  ")).toEqual([]);
});

test("the newest command to a point is the one shown, and only so many are kept", () => {
  const store = new Store();
  const command = (id: string, issued_ms: number) => ({
    id, point: "g/d/p0", row: 0, value: 1, state: "sent", issued_by: "a", issued_ms, expires_ms: 9, reason: "", history: [],
  });
  for (let i = 0; i < 250; i++) store.takeCommand(command(String(i), i));
  expect(store.commands.size).toBe(200);
  expect(store.lastCommand("g/d/p0")?.id).toBe("249");
  expect(store.lastCommand("g/d/p1")).toBeUndefined();
});
