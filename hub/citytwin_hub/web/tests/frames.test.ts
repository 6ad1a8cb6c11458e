import { expect, test } from "vitest";
import { decodeFrame } from "../src/frames";

function frame(rows: number[], values: number[], quality: number[]): ArrayBuffer {
  const count = rows.length;
  const buffer = new ArrayBuffer(8 + 21 * count);
  const view = new DataView(buffer);
  view.setUint8(0, 1);
  view.setUint32(4, count, true);
  rows.forEach((row, i) => view.setInt32(8 + 4 * i, row, true));
  values.forEach((_, i) => view.setFloat64(8 + 4 * count + 8 * i, 1000 + i, true));
  values.forEach((value, i) => view.setFloat64(8 + 12 * count + 8 * i, value, true));
  quality.forEach((code, i) => view.setUint8(8 + 20 * count + i, code));
  return buffer;
}

test("a frame gives its four columns, whatever their alignment", () => {
  const samples = decodeFrame(frame([7, 8, 9], [1.5, Number.NaN, -2], [0, 0x81, 0x41]));
  expect([...samples.rows]).toEqual([7, 8, 9]);
  expect([...samples.timeMs]).toEqual([1000, 1001, 1002]);
  expect([...samples.value]).toEqual([1.5, Number.NaN, -2]);
  expect([...samples.quality]).toEqual([0, 0x81, 0x41]);
});

test("what is not a frame is refused", () => {
  expect(() => decodeFrame(new ArrayBuffer(3))).toThrow(/header/);
  expect(() => decodeFrame(new ArrayBuffer(8))).toThrow(/version 0/);
  expect(() => decodeFrame(frame([1], [1], [0]).slice(0, 20))).toThrow(/do not hold/);
});
