// Quality codes as the hub writes them (citytwin.quality), and what the map makes of a point.
import type { PointInfo } from "./types";

export type State = "good" | "limit" | "uncertain" | "bad" | "none";

/** From harmless to worst; a device shows its worst point. */
export const STATES: readonly State[] = ["none", "good", "uncertain", "limit", "bad"];

const REASONS: Record<number, string> = {
  0x00: "good",
  0x41: "clock",
  0x42: "stale",
  0x43: "range",
  0x44: "rate",
  0x45: "flatline",
  0x81: "silent",
  0x82: "malformed",
  0x83: "out_of_range",
  0x84: "not_a_number",
  0x85: "refused",
  0x86: "stale",
  0x87: "overflow",
};

export function reasonOf(quality: number): string {
  return REASONS[quality] ?? "unknown";
}

export function severityOf(quality: number): 0 | 1 | 2 {
  return Math.min(2, quality >> 6) as 0 | 1 | 2;
}

/** What a point's latest sample means to an operator; NaN time: there has been none. */
export function stateOf(point: PointInfo, timeMs: number, value: number, quality: number): State {
  if (!(timeMs > 0)) return "none";
  const severity = severityOf(quality);
  if (severity === 2) return "bad";
  if (severity === 1) return "uncertain";
  if (point.kind === "alarm") return value > 0 ? "limit" : "good";
  if (point.normal) {
    const [low, high] = point.normal;
    if ((low !== null && value < low) || (high !== null && value > high)) return "limit";
  }
  return "good";
}

export function worst(states: Iterable<State>): State {
  let index = 0;
  for (const state of states) index = Math.max(index, STATES.indexOf(state));
  return STATES[index] ?? "none";
}
