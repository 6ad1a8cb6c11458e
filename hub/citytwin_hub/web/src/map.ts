// The map: base layers, devices by state, gateways by connection; tells what was clicked.
import {
  AttributionControl,
  MapLibreMap,
  NavigationControl,
  Popup,
  ScaleControl,
  setWorkerUrl,
  type GeoJSONSource,
  type MapLayerMouseEvent,
} from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import "maplibre-gl/dist/maplibre-gl.css";
import { label, type Language } from "./i18n";
import { deviceMark, gatewayMark } from "./marks";
import { STATES } from "./quality";
import type { Store } from "./store";
import { FONT, mapStyle, type Theme } from "./style-map";
import type { City } from "./types";

// Under a bundler the map fails silently in its worker unless it is told where that lies.
setWorkerUrl(new URL(workerUrl, location.href).href);

const ALMATY: [number, number] = [76.92, 43.245];
const FLY_ZOOM = 14;
/** From here on a device shows its first value, from the next its name too. */
const VALUE_ZOOM = 12;
const NAME_ZOOM = 13;
/** Values on the map change at most so often; states at once. */
const VALUES_MS = 2000;

export interface MapHandlers {
  device(id: string): void;
  gateway(name: string): void;
  describe(kind: "device" | "gateway", id: string): string;
  /** The value that stands beside a device on the map. */
  value(id: string): string;
}

export class CityMap {
  private readonly map: MapLibreMap;
  private readonly hover = new Popup({ closeButton: false, closeOnClick: false, offset: 14 });
  private drawn = "";
  private valuesMs = 0;
  private values = new Map<string, string>();
  private ready = false;
  private attribution: AttributionControl | null = null;

  constructor(
    container: HTMLElement,
    private readonly city: City,
    private readonly store: Store,
    private readonly handlers: MapHandlers,
    private theme: Theme,
    private language: Language,
  ) {
    this.map = new MapLibreMap({
      container,
      style: mapStyle(city, theme, language),
      center: ALMATY,
      zoom: 11,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
    });
    this.map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
    this.map.addControl(new ScaleControl({ unit: "metric" }), "bottom-left");
    this.attribute();
    this.map.setMissingStyleImageResolver((name) => this.drawMark(name));
    this.map.on("style.load", () => this.addOwnLayers());
    for (const layer of ["devices", "gateways"] as const) this.listen(layer);
    const box = bounds([...store.devices.values()].map((device) => device.place));
    if (box) this.map.fitBounds(box, { padding: free(false), animate: false, maxZoom: 14 });
  }

  /** Changes theme or language; the view stays. */
  restyle(theme: Theme, language: Language): void {
    this.theme = theme;
    this.language = language;
    this.ready = false;
    this.drawn = "";
    this.map.setStyle(mapStyle(this.city, theme, language), { diff: false });
    this.attribute();
  }

  /** Draws devices and gateways anew if any state has changed, and values now and then. */
  refresh(nowMs: number): void {
    if (!this.ready) return;
    this.readValues(nowMs);
    const devices = [...this.store.devices.values()].map((device) => ({
      type: "Feature" as const,
      geometry: { type: "Point" as const, coordinates: device.place },
      properties: {
        id: device.id,
        state: this.store.deviceState(device, nowMs),
        value: this.values.get(device.id) ?? "",
        name: label(device.label, this.language, device.name),
      },
    }));
    const gateways = this.store.gateways.flatMap((gateway) =>
      gateway.place
        ? [
            {
              type: "Feature" as const,
              geometry: { type: "Point" as const, coordinates: [gateway.place[0], gateway.place[1]] },
              properties: {
                id: gateway.name,
                connected: gateway.connected,
                name: label(gateway.label, this.language, gateway.name),
              },
            },
          ]
        : [],
    );
    const now = JSON.stringify([devices, gateways]);
    if (now === this.drawn) return;
    this.drawn = now;
    this.source("devices").setData({ type: "FeatureCollection", features: devices });
    this.source("gateways").setData({ type: "FeatureCollection", features: gateways });
  }

  flyTo(place: [number, number]): void {
    const zoom = Math.max(this.map.getZoom(), FLY_ZOOM);
    const margin = free(true);
    const offset: [number, number] = [(margin.left - margin.right) / 2, (margin.top - margin.bottom) / 2];
    this.map.flyTo({ center: place, zoom, duration: 800, offset });
  }

  /** Reads the values that can be seen: of the devices in view, near enough to have room. */
  private readValues(nowMs: number): void {
    if (Math.abs(nowMs - this.valuesMs) < VALUES_MS) return;
    this.valuesMs = nowMs;
    this.values.clear();
    if (this.map.getZoom() < VALUE_ZOOM) return;
    const view = this.map.getBounds();
    for (const device of this.store.devices.values()) {
      if (view.contains(device.place)) this.values.set(device.id, this.handlers.value(device.id));
    }
  }

  /** Says whom the map is owed to, where the map itself says so; always in sight. */
  private attribute(): void {
    if (this.attribution) this.map.removeControl(this.attribution);
    const owed = this.city.attribution;
    this.attribution = owed
      ? new AttributionControl({
          compact: false,
          customAttribution: typeof owed === "string" ? owed : label(owed, this.language, ""),
        })
      : null;
    if (this.attribution) this.map.addControl(this.attribution, "bottom-left");
  }

  private source(id: string): GeoJSONSource {
    return this.map.getSource(id) as GeoJSONSource;
  }

  private addOwnLayers(): void {
    const empty = { type: "FeatureCollection" as const, features: [] };
    for (const id of ["gateways", "devices"]) this.map.addSource(id, { type: "geojson", data: empty });
    const dark = this.theme === "dark";
    const text = (near: unknown, nearest: unknown) => ({
      "text-field": ["step", ["zoom"], "", VALUE_ZOOM, near, NAME_ZOOM, nearest] as never,
      "text-font": [FONT],
      "text-size": 11,
      "text-offset": [0, 1.1] as [number, number],
      "text-anchor": "top" as const,
      "text-optional": true,
      "icon-allow-overlap": true,
    });
    const paint = {
      "text-color": dark ? "#e6e9ed" : "#24272b",
      "text-halo-color": dark ? "#0d1013" : "#ffffff",
      "text-halo-width": 1.5,
    };
    this.map.addLayer({
      id: "gateways",
      type: "symbol",
      source: "gateways",
      layout: { "icon-image": ["concat", "gateway-", ["to-string", ["get", "connected"]]], ...text("", ["get", "name"]) },
      paint,
    });
    const named = ["format", ["get", "value"], {}, "\n", {}, ["get", "name"], { "font-scale": 0.9 }];
    this.map.addLayer({
      id: "devices",
      type: "symbol",
      source: "devices",
      layout: {
        "icon-image": ["concat", "device-", ["get", "state"]],
        // The worst is drawn last, on top of the rest.
        "symbol-sort-key": ["match", ["get", "state"], ...STATES.flatMap((state, index) => [state, index]), 0] as never,
        ...text(["get", "value"], named),
      },
      paint,
    });
    this.ready = true;
    this.valuesMs = 0;
    this.refresh(this.store.nowMs());
  }

  /**
   * Draws a mark when the map first asks for it. A change of style forgets all marks, and tiles of
   * the old style may still ask for theirs before the new one has loaded.
   */
  private drawMark(name: string): void {
    const state = STATES.find((one) => name === `device-${one}`);
    const mark = state ? deviceMark(state) : gatewayMark(name === "gateway-true");
    if (!this.map.hasImage(name)) this.map.addImage(name, mark, { pixelRatio: 2 });
  }

  private listen(layer: "devices" | "gateways"): void {
    const kind = layer === "devices" ? "device" : "gateway";
    const idOf = (event: MapLayerMouseEvent): string => String(event.features?.[0]?.properties["id"] ?? "");
    this.map.on("click", layer, (event) => this.handlers[kind](idOf(event)));
    this.map.on("mousemove", layer, (event) => {
      this.map.getCanvas().style.cursor = "pointer";
      this.hover.setLngLat(event.lngLat).setText(this.handlers.describe(kind, idOf(event))).addTo(this.map);
    });
    this.map.on("mouseleave", layer, () => {
      this.map.getCanvas().style.cursor = "";
      this.hover.remove();
    });
  }
}

/** The margins of the map that panels cover, in pixels: beside it, or below it on a phone. */
function free(cardIsOpen: boolean): { top: number; right: number; bottom: number; left: number } {
  if (innerWidth <= 700) return { top: 60, right: 30, bottom: cardIsOpen ? innerHeight * 0.55 : 70, left: 30 };
  return { top: 50, right: cardIsOpen ? 410 : 60, bottom: 70, left: 370 };
}

function bounds(places: [number, number][]): [[number, number], [number, number]] | null {
  if (!places.length) return null;
  const lon = places.map((place) => place[0]);
  const lat = places.map((place) => place[1]);
  return [
    [Math.min(...lon), Math.min(...lat)],
    [Math.max(...lon), Math.max(...lat)],
  ];
}
