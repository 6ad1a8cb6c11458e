import { expect, test } from "vitest";
import { alarmFacts, alarmState, alarmTitle, find, inOrder } from "../src/panels";
import { AWAY_MS, STALE_MS, stateOf, worst } from "../src/quality";
import { Store, type Device } from "../src/store";
import type { Alarm, Gateway, PointInfo } from "../src/types";

const alarm: Alarm = {
  id: 1, state: "raised", kind: "limit", row: 1, point: "g/d/p0.alarm", gateway: "g", since_ms: 1,
  returned_ms: null, acknowledged_by: null, severity: "medium", text: {}, value: 0.5, began_ms: 1,
};

function gateway(name: string, connected: boolean): Gateway {
  return {
    name, connected, state: "enrolled", since_ms: 1, last_seen_ms: 1, software: "", address: "",
    points: 1, place: null, label: {}, outbox_entries: 0, outbox_bytes: 0, clock_offset_ms: 0,
    entries: 0, samples: 0, repeated: 0, refused: 0,
  };
}

function point(row: number, changes: Partial<PointInfo> = {}): PointInfo {
  return {
    row,
    id: `g/d/p${row}`,
    gateway: "g",
    device: "d",
    name: `p${row}`,
    unit: "m3/h",
    symbol: { kk: "м³/сағ", ru: "м³/ч", en: "m³/h" },
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
  expect(stateOf(point(0), 1, 6, 0)).toBe("high");
  expect(stateOf(point(0), 1, 0.5, 0)).toBe("low");
  expect(stateOf(point(0), 1, 6, 0x41)).toBe("uncertain");
  expect(stateOf(point(0), 1, Number.NaN, 0x81)).toBe("bad");
  expect(stateOf(point(0, { normal: [null, 5] }), 1, -100, 0)).toBe("good");
  expect(worst(["good", "bad", "low"])).toBe("bad");
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
  expect(device && store.deviceState(device, 10)).toBe("high");
});

test("a value is out of date when its gateway is away, or when it was not renewed", () => {
  const store = new Store();
  store.setPoints([point(0)]);
  store.apply({
    rows: Int32Array.of(0),
    timeMs: Float64Array.of(1000),
    value: Float64Array.of(9),
    quality: Uint8Array.of(0),
  });
  const device = store.devices.get("g/d") as Device;
  store.connected = true;
  store.setGateways([gateway("g", true)]);
  expect(store.deviceState(device, 1000 + STALE_MS)).toBe("high");
  expect(store.deviceState(device, 1001 + STALE_MS)).toBe("stale");
  store.setGateways([gateway("g", false)]);
  expect(store.deviceState(device, 1000 + AWAY_MS)).toBe("high");
  expect(store.deviceState(device, 1001 + AWAY_MS)).toBe("stale");
  store.setGateways([gateway("g", true)]);
  store.connected = false;
  expect(store.deviceState(device, 1001 + AWAY_MS)).toBe("stale");
  expect(stateOf(point(0), 1, Number.NaN, 0x81, true)).toBe("bad");
});

test("what a kernel derives is as old as the last time that there was something to tell", () => {
  const store = new Store();
  store.setPoints([point(0, { source: "derived", normal: null })]);
  store.apply({
    rows: Int32Array.of(0),
    timeMs: Float64Array.of(1000),
    value: Float64Array.of(2),
    quality: Uint8Array.of(0),
  });
  const device = store.devices.get("g/d") as Device;
  store.connected = true;
  store.setGateways([gateway("g", true)]);
  expect(store.deviceState(device, 1000 + 24 * STALE_MS)).toBe("good");
  store.setGateways([gateway("g", false)]);
  expect(store.deviceState(device, 1001 + AWAY_MS)).toBe("stale");
});

test("an alarm shows how its point is now", () => {
  const store = new Store();
  store.setPoints([point(0), point(1, { id: "g/d/p0.alarm", kind: "alarm", normal: null })]);
  store.connected = true;
  store.setGateways([gateway("g", true)]);
  const put = (value: number): unknown =>
    store.apply({
      rows: Int32Array.of(0),
      timeMs: Float64Array.of(1000),
      value: Float64Array.of(value),
      quality: Uint8Array.of(0),
    });
  put(0.5);
  expect(store.origin(alarm)?.row).toBe(0);
  expect(alarmState(store, alarm, 1000)).toBe("low");
  expect(alarmTitle(store, alarm, "ru", 1000)).toBe("Насосная: Расход ниже нормы");
  put(7);
  expect(alarmState(store, alarm, 1000)).toBe("high");
  expect(alarmTitle(store, alarm, "ru", 1000)).toBe("Насосная: Расход выше нормы");
  put(1.01);
  expect(alarmState(store, alarm, 1000)).toBe("low");
  put(4.9);
  expect(alarmState(store, alarm, 1000)).toBe("high");
  expect(alarmTitle(store, alarm, "en", 1000)).toBe("Насосная: Расход outside normal");
  expect(alarmState(store, { ...alarm, state: "returned" }, 1000)).toBe("good");
  expect(alarmTitle(store, { ...alarm, state: "returned" }, "ru", 1000)).toBe("Насосная: Расход");
  expect(alarmTitle(store, { ...alarm, kind: "gateway", text: { ru: "Нет связи" } }, "ru", 1)).toBe("Нет связи");
  expect(alarmState(store, { ...alarm, kind: "device" }, 1000)).toBe("bad");
  const anomaly = { ...alarm, kind: "anomaly", point: "g/d/p0.anomaly", text: { ru: "не как обычно" } };
  expect(alarmState(store, anomaly, 1000)).toBe("unusual");
  expect(alarmTitle(store, anomaly, "ru", 1000)).toBe("не как обычно");
  expect(store.origin(anomaly)?.id).toBe("g/d/p0");
});

test("an alarm says how severe it is, since when, and when it had begun", () => {
  const raised = Date.UTC(2026, 10, 21, 7, 0, 0);
  const now = raised + 600_000;
  const one: Alarm = { ...alarm, severity: "high", since_ms: raised, began_ms: raised - 25 * 60_000 };
  expect(alarmFacts(one, "en", now)).toBe("active · high severity · 2026-11-21 12:00:00 · 10 min · began 2026-11-21 11:35:00");
  expect(alarmFacts(one, "ru", now)).toBe("активна · важность высокая · 21.11.2026 12:00:00 · 10 мин · началось 21.11.2026 11:35:00");
  expect(alarmFacts({ ...one, severity: "low" }, "kk", now)).toBe("белсенді · маңызы төмен · 21.11.2026 12:00:00 · 10 мин · басталғаны 21.11.2026 11:35:00");
  expect(alarmFacts({ ...one, began_ms: raised }, "en", now)).not.toContain("began");
});

test("a point that is silent is what its alarm is about, whatever dots are in its name", () => {
  const store = new Store();
  store.setPoints([point(0, { id: "g/d/p", name: "p" }), point(1, { id: "g/d/p.2", name: "p.2" })]);
  const missing = { ...alarm, kind: "missing", point: "g/d/p.2", text: { kk: "дерек тоқтады" } };
  expect(store.origin(missing)?.row).toBe(1);
  expect(alarmState(store, missing, 1000)).toBe("bad");
  expect(alarmTitle(store, missing, "kk", 1000)).toBe("дерек тоқтады");
});

test("what a kernel finds marks its device, and what a limit says the value says", () => {
  const store = new Store();
  const kinds = ["p0.alarm", "p0.anomaly"].map((name, row) => point(row + 1, { kind: "alarm", id: `g/d/${name}`, name, normal: null }));
  store.setPoints([point(0), ...kinds]);
  const put = (row: number, value: number) =>
    store.apply({
      rows: Int32Array.of(row),
      timeMs: Float64Array.of(1000),
      value: Float64Array.of(value),
      quality: Uint8Array.of(0),
    });
  const device = store.devices.get("g/d");
  if (!device) throw new Error("the device is missing");
  store.connected = true;
  store.setGateways([gateway("g", true)]);
  put(0, 3);
  put(1, 1);
  put(2, 0);
  expect(store.deviceState(device, 1000)).toBe("good");
  put(2, 1);
  expect(store.deviceState(device, 1000)).toBe("unusual");
  put(0, 7);
  expect(store.deviceState(device, 1000)).toBe("high");
  expect(store.watched("g/d/p0.anomaly")?.id).toBe("g/d/p0");
  expect(store.watched("g/d/p0.leak")?.id).toBe("g/d/p0");
  expect(store.watched("g/d/p9.leak")).toBeUndefined();
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
    id, point: "g/d/p0", row: 0, value: 1, state: "sent", issued_by: "a", issued_ms, due_ms: issued_ms, expires_ms: 9, reason: {}, history: [],
  });
  for (let i = 0; i < 250; i++) store.takeCommand(command(String(i), i));
  expect(store.commands.size).toBe(200);
  expect(store.lastCommand("g/d/p0")?.id).toBe("249");
  expect(store.lastCommand("g/d/p1")).toBeUndefined();
});

test("open and new alarms come first, but rows stay where they are while somebody points at them", () => {
  const one = (id: number, since_ms: number, state: Alarm["state"]): Alarm => ({ ...alarm, id, since_ms, state });
  const before = [one(1, 10, "raised"), one(2, 20, "returned"), one(3, 30, "raised")];
  expect(inOrder(before, null).map(({ id }) => id)).toEqual([3, 1, 2]);
  const held = new Map(inOrder(before, null).map(({ id }, index) => [id, index]));
  const after = [one(4, 40, "raised"), ...before.map((old) => (old.id === 3 ? one(3, 30, "acknowledged") : old))];
  expect(inOrder(after, held).map(({ id }) => id)).toEqual([3, 1, 2, 4]);
  expect(inOrder(after, null).map(({ id }) => id)).toEqual([4, 1, 3, 2]);
});
