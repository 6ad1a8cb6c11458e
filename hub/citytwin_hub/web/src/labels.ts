// Where the names of areas stand: one point for each, however the map is cut into tiles.

type Ring = GeoJSON.Position[];

/** Returns the named areas' points: the middle of the largest ring of each district. */
export function areaLabels(city: GeoJSON.FeatureCollection): GeoJSON.FeatureCollection {
  const features = city.features.flatMap((feature) => {
    if (feature.properties?.["layer"] !== "district") return [];
    const ring = outerRings(feature.geometry).sort((a, b) => Math.abs(area(b)) - Math.abs(area(a)))[0];
    if (!ring || ring.length < 4) return [];
    return [
      {
        type: "Feature" as const,
        properties: feature.properties,
        geometry: { type: "Point" as const, coordinates: middle(ring) },
      },
    ];
  });
  return { type: "FeatureCollection", features };
}

function outerRings(geometry: GeoJSON.Geometry): Ring[] {
  if (geometry.type === "Polygon") return geometry.coordinates.slice(0, 1);
  if (geometry.type === "MultiPolygon") return geometry.coordinates.flatMap((polygon) => polygon.slice(0, 1));
  return [];
}

function cross(a: GeoJSON.Position, b: GeoJSON.Position): number {
  return (a[0] ?? 0) * (b[1] ?? 0) - (b[0] ?? 0) * (a[1] ?? 0);
}

function area(ring: Ring): number {
  let twice = 0;
  for (let index = 1; index < ring.length; index++) {
    twice += cross(ring[index - 1] as GeoJSON.Position, ring[index] as GeoJSON.Position);
  }
  return twice / 2;
}

/** The centroid; a ring without area gives its first corner. */
function middle(ring: Ring): GeoJSON.Position {
  const size = area(ring);
  const start = ring[0] as GeoJSON.Position;
  if (size === 0) return start;
  // Counted from the first corner: far from zero the products would lose their last digits.
  const near = ring.map((at) => [(at[0] ?? 0) - (start[0] ?? 0), (at[1] ?? 0) - (start[1] ?? 0)]);
  let [east, north] = [0, 0];
  for (let index = 1; index < near.length; index++) {
    const [a, b] = [near[index - 1] as [number, number], near[index] as [number, number]];
    east += (a[0] + b[0]) * cross(a, b);
    north += (a[1] + b[1]) * cross(a, b);
  }
  return [(start[0] ?? 0) + east / (6 * size), (start[1] ?? 0) + north / (6 * size)];
}
