// The trend of one point over the last hour: history first, then every live sample.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Api } from "./api";
import { number, time } from "./format";
import { t, type Language } from "./i18n";
import { COLOURS } from "./marks";
import { severityOf } from "./quality";
import type { Store } from "./store";
import type { PointInfo } from "./types";

const HOUR_MS = 3_600_000;
const SAMPLES_MAX = 8_000;
const REDRAW_MS = 500;

export class TrendView {
  readonly element = document.createElement("div");
  private times: number[] = [];
  private values: (number | null)[] = [];
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
      const live = this.times.map((ms, index) => [ms, this.values[index] ?? null] as const);
      this.times = [];
      this.values = [];
      trend.timeMs.forEach((ms, index) => this.add(ms, trend.value[index] ?? null, trend.quality[index] ?? 0));
      for (const [ms, value] of live) this.add(ms, value, 0);
    } catch (error) {
      if (!this.closed) this.element.textContent = (error as Error).message;
      return;
    }
    if (!this.closed) this.draw();
  }

  private add(ms: number, value: number | null, quality: number): void {
    const last = this.times[this.times.length - 1];
    // A late sample is for the history, not for the running end of a curve.
    if (last !== undefined && ms <= last) return;
    this.times.push(ms);
    const shown = value !== null && Number.isFinite(value) && severityOf(quality) < 2;
    this.values.push(shown ? value : null);
    const surplus = this.times.length - SAMPLES_MAX;
    if (surplus > 0) {
      this.times.splice(0, surplus);
      this.values.splice(0, surplus);
    }
    if (this.plot && !this.timer) {
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        this.draw();
      }, REDRAW_MS);
    }
  }

  private draw(): void {
    const data: uPlot.AlignedData = [this.times.map((ms) => ms / 1000), this.values];
    this.element.dataset["samples"] = String(this.times.length);
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(this.options(), data, this.element);
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(240, this.element.clientWidth), height: 180 };
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
      },
      legend: { show: false },
      cursor: { y: false },
      axes: [
        { ...axis, values: (_plot, splits) => splits.map((second) => time(second * 1000).slice(0, 5)) },
        { ...axis, size: 56, values: (_plot, splits) => splits.map((value) => number(value, this.language)) },
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
        drawClear: [
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
            plot.ctx.restore();
          },
        ],
      },
    };
  }
}
