import { expect, test } from "vitest";
import { areaLabels } from "../src/labels";

const square = (at: number, size: number): GeoJSON.Position[] => [
  [at, at], [at + size, at], [at + size, at + size], [at, at + size], [at, at],
];

function district(geometry: GeoJSON.Geometry, layer = "district"): GeoJSON.Feature {
  return { type: "Feature", properties: { layer, name: { en: "X" } }, geometry };
}

test("each area has one name, in the middle of its largest part", () => {
  const city: GeoJSON.FeatureCollection = {
    type: "FeatureCollection",
    features: [
      district({ type: "Polygon", coordinates: [square(76, 2), square(76.5, 0.1)] }),
      district({ type: "MultiPolygon", coordinates: [[square(0, 1)], [square(40, 4)]] }),
      district({ type: "Polygon", coordinates: [square(1, 1)] }, "park"),
      district({ type: "Polygon", coordinates: [] }),
    ],
  };
  const labels = areaLabels(city);
  const places = labels.features.map((one) => (one.geometry as GeoJSON.Point).coordinates);
  expect(places.length).toBe(2);
  expect(places[0]?.[0]).toBeCloseTo(77, 9);
  expect(places[0]?.[1]).toBeCloseTo(77, 9);
  expect(places[1]).toEqual([42, 42]);
  expect(labels.features[0]?.properties?.["name"]).toEqual({ en: "X" });
});

test("a ring without area is still named", () => {
  const flat = [[1, 2], [1, 2], [1, 2], [1, 2]];
  const labels = areaLabels({ type: "FeatureCollection", features: [district({ type: "Polygon", coordinates: [flat] })] });
  expect((labels.features[0]?.geometry as GeoJSON.Point).coordinates).toEqual([1, 2]);
});
