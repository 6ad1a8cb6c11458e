// The map's style: base layers from the hub's own GeoJSON, fonts that ship with the page.
import type { FontFacesSpecification, StyleSpecification } from "maplibre-gl";
import cyrillicExt from "@fontsource/noto-sans/files/noto-sans-cyrillic-ext-400-normal.woff2?url";
import cyrillic from "@fontsource/noto-sans/files/noto-sans-cyrillic-400-normal.woff2?url";
import latin from "@fontsource/noto-sans/files/noto-sans-latin-400-normal.woff2?url";
import type { Language } from "./i18n";
import { areaLabels } from "./labels";

export const FONT = "Noto Sans Regular";

const absolute = (url: string): string => new URL(url, location.href).href;

/** Ranges as the font's maker cut them; Kazakh's Ә Ғ Қ Ң Ө Ұ Ү Һ lie in the extended part. */
const FONT_FACES = (): FontFacesSpecification => ({
  [FONT]: [
    { url: absolute(cyrillicExt), "unicode-range": ["U+0460-052F", "U+2116"] },
    { url: absolute(cyrillic), "unicode-range": ["U+0400-045F", "U+0490-0491", "U+04B0-04B1"] },
    { url: absolute(latin), "unicode-range": ["U+0000-00FF", "U+2000-206F", "U+20AC", "U+2122"] },
  ],
});

const PALETTES = {
  light: {
    ground: "#f3f1ec",
    district: "#e8e5dd",
    border: "#a39a87",
    street: "#ffffff",
    casing: "#d6d0c4",
    water: "#9cc6e6",
    park: "#cfe3c0",
    network: "#3f7cb8",
    text: "#3c3a36",
    halo: "#ffffff",
  },
  dark: {
    ground: "#14181d",
    district: "#1b2128",
    border: "#66727f",
    street: "#323a44",
    casing: "#0d1013",
    water: "#1f4b70",
    park: "#1e3325",
    network: "#4c9be0",
    text: "#d5dae0",
    halo: "#0d1013",
  },
} as const;

export type Theme = keyof typeof PALETTES;

const named = (language: Language): unknown[] => [
  "coalesce",
  ["get", language, ["get", "name"]],
  ["get", "ru", ["get", "name"]],
  ["get", "en", ["get", "name"]],
  "",
];

/** Returns the whole style; devices and gateways are added by the map itself. */
export function mapStyle(
  city: GeoJSON.FeatureCollection,
  theme: Theme,
  language: Language,
): StyleSpecification {
  const p = PALETTES[theme];
  const of = (layer: string): unknown => ["==", ["get", "layer"], layer];
  const line = (id: string, layer: string, color: string, width: unknown, extra: object = {}): unknown => ({
    id,
    type: "line",
    source: "city",
    filter: of(layer),
    layout: { "line-cap": "round", "line-join": "round" },
    paint: { "line-color": color, "line-width": width, ...extra },
  });
  const zoomed = (near: number, far: number): unknown =>
    ["interpolate", ["exponential", 1.5], ["zoom"], 10, far, 16, near];
  const text = (id: string, layer: string, size: number, layout: object, source = "city"): unknown => ({
    id,
    type: "symbol",
    source,
    filter: of(layer),
    layout: { "text-field": named(language), "text-font": [FONT], "text-size": size, ...layout },
    paint: { "text-color": p.text, "text-halo-color": p.halo, "text-halo-width": 1.5 },
  });
  const layers: unknown[] = [
    { id: "ground", type: "background", paint: { "background-color": p.ground } },
    { id: "districts", type: "fill", source: "city", filter: of("district"), paint: { "fill-color": p.district } },
    { id: "parks", type: "fill", source: "city", filter: of("park"), paint: { "fill-color": p.park } },
    { id: "buildings", type: "fill", source: "city", filter: of("building"), paint: { "fill-color": p.border, "fill-opacity": 0.5 } },
    line("district-borders", "district", p.border, 1.2, { "line-dasharray": [3, 2] }),
    line("rivers", "river", p.water, zoomed(8, 1.5)),
    line("street-casings", "street", p.casing, zoomed(16, 2.5)),
    line("streets", "street", p.street, zoomed(12, 1.5)),
    line("rails", "rail", p.border, zoomed(3, 1), { "line-dasharray": [4, 3] }),
    line("network", "network", p.network, zoomed(5, 1.2), { "line-opacity": 0.75 }),
    text("river-names", "river", 11, { "symbol-placement": "line" }),
    text("street-names", "street", 11, { "symbol-placement": "line" }),
    text("place-names", "label", 12, { "text-offset": [0, 0.8] }),
    text("district-names", "district", 14, {
      "text-letter-spacing": 0.06,
      "text-max-width": 8,
      // Part of the ground: it gives way to nothing, and nothing gives way to it.
      "text-allow-overlap": true,
      "text-ignore-placement": true,
    }, "areas"),
  ];
  return {
    version: 8,
    "font-faces": FONT_FACES(),
    sources: {
      city: { type: "geojson", data: city },
      areas: { type: "geojson", data: areaLabels(city) },
    },
    layers: layers as StyleSpecification["layers"],
  };
}
