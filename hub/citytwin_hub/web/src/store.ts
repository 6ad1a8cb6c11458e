// What the page knows: points, their latest samples in columns, devices, gateways, alarms, commands.
import type { Samples } from "./frames";
import { isStale, stateOf, worst, type State } from "./quality";
import type { Alarm, Command, Gateway, Label, Me, PointInfo } from "./types";

const COMMANDS_KEPT = 200;
const LISTENERS_MAX = 100;

export interface Device {
  id: string;
  gateway: string;
  name: string;
  label: Label;
  place: [number, number];
  points: PointInfo[];
}

export interface Latest {
  timeMs: number;
  value: number;
  quality: number;
}

/** A kernel puts its alarm point behind the point that it watches, with a dot and a name. */
const withoutAlarm = (id: string): string => id.replace(/\.[^./]*$/, "");

export class Store {
  me: Me = { name: "", role: "", acts: [] };
  points = new Map<number, PointInfo>();
  byId = new Map<string, PointInfo>();
  devices = new Map<string, Device>();
  gateways: Gateway[] = [];
  alarms: Alarm[] = [];
  commands = new Map<string, Command>();
  connected = false;
  /** How far the hub's clock is ahead of this computer's, in milliseconds. */
  aheadMs = 0;
  heardMs = 0;
  private timeMs = new Float64Array(0);
  private value = new Float64Array(0);
  private quality = new Uint8Array(0);
  private connectedGateways = new Set<string>();
  private listeners: ((samples: Samples) => void)[] = [];

  /** Takes the list of points and groups them into devices; health points stay off the map. */
  setPoints(points: PointInfo[]): void {
    this.points = new Map(points.map((point) => [point.row, point]));
    this.byId = new Map(points.map((point) => [point.id, point]));
    const rows = points.reduce((most, point) => Math.max(most, point.row + 1), 0);
    const grown = <T extends Float64Array | Uint8Array>(old: T, fresh: T): T => {
      fresh.set(old.subarray(0, Math.min(old.length, fresh.length)));
      return fresh;
    };
    this.timeMs = grown(this.timeMs, new Float64Array(rows));
    this.value = grown(this.value, new Float64Array(rows));
    this.quality = grown(this.quality, new Uint8Array(rows));
    const groups = new Map<string, PointInfo[]>();
    for (const point of points) {
      if (point.source === "health") continue;
      const id = `${point.gateway}/${point.device}`;
      groups.set(id, [...(groups.get(id) ?? []), point]);
    }
    this.devices = new Map();
    for (const [id, members] of groups) {
      const placed = members.find((point) => point.place);
      const first = members[0];
      if (!placed?.place || !first) continue;
      this.devices.set(id, {
        id,
        gateway: first.gateway,
        name: first.device,
        label: first.device_label,
        place: [placed.place[0], placed.place[1]],
        points: members,
      });
    }
  }

  /** Takes samples; returns whether there was a row that is not known yet. */
  apply(samples: Samples): boolean {
    let unknown = false;
    for (let index = 0; index < samples.rows.length; index++) {
      const row = samples.rows[index] as number;
      if (row < 0 || row >= this.timeMs.length || !this.points.has(row)) {
        unknown = true;
        continue;
      }
      this.timeMs[row] = samples.timeMs[index] as number;
      this.value[row] = samples.value[index] as number;
      this.quality[row] = samples.quality[index] as number;
    }
    for (const listener of this.listeners) listener(samples);
    return unknown;
  }

  /** The time by the hub's clock: an age must not depend on how this computer's is set. */
  nowMs(): number {
    return Date.now() + this.aheadMs;
  }

  latest(row: number): Latest {
    return {
      timeMs: this.timeMs[row] ?? 0,
      value: this.value[row] ?? Number.NaN,
      quality: this.quality[row] ?? 0,
    };
  }

  pointState(point: PointInfo, nowMs: number): State {
    const { timeMs, value, quality } = this.latest(point.row);
    return stateOf(point, timeMs, value, quality, this.stale(point, nowMs));
  }

  /** Tells whether a point's value is too old to speak of now. */
  stale(point: PointInfo, nowMs: number): boolean {
    const age = nowMs - this.latest(point.row).timeMs;
    const isConnected = this.connected && this.connectedGateways.has(point.gateway);
    return isStale(age, isConnected, point.source === "derived");
  }

  deviceState(device: Device, nowMs: number): State {
    const states = device.points
      // What the alarm of a limit says, the value itself says more exactly.
      .filter((point) => !(point.id.endsWith(".alarm") && this.byId.has(withoutAlarm(point.id))))
      .map((point) => this.pointState(point, nowMs));
    return worst(states);
  }

  setGateways(gateways: Gateway[]): void {
    this.gateways = gateways;
    this.connectedGateways = new Set(gateways.filter((one) => one.connected).map((one) => one.name));
  }

  /** Returns the point that an alarm is about. */
  origin(alarm: Alarm): PointInfo | undefined {
    if (alarm.point === null) return undefined;
    return alarm.kind === "missing" ? this.byId.get(alarm.point) : this.watched(alarm.point);
  }

  /** Returns the point behind which an alarm point is, if that is there. */
  watched(alarmPoint: string): PointInfo | undefined {
    return this.byId.get(withoutAlarm(alarmPoint));
  }

  takeCommand(command: Command): void {
    this.commands.delete(command.id);
    this.commands.set(command.id, command);
    for (const id of this.commands.keys()) {
      if (this.commands.size <= COMMANDS_KEPT) break;
      this.commands.delete(id);
    }
  }

  /** Returns the newest command to a point. */
  lastCommand(point: string): Command | undefined {
    let found: Command | undefined;
    for (const command of this.commands.values()) {
      if (command.point === point && (!found || command.issued_ms >= found.issued_ms)) found = command;
    }
    return found;
  }

  mayCommand(): boolean {
    return this.me.acts.includes("command");
  }

  /** Calls back with every frame of samples, until the returned function is called. */
  onSamples(listener: (samples: Samples) => void): () => void {
    if (this.listeners.length >= LISTENERS_MAX) throw new Error("too many listeners for samples");
    this.listeners = [...this.listeners, listener];
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    };
  }
}
