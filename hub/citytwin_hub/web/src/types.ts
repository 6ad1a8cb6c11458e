// What the hub's REST and live APIs send (docs/architecture.md).
import type { Language } from "./i18n";

export interface Label {
  kk?: string;
  ru?: string;
  en?: string;
}

export type Span = [number | null, number | null];

export interface PointInfo {
  row: number;
  id: string;
  gateway: string;
  device: string;
  name: string;
  unit: string;
  symbol: Record<Language, string>;
  kind: "analog" | "counter" | "state" | "text" | "alarm";
  source: "measured" | "derived" | "health" | "forecast" | "simulated";
  label: Label;
  device_label: Label;
  place: [number, number, number | null] | null;
  valid: Span | null;
  normal: Span | null;
  writable: Span | null;
  feeds: string;
  attribute: string;
}

export interface Gateway {
  name: string;
  state: string;
  connected: boolean;
  since_ms: number | null;
  last_seen_ms: number | null;
  software: string;
  address: string;
  points: number;
  place: [number, number, number | null] | null;
  label: Label;
  outbox_entries: number | null;
  outbox_bytes: number | null;
  clock_offset_ms: number | null;
  entries: number;
  samples: number;
  repeated: number;
  refused: number;
}

export interface Alarm {
  id: number | string;
  state: "raised" | "acknowledged" | "returned";
  kind: string;
  row: number | null;
  point: string | null;
  gateway: string;
  since_ms: number;
  returned_ms: number | null;
  acknowledged_by: string | null;
  severity: string;
  text: Label;
  value: number | null;
  began_ms: number;
}

export interface Command {
  id: string;
  point: string;
  row: number;
  value: number;
  state: string;
  issued_by: string;
  issued_ms: number;
  due_ms: number;
  expires_ms: number;
  reason: Label;
  history: { state: string; at_ms: number; reason: Label }[];
}

export interface Me {
  name: string;
  role: string;
  acts: string[];
}

/** The base map; it may say whom it is owed to. */
export type City = GeoJSON.FeatureCollection & { attribution?: Label | string };

export interface Trend {
  timeMs: number[];
  value: (number | null)[];
  quality: number[];
}
