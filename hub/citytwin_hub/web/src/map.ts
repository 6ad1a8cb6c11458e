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
import { label, t, type Language } from "./i18n";
import { deviceMark, gatewayMark } from "./marks";
import { STATES, type State } from "./quality";
import type { Store } from "./store";
import { FONT, mapStyle, type Theme } from "./style-map";

// Under a bundler the map fails silently in its worker unless it is told where that lies.
setWorkerUrl(new URL(workerUrl, location.href).href);

const ALMATY: [number, number] = [76.92, 43.245];
const FLY_ZOOM = 14;

export interface MapHandlers {
  device(id: string): void;
  gateway(name: string): void;
  describe(kind: "device" | "gateway", id: string): string;
}

export class CityMap {
  private readonly map: MapLibreMap;
  private readonly hover = new Popup({ closeButton: false, closeOnClick: false, offset: 14 });
  private drawn = "";
  private ready = false;

  constructor(
    container: HTMLElement,
    private readonly city: GeoJSON.FeatureCollection,
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
    this.map.addControl(
      new AttributionControl({ compact: true, customAttribution: t("attribution", language) }),
      "bottom-left",
    );
    this.map.on("style.load", () => this.addOwnLayers());
    for (const layer of ["devices", "gateways"] as const) this.listen(layer);
    const box = bounds([...store.devices.values()].map((device) => device.place));
    if (box) this.map.fitBounds(box, { padding: 60, animate: false, maxZoom: 14 });
  }

  /** Changes theme or language; the view stays. */
  restyle(theme: Theme, language: Language): void {
    this.theme = theme;
    this.language = language;
    this.ready = false;
    this.drawn = "";
    this.map.setStyle(mapStyle(this.city, theme, language), { diff: false });
  }

  /** Draws devices and gateways anew if any state has changed. */
  refresh(): void {
    if (!this.ready) return;
    const devices = [...this.store.devices.values()].map((device) => ({
      type: "Feature" as const,
      geometry: { type: "Point" as const, coordinates: device.place },
      properties: {
        id: device.id,
        state: this.store.deviceState(device),
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
    this.map.flyTo({ center: place, zoom: Math.max(this.map.getZoom(), FLY_ZOOM), duration: 800 });
  }

  private source(id: string): GeoJSONSource {
    return this.map.getSource(id) as GeoJSONSource;
  }

  private addOwnLayers(): void {
    for (const state of STATES) this.image(`device-${state}`, deviceMark(state));
    this.image("gateway-true", gatewayMark(true));
    this.image("gateway-false", gatewayMark(false));
    const empty = { type: "FeatureCollection" as const, features: [] };
    for (const id of ["gateways", "devices"]) this.map.addSource(id, { type: "geojson", data: empty });
    const dark = this.theme === "dark";
    const text = {
      "text-field": ["step", ["zoom"], "", 12.5, ["get", "name"]] as never,
      "text-font": [FONT],
      "text-size": 11,
      "text-offset": [0, 1.1] as [number, number],
      "text-anchor": "top" as const,
      "text-optional": true,
    };
    const paint = {
      "text-color": dark ? "#e6e9ed" : "#24272b",
      "text-halo-color": dark ? "#0d1013" : "#ffffff",
      "text-halo-width": 1.5,
    };
    const common = { "icon-allow-overlap": true, ...text };
    this.map.addLayer({
      id: "gateways",
      type: "symbol",
      source: "gateways",
      layout: { "icon-image": ["concat", "gateway-", ["to-string", ["get", "connected"]]], ...common },
      paint,
    });
    const order: Record<State, number> = { none: 0, good: 1, uncertain: 2, limit: 3, bad: 4 };
    this.map.addLayer({
      id: "devices",
      type: "symbol",
      source: "devices",
      layout: {
        "icon-image": ["concat", "device-", ["get", "state"]],
        // The worst is drawn last, on top of the rest.
        "symbol-sort-key": ["match", ["get", "state"], ...Object.entries(order).flat(), 0] as never,
        ...common,
      },
      paint,
    });
    this.ready = true;
    this.refresh();
  }

  private image(name: string, data: ImageData): void {
    if (!this.map.hasImage(name)) this.map.addImage(name, data, { pixelRatio: 2 });
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

function bounds(places: [number, number][]): [[number, number], [number, number]] | null {
  if (!places.length) return null;
  const lon = places.map((place) => place[0]);
  const lat = places.map((place) => place[1]);
  return [
    [Math.min(...lon), Math.min(...lat)],
    [Math.max(...lon), Math.max(...lat)],
  ];
}
