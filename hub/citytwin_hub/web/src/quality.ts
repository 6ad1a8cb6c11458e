// Quality codes as the hub writes them (citytwin.quality), and what the map makes of a point.
import type { PointInfo } from "./types";

export type State = "good" | "low" | "high" | "stale" | "uncertain" | "unusual" | "bad" | "none";

/** From harmless to worst; a device shows its worst point. */
export const STATES: readonly State[] = ["none", "good", "stale", "uncertain", "unusual", "low", "high", "bad"];

/** A gateway sends every value at least each 10 minutes; one that is older has not been renewed. */
export const STALE_MS = 15 * 60_000;
/** While its gateway is away a value says nothing of now; so much is allowed for a reconnection. */
export const AWAY_MS = 15_000;

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

/**
 * Tells whether a value is too old to speak of now. What a kernel derives is told when there is
 * something to tell, each hour or with each alarm; one that fails says so itself.
 */
export function isStale(ageMs: number, gatewayIsConnected: boolean, isDerived = false): boolean {
  return ageMs > (gatewayIsConnected ? (isDerived ? Number.POSITIVE_INFINITY : STALE_MS) : AWAY_MS);
}

/** What a point's latest sample means to an operator; NaN time: there has been none. */
export function stateOf(
  point: PointInfo,
  timeMs: number,
  value: number,
  quality: number,
  stale = false,
): State {
  if (!(timeMs > 0)) return "none";
  const severity = severityOf(quality);
  if (severity === 2) return "bad";
  // An alarm point speaks only when something changes.
  if (point.kind === "alarm") return value > 0 ? raised(point.id) : "good";
  if (stale) return "stale";
  if (severity === 1) return "uncertain";
  if (point.normal) {
    const [low, high] = point.normal;
    if (low !== null && value < low) return "low";
    if (high !== null && value > high) return "high";
  }
  return "good";
}

/** What a raised alarm point says: a limit was broken, or a kernel found something out of the ordinary. */
function raised(id: string): State {
  return id.endsWith(".alarm") ? "high" : "unusual";
}

export function worst(states: Iterable<State>): State {
  let index = 0;
  for (const state of states) index = Math.max(index, STATES.indexOf(state));
  return STATES[index] ?? "none";
}
