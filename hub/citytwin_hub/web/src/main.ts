// The page: signs in, loads the city, keeps it live, and draws map and panels.
import { html, nothing, render } from "lit";
import "@fontsource/noto-sans/latin-400.css";
import "@fontsource/noto-sans/latin-600.css";
import "@fontsource/noto-sans/cyrillic-400.css";
import "@fontsource/noto-sans/cyrillic-600.css";
import "@fontsource/noto-sans/cyrillic-ext-400.css";
import "@fontsource/noto-sans/cyrillic-ext-600.css";
import "./style.css";
import { Api, ApiError, logIn, wordsOf } from "./api";
import { card, type CardState } from "./card";
import { age, time, valueText } from "./format";
import { label, LANGUAGES, known, t, type Language } from "./i18n";
import { Live, type LiveMessage } from "./live";
import { CityMap } from "./map";
import { alarmList, find, gatewayList, inOrder, legend, searchResults, signIn, waiting } from "./panels";
import { Store, type Device } from "./store";
import type { Theme } from "./style-map";
import { TrendView } from "./trend";
import type { Alarm, PointInfo } from "./types";

const TOKEN_KEY = "citytwin.token";
/** What the hub calls who came without a name. */
const NOBODY = "anonymous";
const LANGUAGE_KEY = "citytwin.language";
const THEME_KEY = "citytwin.theme";
const DRAW_MS = 500;
const RELOAD_MS = 3000;
const RETRY_MS = 3000;

const LANGUAGE_NAMES: Record<Language, string> = { kk: "Қаз", ru: "Рус", en: "Eng" };

function preferredLanguage(): Language {
  const chosen = localStorage.getItem(LANGUAGE_KEY) ?? navigator.language.slice(0, 2);
  return LANGUAGES.find((language) => language === chosen) ?? "ru";
}

function preferredTheme(): Theme {
  const chosen = localStorage.getItem(THEME_KEY);
  if (chosen === "dark" || chosen === "light") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403);
}

type Tab = "alarms" | "gateways" | "legend";

class Page {
  private readonly root = document.getElementById("app") as HTMLElement;
  private readonly mapElement = document.createElement("div");
  private language = preferredLanguage();
  private theme = preferredTheme();
  private store = new Store();
  private api: Api | null = null;
  private live: Live | null = null;
  private map: CityMap | null = null;
  private tab: Tab | null = innerWidth > 700 ? "alarms" : null;
  private typed = "";
  private shown: string | null = null;
  private cardState: CardState = { row: null, trend: null, asking: null, problem: "" };
  private trend: TrendView | null = null;
  private reloading = 0;
  private alarmProblem = "";
  /** The places of the alarms while somebody points at them. */
  private held: ReadonlyMap<Alarm["id"], number> | null = null;
  private greeted = false;

  constructor() {
    this.mapElement.id = "map";
    window.setInterval(() => this.draw(), DRAW_MS);
    document.addEventListener("keydown", (event) => this.key(event));
  }

  /** "/" goes to the search, Escape closes what is open, innermost first. */
  private key(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLInputElement;
    const search = this.root.querySelector<HTMLInputElement>(".search input");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search?.focus();
    } else if (event.key === "Escape") {
      if (this.cardState.asking) this.cardState = { ...this.cardState, asking: null };
      else if (this.typed) this.typed = "";
      else if (this.shown !== null) this.close();
      if (event.target === search) search?.blur();
      this.draw();
    }
  }

  private close(): void {
    this.shown = null;
    this.showTrend(null);
  }

  async start(): Promise<void> {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      sessionStorage.setItem(TOKEN_KEY, given);
      // The token stays out of the address bar, the history and screenshots.
      history.replaceState(null, "", location.pathname);
    }
    // Without a token there may be a session, or a city that is open to everybody.
    await this.enter(sessionStorage.getItem(TOKEN_KEY) ?? "");
  }

  private showSignIn(problem: string): void {
    this.live?.stop();
    this.api = null;
    sessionStorage.removeItem(TOKEN_KEY);
    document.documentElement.dataset["theme"] = this.theme;
    document.documentElement.lang = this.language;
    const enter = {
      person: (name: string, password: string) => void this.logIn(name, password),
      token: (token: string) => void this.enter(token),
    };
    render(signIn(this.language, problem, enter), this.root);
  }

  private async logIn(name: string, password: string): Promise<void> {
    try {
      await logIn(name, password);
    } catch (error) {
      const unfit = error instanceof ApiError && error.status === 401;
      this.showSignIn(unfit ? t("signin.unfit", this.language) : wordsOf(error, this.language));
      return;
    }
    await this.enter("");
  }

  private async enter(token: string): Promise<void> {
    const api = new Api(token);
    try {
      if (!token) await api.resume();
      const [me, city] = await Promise.all([api.me(), api.city(), this.load(api)]);
      this.store.me = me;
      if (token) sessionStorage.setItem(TOKEN_KEY, token);
      // Signed in again after the old token had ended: everything begins anew.
      if (this.map) {
        location.reload();
        return;
      }
      this.api = api;
      this.draw();
      this.map = new CityMap(this.mapElement, city, this.store, this, this.theme, this.language);
    } catch (error) {
      if (isRefusal(error)) this.showSignIn(token ? t("signin.wrong", this.language) : "");
      else if (error instanceof ApiError) this.showSignIn(`${t("error.load", this.language)}: ${wordsOf(error, this.language)}`);
      else this.await(token);
      return;
    }
    this.live = new Live(token, {
      samples: (samples) => {
        this.store.heardMs = this.store.nowMs();
        if (this.store.apply(samples)) this.reloadPoints();
      },
      message: (message) => this.take(message),
      refused: () => void this.checkToken(api),
      state: (connected) => {
        this.store.connected = connected;
        this.draw();
      },
    });
    this.live.start();
  }

  /** Reads what the live stream tells changes of. */
  private async load(api: Api): Promise<void> {
    const [points, gateways, alarms, commands] = await Promise.all([
      api.points(),
      api.gateways(),
      api.alarms(),
      api.commands(),
    ]);
    this.store.setPoints(points);
    this.store.setGateways(gateways);
    this.store.alarms = alarms;
    for (const command of commands) this.store.takeCommand(command);
  }

  /** Says that the hub is out of reach, and tries again: the token may well be good. */
  private await(token: string): void {
    render(waiting(this.language), this.root);
    window.setTimeout(() => void this.enter(token), RETRY_MS);
  }

  /** The stream was refused: by a hub that knows the token no longer, or by one that is busy. */
  private async checkToken(api: Api): Promise<void> {
    try {
      await api.me();
    } catch (error) {
      if (isRefusal(error)) this.showSignIn(t("signin.wrong", this.language));
    }
  }

  private take(message: LiveMessage): void {
    if (message.type === "hello") {
      this.store.aheadMs = message.now_ms - Date.now();
      // What happened while the stream was away is not told again.
      if (this.greeted && this.api) this.load(this.api).catch((error: unknown) => console.warn("load", error));
      this.greeted = true;
    }
    this.store.heardMs = this.store.nowMs();
    if (message.type === "alarms") this.store.alarms = message.alarms;
    if (message.type === "gateways") this.store.setGateways(message.gateways);
    if (message.type === "command") this.store.takeCommand(message.command);
  }

  /** Asks for the points again, at most once in a while: a gateway has announced new ones. */
  private reloadPoints(): void {
    if (this.reloading) return;
    this.reloading = window.setTimeout(() => {
      this.reloading = 0;
      this.api?.points().then(
        (points) => this.store.setPoints(points),
        (error: unknown) => console.warn("points", error),
      );
    }, RELOAD_MS);
  }

  // ---- what the map calls
  device(id: string): void {
    this.open(id, false);
  }

  gateway(name: string): void {
    this.tab = "gateways";
    this.draw();
    this.root.querySelector(`[data-gateway="${CSS.escape(name)}"]`)?.scrollIntoView({ block: "nearest" });
  }

  describe(kind: "device" | "gateway", id: string): string {
    if (kind === "gateway") {
      const gateway = this.store.gateways.find((one) => one.name === id);
      const state = gateway?.connected ? "gateway.connected" : "gateway.silent";
      return `${label(gateway?.label, this.language, id)} — ${t(state, this.language)}`;
    }
    const device = this.store.devices.get(id);
    if (!device) return id;
    return `${label(device.label, this.language, device.name)} — ${known("state", this.store.deviceState(device, this.store.nowMs()), this.language)} — ${this.value(id)}`;
  }

  value(id: string): string {
    const device = this.store.devices.get(id);
    const point = device && (this.alarming(device) ?? device.points.find((one) => one.kind !== "alarm"));
    return point ? valueText(point, this.store.latest(point.row).value, this.language) : "";
  }

  /** Returns the point that gives a device its state, if that is worth a look. */
  private alarming(device: Device): PointInfo | undefined {
    const now = this.store.nowMs();
    const state = this.store.deviceState(device, now);
    if (state === "unusual") {
      const alarm = device.points.find((one) => one.kind === "alarm" && this.store.pointState(one, now) === state);
      return alarm && this.store.watched(alarm.id);
    }
    if (state !== "low" && state !== "high") return undefined;
    return device.points.find((one) => one.kind !== "alarm" && this.store.pointState(one, now) === state);
  }

  // ---- card
  private open(id: string, fly: boolean, row?: number): void {
    const device = this.store.devices.get(id);
    if (!device) return;
    this.shown = id;
    this.typed = "";
    if (fly) this.map?.flyTo(device.place);
    const first = this.alarming(device) ?? device.points.find((point) => point.kind !== "alarm");
    this.showTrend(row ?? first?.row ?? null);
  }

  private showTrend(row: number | null): void {
    this.trend?.close();
    const point = row === null ? undefined : this.store.points.get(row);
    this.trend =
      point && this.api ? new TrendView(this.api, this.store, point, this.language, this.theme === "dark") : null;
    this.cardState = { row, trend: this.trend?.element ?? null, asking: null, problem: "" };
    this.draw();
  }

  private ask(point: PointInfo, value: number): void {
    const [low, high] = point.writable ?? [null, null];
    const allowed = Number.isFinite(value) && (low === null || value >= low) && (high === null || value <= high);
    this.cardState = {
      ...this.cardState,
      row: this.cardState.row ?? point.row,
      asking: allowed ? { point, value } : null,
      problem: allowed ? "" : t("command.bad", this.language),
    };
    if (!allowed && this.cardState.row !== point.row) {
      this.showTrend(point.row);
      this.cardState.problem = t("command.bad", this.language);
    }
    this.draw();
    this.root.querySelector<HTMLButtonElement>(".confirm .go")?.focus();
  }

  private async send(): Promise<void> {
    const asking = this.cardState.asking;
    if (!asking || !this.api) return;
    this.cardState = { ...this.cardState, asking: null, problem: "" };
    this.draw();
    try {
      this.store.takeCommand(await this.api.command(asking.point.id, asking.value));
    } catch (error) {
      this.cardState.problem = wordsOf(error, this.language);
      this.cardState.row = asking.point.row;
    }
    this.draw();
  }

  private hold(): void {
    this.held = new Map(inOrder(this.store.alarms, null).map((alarm, index) => [alarm.id, index]));
  }

  private async acknowledge(alarm: Alarm): Promise<void> {
    try {
      await this.api?.acknowledge(alarm.id);
      if (this.api) this.store.alarms = await this.api.alarms();
      this.alarmProblem = "";
    } catch (error) {
      this.alarmProblem = `${t("alarms.ack.failed", this.language)}: ${wordsOf(error, this.language)}`;
    }
    this.draw();
  }

  private showAlarm(alarm: Alarm): void {
    const point = this.store.origin(alarm);
    if (point) this.open(`${point.gateway}/${point.device}`, true, point.row);
    else if (alarm.point) this.open(alarm.point.split("/").slice(0, 2).join("/"), true);
    else this.gateway(alarm.gateway);
  }

  // ---- drawing
  private setLanguage(language: Language): void {
    this.language = language;
    localStorage.setItem(LANGUAGE_KEY, language);
    this.map?.restyle(this.theme, language);
    this.showTrend(this.cardState.row);
  }

  private setTheme(theme: Theme): void {
    this.theme = theme;
    localStorage.setItem(THEME_KEY, theme);
    this.map?.restyle(theme, this.language);
    this.showTrend(this.cardState.row);
  }

  private draw(): void {
    if (!this.api) return;
    const language = this.language;
    document.documentElement.lang = language;
    document.documentElement.dataset["theme"] = this.theme;
    document.documentElement.dataset["live"] = String(this.store.connected);
    const now = this.store.nowMs();
    const device = this.shown === null ? undefined : this.store.devices.get(this.shown);
    const active = this.store.alarms.filter((alarm) => alarm.state !== "returned").length;
    render(
      html`
        ${this.header(now)}
        ${this.mapElement}
        <aside>
          <nav>
            <button aria-pressed=${this.tab === "alarms"} @click=${() => this.toggle("alarms")}>
              ${t("alarms", language)} <b class=${active ? "count" : "count none"}>${active}</b>
            </button>
            <button aria-pressed=${this.tab === "gateways"} @click=${() => this.toggle("gateways")}>
              ${t("gateways", language)}
              <b class="count none">${this.store.gateways.filter((one) => one.connected).length}/${this.store.gateways.length}</b>
            </button>
            <button class="phone" aria-pressed=${this.tab === "legend"} @click=${() => this.toggle("legend")}>${t("legend", language)}</button>
          </nav>
          ${this.tab === "legend" ? html`<div class="panel list phone">${legend(language)}</div>` : nothing}
          ${this.tab === "alarms"
            ? html`<div class="panel list" @pointerenter=${() => this.hold()} @pointerleave=${() => (this.held = null)}>
                ${alarmList(this.store, language, now, {
                  show: (alarm) => this.showAlarm(alarm),
                  acknowledge: (alarm) => void this.acknowledge(alarm),
                }, this.alarmProblem, this.held)}
              </div>`
            : nothing}
          ${this.tab === "gateways"
            ? html`<div class="panel list">${gatewayList(this.store, language, now, (name) => this.fly(name))}</div>`
            : nothing}
        </aside>
        ${device
          ? card(
              this.store,
              device,
              this.cardState,
              {
                close: () => this.close(),
                trend: (row) => this.showTrend(this.cardState.row === row ? null : row),
                ask: (point, value) => this.ask(point, value),
                confirm: () => void this.send(),
                cancel: () => {
                  this.cardState = { ...this.cardState, asking: null };
                  this.draw();
                },
              },
              language,
              now,
            )
          : nothing}
        ${legend(language)}
      `,
      this.root,
    );
    this.map?.refresh(now);
  }

  private header(now: number): unknown {
    const language = this.language;
    const way = t(this.store.me.name === NOBODY ? "signin.title" : "signout", language);
    return html`
      <header class="bar">
        <h1>CityTwin <small>${t("app.title", language)}</small></h1>
        <div class="search">
          <input
            type="search"
            placeholder=${t("search", language)}
            aria-label=${t("search", language)}
            .value=${this.typed}
            @input=${(event: InputEvent) => {
              this.typed = (event.target as HTMLInputElement).value;
              this.draw();
            }}
            @keydown=${(event: KeyboardEvent) => {
              const first = find(this.store, this.typed)[0];
              if (event.key === "Enter" && first) this.open(first.id, true);
            }}
          />
          ${this.typed.trim()
            ? searchResults(find(this.store, this.typed), this.store, language, (id) => this.open(id, true))
            : nothing}
        </div>
        <span class="live ${this.store.connected ? "on" : "off"}" role="status">
          ${this.store.connected
            ? t("live.on", language)
            : `${t("live.off", language)} ${this.store.heardMs ? age(now - this.store.heardMs, language) : "—"}`}
        </span>
        <time title="UTC+5">${time(now)}</time>
        <span class="tools">
        <span class="languages" role="group" aria-label=${t("language", language)}>
          ${LANGUAGES.map(
            (one) =>
              html`<button lang=${one} aria-pressed=${one === language} @click=${() => this.setLanguage(one)}>${LANGUAGE_NAMES[one]}</button>`,
          )}
        </span>
        <button class="icon" title=${t("theme", language)} aria-label=${t("theme", language)} @click=${() => this.setTheme(this.theme === "dark" ? "light" : "dark")}>◐</button>
        <button class="icon" title=${`${way} (${this.store.me.name})`} aria-label=${way} @click=${() => this.leave()}>⎋</button>
        </span>
      </header>
    `;
  }

  /** Signs out; who came without a name is asked for one. */
  private leave(): void {
    if (this.store.me.name === NOBODY) {
      this.showSignIn("");
      return;
    }
    sessionStorage.removeItem(TOKEN_KEY);
    const ended = this.api?.end() ?? Promise.resolve();
    void ended.catch(() => undefined).finally(() => location.reload());
  }

  private toggle(tab: Tab): void {
    this.tab = this.tab === tab ? null : tab;
    this.draw();
  }

  private fly(gateway: string): void {
    const place = this.store.gateways.find((one) => one.name === gateway)?.place;
    if (place) this.map?.flyTo([place[0], place[1]]);
  }
}

void new Page().start();
