// The trend of one point over the last hour: history first, then every live sample.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Api, wordsOf } from "./api";
import { isSwitch, number, time, valueText } from "./format";
import { t, type Language } from "./i18n";
import { COLOURS } from "./marks";
import { severityOf } from "./quality";
import type { Store } from "./store";
import type { PointInfo } from "./types";

const HOUR_MS = 3_600_000;
/** An hour at ten samples a second. */
const SAMPLES_MAX = 36_000;
const SURPLUS = 1_000;
/** Silences that are drawn as gaps: three times the usual pause, within these. */
const GAP_MS_MIN = 10_000;
const GAP_MS_MAX = 15 * 60_000;
const REDRAW_MS = 500;

const BAD = 0x81;

export class TrendView {
  readonly element = document.createElement("div");
  private times: number[] = [];
  private values: (number | null)[] = [];
  /** Whether a sample was bad: those stretches are marked, and the curve has a gap. */
  private bad: boolean[] = [];
  /** Which sample each drawn place is; -1 where a gap was put in. */
  private shown: number[] = [];
  private readonly readout = document.createElement("output");
  private plot: uPlot | null = null;
  private timer = 0;
  private closed = false;
  private readonly forget: () => void;
  private readonly resized: ResizeObserver;

  constructor(
    api: Api,
    store: Store,
    private readonly point: PointInfo,
    private readonly language: Language,
    private readonly dark: boolean,
  ) {
    this.element.className = "trend";
    this.element.dataset["row"] = String(point.row);
    this.readout.className = "readout";
    this.element.append(this.readout);
    this.forget = store.onSamples((samples) => {
      for (let index = 0; index < samples.rows.length; index++) {
        if (samples.rows[index] !== point.row) continue;
        this.add(samples.timeMs[index] ?? 0, samples.value[index] ?? null, samples.quality[index] ?? 0);
      }
    });
    this.resized = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.resized.observe(this.element);
    void this.load(api);
  }

  close(): void {
    this.closed = true;
    this.forget();
    this.resized.disconnect();
    window.clearTimeout(this.timer);
    this.plot?.destroy();
  }

  private async load(api: Api): Promise<void> {
    const now = Date.now();
    try {
      const trend = await api.trend(this.point.row, now - HOUR_MS, now + 60_000);
      const live = this.times.map((ms, index) => [ms, this.values[index] ?? null, this.bad[index] ? BAD : 0] as const);
      [this.times, this.values, this.bad] = [[], [], []];
      trend.timeMs.forEach((ms, index) => this.add(ms, trend.value[index] ?? null, trend.quality[index] ?? 0));
      for (const [ms, value, quality] of live) this.add(ms, value, quality);
    } catch (error) {
      if (!this.closed) this.element.textContent = wordsOf(error, this.language);
      return;
    }
    if (!this.closed) this.draw();
  }

  private add(ms: number, value: number | null, quality: number): void {
    const last = this.times[this.times.length - 1];
    // A late sample is for the history, not for the running end of a curve.
    if (last !== undefined && ms <= last) return;
    const bad = severityOf(quality) === 2;
    this.push(ms, value !== null && Number.isFinite(value) && !bad ? value : null, bad);
    if (this.times.length > SAMPLES_MAX + SURPLUS) {
      for (const column of [this.times, this.values, this.bad]) column.splice(0, SURPLUS);
    }
    if (this.plot && !this.timer) {
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        this.draw();
      }, REDRAW_MS);
    }
  }

  private push(ms: number, value: number | null, bad: boolean): void {
    this.times.push(ms);
    this.values.push(value);
    this.bad.push(bad);
  }

  /** Says what stands under the cursor. */
  private read(plot: uPlot): void {
    const index = this.shown[plot.cursor.idx ?? -1] ?? -1;
    const ms = this.times[index];
    if (ms === undefined) {
      this.readout.textContent = "";
      return;
    }
    const value = this.values[index] ?? Number.NaN;
    const what = this.bad[index] ? t("state.bad", this.language) : valueText(this.point, value, this.language);
    this.readout.textContent = `${time(ms)}  ${what}`;
  }

  private draw(): void {
    const drawn = withGaps(this.times, this.values);
    this.shown = drawn.origin;
    const data: uPlot.AlignedData = [drawn.times.map((ms) => ms / 1000), drawn.values];
    this.element.dataset["samples"] = String(this.times.length);
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(this.options(), data, this.element);
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(240, this.element.clientWidth - 16), height: 180 };
  }

  private options(): uPlot.Options {
    const ink = this.dark ? "#c9d1d9" : "#3c3a36";
    const grid = { stroke: this.dark ? "#2a323b" : "#e3dfd6", width: 1 };
    const axis = { stroke: ink, grid, ticks: grid, font: "11px 'Noto Sans', sans-serif" };
    const [low, high] = this.point.normal ?? [null, null];
    const stepped = this.point.kind === "state" || this.point.kind === "alarm";
    return {
      ...this.size(),
      // The axis is in Almaty's time whatever the browser's zone is.
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Asia/Almaty"),
      scales: {
        x: {
          time: true,
          range: (_plot, _low, max) => {
            const end = Math.max(max || 0, Date.now() / 1000);
            return [end - HOUR_MS / 1000, end];
          },
        },
        ...(isSwitch(this.point) ? { y: { range: [-0.2, 1.2] as [number, number] } } : {}),
      },
      legend: { show: false },
      cursor: { y: false },
      axes: [
        { ...axis, values: (_plot, splits) => splits.map((second) => time(second * 1000).slice(0, 5)) },
        isSwitch(this.point)
          ? { ...axis, size: 76, splits: () => [0, 1], values: () => [0, 1].map((value) => valueText(this.point, value, this.language)) }
          : { ...axis, size: 56, values: (_plot, splits) => splits.map((value) => number(value, this.language)) },
      ],
      series: [
        {},
        {
          label: t("card.trend", this.language),
          stroke: this.dark ? "#56b4e9" : "#0072b2",
          width: 1.5,
          points: { show: false },
          ...(stepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
        },
      ],
      hooks: {
        setCursor: [(plot) => this.read(plot)],
        drawClear: [
          (plot) => this.markBad(plot),
          (plot) => {
            if (low === null && high === null) return;
            const top = high === null ? plot.bbox.top : plot.valToPos(high, "y", true);
            const bottom =
              low === null ? plot.bbox.top + plot.bbox.height : plot.valToPos(low, "y", true);
            plot.ctx.save();
            plot.ctx.beginPath();
            plot.ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
            plot.ctx.clip();
            plot.ctx.fillStyle = `${COLOURS.good}22`;
            plot.ctx.fillRect(plot.bbox.left, top, plot.bbox.width, bottom - top);
            plot.ctx.strokeStyle = COLOURS.good;
            plot.ctx.setLineDash([4, 4]);
            plot.ctx.strokeRect(plot.bbox.left - 2, top, plot.bbox.width + 4, bottom - top);
            plot.ctx.restore();
          },
        ],
      },
    };
  }

  /** Shades the stretches in which every sample was bad. */
  private markBad(plot: uPlot): void {
    plot.ctx.save();
    plot.ctx.fillStyle = `${COLOURS.bad}33`;
    for (const [from, to] of stretches(this.bad)) {
      const left = plot.valToPos((this.times[from] ?? 0) / 1000, "x", true);
      const right = plot.valToPos((this.times[to] ?? 0) / 1000, "x", true);
      const start = Math.max(left, plot.bbox.left);
      plot.ctx.fillRect(start, plot.bbox.top, Math.max(right - start, 2), plot.bbox.height);
    }
    plot.ctx.restore();
  }
}

/** Returns the curve with an empty place in every silence that is long for this point. */
export function withGaps(
  times: readonly number[],
  values: readonly (number | null)[],
): { times: number[]; values: (number | null)[]; origin: number[] } {
  const pauses = times.slice(1).map((ms, index) => ms - (times[index] ?? 0));
  const usual = Float64Array.from(pauses).sort()[Math.floor(pauses.length * 0.95)] ?? 0;
  const longest = Math.min(Math.max(3 * usual, GAP_MS_MIN), GAP_MS_MAX);
  const drawn = { times: [] as number[], values: [] as (number | null)[], origin: [] as number[] };
  const put = (ms: number, value: number | null, origin: number): void => {
    drawn.times.push(ms);
    drawn.values.push(value);
    drawn.origin.push(origin);
  };
  times.forEach((ms, index) => {
    if (index > 0 && (pauses[index - 1] ?? 0) > longest) put(ms - 1, null, -1);
    put(ms, values[index] ?? null, index);
  });
  return drawn;
}

/** Returns where marks are set: [first, the one after the last] of each stretch. */
export function stretches(marks: readonly boolean[]): [number, number][] {
  const found: [number, number][] = [];
  let from = -1;
  marks.forEach((mark, index) => {
    if (mark && from < 0) from = index;
    if (!mark && from >= 0) {
      found.push([from, index]);
      from = -1;
    }
  });
  if (from >= 0) found.push([from, marks.length - 1]);
  return found;
}
