// The card of a device: its points, their latest values, a trend, and the commands it takes.
import { html, nothing, type TemplateResult } from "lit";
import { unsafeHTML } from "lit/directives/unsafe-html.js";
import { age, buttonText, isButton, isSwitch, number, switchWords, time, valueText } from "./format";
import { known, label, t, type Language } from "./i18n";
import { markSvg } from "./marks";
import { reasonOf } from "./quality";
import type { Device, Store } from "./store";
import type { Command, PointInfo, Span } from "./types";

export interface CardActions {
  close(): void;
  trend(row: number): void;
  ask(point: PointInfo, value: number): void;
  confirm(): void;
  cancel(): void;
}

export interface CardState {
  row: number | null;
  trend: HTMLElement | null;
  asking: { point: PointInfo; value: number } | null;
  problem: string;
}

const FINAL = new Set(["settled", "contradicted", "unverified", "refused", "canceled", "expired", "failed"]);

export function card(
  store: Store,
  device: Device,
  state: CardState,
  actions: CardActions,
  language: Language,
  nowMs: number,
): TemplateResult {
  const feeds = device.points.find((point) => point.feeds)?.feeds;
  return html`
    <section class="card panel" aria-label=${label(device.label, language, device.name)}>
      <header>
        ${unsafeHTML(markSvg(store.deviceState(device, nowMs)))}
        <div>
          <h2>${label(device.label, language, device.name)}</h2>
          <p class="fine">
            ${known("state", store.deviceState(device, nowMs), language)} · ${device.id}
            ${feeds ? html`<br />${t("card.feeds", language)}: ${feeds}` : nothing}
          </p>
        </div>
        <button class="icon" title=${t("card.close", language)} aria-label=${t("card.close", language)} @click=${actions.close}>✕</button>
      </header>
      <ul class="points">
        ${device.points.filter((point) => point.kind !== "alarm").map((point) => pointRow(store, point, state, actions, language, nowMs))}
      </ul>
    </section>
  `;
}

function pointRow(
  store: Store,
  point: PointInfo,
  state: CardState,
  actions: CardActions,
  language: Language,
  nowMs: number,
): TemplateResult {
  const latest = store.latest(point.row);
  const seen = latest.timeMs > 0;
  const shown = state.row === point.row;
  const quality = known("quality", reasonOf(latest.quality), language);
  const pointState = store.pointState(point, nowMs);
  return html`
    <li class=${shown ? "shown" : ""} data-point=${point.id} data-point-state=${pointState}>
      <button class="point" aria-expanded=${shown} @click=${() => actions.trend(point.row)}>
        ${unsafeHTML(markSvg(pointState))}
        <span class="name">
          ${label(point.label, language, point.name)}
          ${point.source === "measured" ? nothing : html`<em>${known("source", point.source, language)}</em>`}
        </span>
        <span class="value">${seen && Number.isFinite(latest.value) ? valueText(point, latest.value, language) : "—"}</span>
        <span class="fine">
          ${seen
            ? html`${pointState === "low" || pointState === "high" ? html`<strong>${known("state", pointState, language)}</strong> · ` : nothing}${quality} ·
                <span class=${pointState === "stale" ? "old" : ""}>${t("card.age", language)} ${age(nowMs - latest.timeMs, language)}</span>`
            : t("state.none", language)}
        </span>
      </button>
      ${shown
        ? html`<div class="fine caption">
              ${t("card.trend", language)}${point.symbol[language] ? `, ${point.symbol[language]}` : ""}
              ${point.normal ? html` · ${t("card.normal", language)} ${spanText(point.normal, point.symbol[language], language)}` : nothing}
            </div>
            ${state.trend}`
        : nothing}
      ${point.writable && store.mayCommand() ? commandBox(store, point, state, actions, language) : nothing}
    </li>
  `;
}

function spanText(span: Span, symbol: string, language: Language): string {
  const end = (value: number | null, infinite: string): string =>
    value === null ? infinite : number(value, language);
  return `${end(span[0], "−∞")} … ${end(span[1], "∞")} ${symbol}`.trim();
}

function commandBox(
  store: Store,
  point: PointInfo,
  state: CardState,
  actions: CardActions,
  language: Language,
): TemplateResult {
  const asking = state.asking?.point.row === point.row ? state.asking : null;
  const last = store.lastCommand(point.id);
  const form = isSwitch(point)
    ? html`
        <button @click=${() => actions.ask(point, 1)}>${t(switchWords(point).do[1], language)}</button>
        <button @click=${() => actions.ask(point, 0)}>${t(switchWords(point).do[0], language)}</button>
      `
    : isButton(point)
    ? html`<button @click=${() => actions.ask(point, point.writable?.[0] ?? Number.NaN)}>${buttonText(point, language)}</button>`
    : html`
        <form
          @submit=${(event: SubmitEvent) => {
            event.preventDefault();
            const field = (event.currentTarget as HTMLFormElement).elements.namedItem("value");
            const typed = (field as HTMLInputElement).value.trim().replace(",", ".");
            actions.ask(point, typed === "" ? Number.NaN : Number(typed));
          }}
        >
          <input name="value" inputmode="decimal" autocomplete="off" aria-label=${t("command.set", language)} />
          <span>${point.symbol[language]}</span>
          <button>${t("command.set", language)}</button>
          <span class="fine">${t("command.range", language)} ${spanText(point.writable as Span, point.symbol[language], language)}</span>
        </form>
      `;
  return html`
    <div class="command">
      ${asking
        ? html`<div class="confirm" role="alertdialog" aria-label=${t("command.confirm", language)}>
            <p>
              ${t("command.confirm", language)}<br /><strong>${label(point.label, language, point.name)}: ${valueText(point, asking.value, language)}</strong><br />
              <span class="fine">
                ${t("card.reported", language)} ${t("command.now", language)}: ${valueText(point, store.latest(point.row).value, language)}
                ${isSwitch(point) || isButton(point) ? nothing : html` · ${t("command.range", language)} ${spanText(point.writable as Span, point.symbol[language], language)}`}
              </span>
            </p>
            <button class="go" @click=${actions.confirm}>${t("command.yes", language)}</button>
            <button @click=${actions.cancel}>${t("command.no", language)}</button>
          </div>`
        : form}
      ${state.problem && state.row === point.row ? html`<p class="problem" role="alert">${state.problem}</p>` : nothing}
      ${last ? progress(store, last, point, language) : nothing}
    </div>
  `;
}

function progress(store: Store, command: Command, point: PointInfo, language: Language): TemplateResult {
  const kind = command.state === "settled" ? "done" : FINAL.has(command.state) ? "problem" : "busy";
  return html`
    <p class="progress ${kind}" data-command=${command.id} data-state=${command.state}>
      <span class="fine">${t("card.desired", language)} (${command.issued_by}, ${time(command.issued_ms)}):</span>
      ${valueText(point, command.value, language)} — <strong>${known("command", command.state, language)}</strong><br />
      <span class="fine">${t("card.reported", language)} ${t("command.now", language)}:</span>
      ${valueText(point, store.latest(point.row).value, language)}
      ${command.reason[language] ? html`<br /><span class="fine">${command.reason[language]}</span>` : nothing}
    </p>
  `;
}
