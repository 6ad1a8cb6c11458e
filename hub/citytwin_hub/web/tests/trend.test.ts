import { expect, test } from "vitest";
import { stretches, withGaps } from "../src/trend";

test("stretches run from their first sample to the one after", () => {
  const [yes, no] = [true, false];
  expect(stretches([no, yes, yes, no, yes])).toEqual([[1, 3], [4, 4]]);
  expect(stretches([yes])).toEqual([[0, 0]]);
  expect(stretches([no, no])).toEqual([]);
  expect(stretches([])).toEqual([]);
});

test("a silence that is long for its point is a gap", () => {
  const steady = Array.from({ length: 100 }, (_, index) => index * 1000);
  const values = steady.map(() => 1);
  expect(withGaps(steady, values).times).toEqual(steady);
  const cut = withGaps([...steady, 99_000 + 9_000, 99_000 + 20_000], [...values, 2, 3]);
  expect(cut.times.slice(-3)).toEqual([108_000, 118_999, 119_000]);
  expect(cut.values.slice(-3)).toEqual([2, null, 3]);
  expect(cut.origin.slice(-3)).toEqual([100, -1, 101]);
  const rare = [0, 300_000, 600_000, 900_000];
  expect(withGaps(rare, [1, 1, 1, 1]).times).toEqual(rare);
  expect(withGaps([0, 3_600_000], [1, 1]).values).toEqual([1, null, 1]);
  expect(withGaps([], []).times).toEqual([]);
});
