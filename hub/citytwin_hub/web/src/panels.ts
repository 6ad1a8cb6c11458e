// The panels beside the map: alarms, gateways, search, legend, sign-in.
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { unsafeHTML } from "lit/directives/unsafe-html.js";
import { age, bytes, dateTime, number, valueText } from "./format";
import { known, label, t, type Key, type Language } from "./i18n";
import { markSvg } from "./marks";
import { STATES, type State } from "./quality";
import type { Device, Store } from "./store";
import type { Alarm, PointInfo } from "./types";

const FOUND_MAX = 12;
const ALARMS_SHOWN = 100;

export function alarmList(
  store: Store,
  language: Language,
  nowMs: number,
  actions: { show(alarm: Alarm): void; acknowledge(alarm: Alarm): void },
  problem: string,
  held: ReadonlyMap<Alarm["id"], number> | null,
): TemplateResult {
  const alarms = inOrder(store.alarms, held);
  if (!alarms.length) return html`<p class="empty">${t("alarms.none", language)}</p>`;
  return html`
    ${problem ? html`<p class="problem" role="alert">${problem}</p>` : nothing}
    <ul class="alarms">
      ${repeat(
        alarms,
        (alarm) => alarm.id,
        (alarm) => html`
          <li class=${alarm.state} data-alarm=${alarm.id}>
            <button class="point" @click=${() => actions.show(alarm)}>
              ${unsafeHTML(markSvg(alarmState(store, alarm, nowMs)))}
              <span class="name">${alarmTitle(store, alarm, language, nowMs)}</span>
              <span class="fine">
                ${alarmFacts(alarm, language, nowMs)}
                ${alarm.acknowledged_by ? html` · ${alarm.acknowledged_by}` : nothing}
                ${valueNow(store, alarm, language)}
              </span>
            </button>
            ${!alarm.acknowledged_by && alarm.state !== "acknowledged" && store.mayCommand()
              ? html`<button class="ack" @click=${() => actions.acknowledge(alarm)}>${t("alarms.ack", language)}</button>`
              : nothing}
          </li>
        `,
      )}
    </ul>
  `;
}

/**
 * Returns the alarms to show, the open and newest first. While somebody points at the list its rows
 * keep the places they had (`held`), or the alarm under the finger would be another one.
 */
export function inOrder(alarms: readonly Alarm[], held: ReadonlyMap<Alarm["id"], number> | null): Alarm[] {
  const order = { raised: 0, acknowledged: 1, returned: 2 };
  const place = (alarm: Alarm): number => held?.get(alarm.id) ?? ALARMS_SHOWN;
  return [...alarms]
    .sort(
      (a, b) => place(a) - place(b) || order[a.state] - order[b.state] || b.since_ms - a.since_ms,
    )
    .slice(0, ALARMS_SHOWN);
}

/** Returns the state of an alarm, how severe it is, since when; when it began, if that was before. */
export function alarmFacts(alarm: Alarm, language: Language, nowMs: number): string {
  const began = alarm.since_ms - alarm.began_ms < 60_000 ? [] : [`${t("alarm.began", language)} ${dateTime(alarm.began_ms, language)}`];
  return [
    known("alarm", alarm.state, language),
    known("severity", alarm.severity, language),
    dateTime(alarm.since_ms, language),
    age(nowMs - alarm.since_ms, language),
    ...began,
  ].join(" · ");
}

/** Returns the mark of an alarm; of a limit how its point is now, if that is still outside its span. */
export function alarmState(store: Store, alarm: Alarm, nowMs: number): State {
  if (alarm.state === "returned") return "good";
  // The others say that there is no data; these that a kernel found something in them.
  if (["anomaly", "plant", "event"].includes(alarm.kind)) return "unusual";
  if (alarm.kind !== "limit") return "bad";
  const origin = store.origin(alarm);
  if (!origin) return "high";
  const state = store.pointState(origin, nowMs);
  return state === "good" ? nearerLimit(origin, store.latest(origin.row).value) : state;
}

/** An alarm returns only when its value is well inside; until then it is near the limit it broke. */
function nearerLimit(point: PointInfo, value: number): State {
  const [low, high] = point.normal ?? [null, null];
  if (low === null || high === null) return high === null ? "low" : "high";
  return value - low < high - value ? "low" : "high";
}

/** Returns what an alarm is about; which limit it is, as long as its point is beyond one. */
export function alarmTitle(store: Store, alarm: Alarm, language: Language, nowMs: number): string {
  const origin = alarm.kind === "limit" ? store.origin(alarm) : undefined;
  if (!origin) return label(alarm.text, language, alarm.point ?? alarm.gateway);
  const about = `${label(origin.device_label, language, origin.device)}: ${label(origin.label, language, origin.name)}`;
  if (alarm.state === "returned") return about;
  const state = store.pointState(origin, nowMs);
  return `${about} ${t(state === "low" ? "state.low" : state === "high" ? "state.high" : "state.limit", language)}`;
}

function valueNow(store: Store, alarm: Alarm, language: Language): unknown {
  const origin = alarm.kind === "limit" ? store.origin(alarm) : undefined;
  if (!origin) return nothing;
  const { value } = store.latest(origin.row);
  return html` · ${t("command.now", language)} ${valueText(origin, value, language)}`;
}

export function gatewayList(
  store: Store,
  language: Language,
  nowMs: number,
  show: (name: string) => void,
): TemplateResult {
  const fact = (key: Key, value: string): TemplateResult =>
    html`<div><dt>${t(key, language)}</dt><dd>${value}</dd></div>`;
  return html`
    <ul class="gateways">
      ${store.gateways.map(
        (gateway) => html`
          <li data-gateway=${gateway.name}>
            <button class="point" @click=${() => show(gateway.name)}>
              ${unsafeHTML(markSvg(gateway.connected ? "good" : "bad"))}
              <span class="name">${label(gateway.label, language, gateway.name)}</span>
              <span class="fine">
                ${t(gateway.connected ? "gateway.connected" : "gateway.silent", language)}
                ${gateway.last_seen_ms
                  ? html` · ${t("gateway.seen", language)} ${age(nowMs - gateway.last_seen_ms, language)}`
                  : nothing}
              </span>
            </button>
            <dl>
              ${fact("gateway.points", number(gateway.points, language))}
              ${fact("gateway.samples", number(gateway.samples, language))}
              ${fact("gateway.backlog", gateway.outbox_entries === null ? "—" : `${number(gateway.outbox_entries, language)} (${bytes(gateway.outbox_bytes, language)})`)}
              ${fact("gateway.clock", gateway.clock_offset_ms === null ? "—" : `${number(gateway.clock_offset_ms, language)} ${t("unit.ms", language)}`)}
              ${fact("gateway.software", gateway.software || "—")}
            </dl>
          </li>
        `,
      )}
    </ul>
  `;
}

/** Returns the devices that match all the words typed, best first. */
export function find(store: Store, typed: string): Device[] {
  const words = typed.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const matches = (text: string): boolean => words.every((word) => text.includes(word));
  const scored = [...store.devices.values()].flatMap((device) => {
    const own = [device.id, ...Object.values(device.label)].join(" ").toLocaleLowerCase();
    if (matches(own)) return [{ device, score: 0 }];
    const points = device.points
      .map((point) => [point.id, point.feeds, ...Object.values(point.label)].join(" "))
      .join(" ")
      .toLocaleLowerCase();
    return matches(`${own} ${points}`) ? [{ device, score: 1 }] : [];
  });
  return scored.sort((a, b) => a.score - b.score).slice(0, FOUND_MAX).map((hit) => hit.device);
}

export function searchResults(
  found: Device[],
  store: Store,
  language: Language,
  show: (id: string) => void,
): TemplateResult {
  if (!found.length) return html`<p class="results empty">${t("search.none", language)}</p>`;
  return html`
    <ul class="results">
      ${found.map(
        (device) => html`<li>
          <button class="point" @click=${() => show(device.id)}>
            ${unsafeHTML(markSvg(store.deviceState(device, store.nowMs())))}
            <span class="name">${label(device.label, language, device.name)}</span>
            <span class="fine">${device.id}</span>
          </button>
        </li>`,
      )}
    </ul>
  `;
}

export function legend(language: Language): TemplateResult {
  return html`
    <div class="legend" aria-label=${t("legend", language)}>
      ${[...STATES]
        .reverse()
        .map((state) => html`<span>${unsafeHTML(markSvg(state))} ${known("state", state, language)}</span>`)}
    </div>
  `;
}

export interface Entering {
  /** Signs in with a name and a password. */
  person(name: string, password: string): void;
  token(token: string): void;
}

export function signIn(language: Language, problem: string, enter: Entering): TemplateResult {
  const given = (event: SubmitEvent, name: string): string => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem(name);
    return (field as HTMLInputElement).value;
  };
  return html`
    <main class="signin">
      <form @submit=${(event: SubmitEvent) => enter.person(given(event, "name").trim(), given(event, "password"))}>
        <h1>CityTwin</h1>
        <p>${t("app.title", language)}</p>
        <label>${t("signin.name", language)}<input name="name" autocomplete="username" autocapitalize="none" required /></label>
        <label
          >${t("signin.password", language)}<input name="password" type="password" autocomplete="current-password" required
        /></label>
        ${problem ? html`<p class="problem" role="alert">${problem}</p>` : nothing}
        <button class="go">${t("signin.do", language)}</button>
      </form>
      <details ?open=${problem !== ""}>
        <summary>${t("signin.other", language)}</summary>
        <form @submit=${(event: SubmitEvent) => enter.token(given(event, "token").trim())}>
          <label>${t("signin.token", language)}<input name="token" type="password" autocomplete="off" required /></label>
          <button class="go">${t("signin.do", language)}</button>
          <p class="fine">${t("signin.help", language)}</p>
        </form>
      </details>
    </main>
  `;
}

export function waiting(language: Language): TemplateResult {
  return html`<main class="signin"><p role="status">CityTwin: ${t("error.retry", language)}…</p></main>`;
}
