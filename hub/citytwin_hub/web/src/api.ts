// Talks to the hub: REST with a bearer token or a session, every wait bounded.
import { type Language, label, t } from "./i18n";
import type { Alarm, City, Command, Gateway, Label, Me, PointInfo, Trend } from "./types";

const TIMEOUT_MS = 15_000;
const PAGE = 1000;

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly text: Label = {},
  ) {
    super(message);
  }
}

/** Returns what went wrong as the hub says it in a language, or that it does not answer. */
export function wordsOf(error: unknown, language: Language): string {
  return error instanceof ApiError ? label(error.text, language, error.message) : t("error.silent", language);
}

/** Opens a session; its cookie no script can read, its CSRF token is shown with every write. */
export async function logIn(name: string, password: string): Promise<void> {
  await new Api("").begin(name, password);
}

export class Api {
  /** Without a token the session of the cookie counts, if there is one. */
  constructor(
    readonly token: string,
    private csrf = "",
  ) {}

  async begin(name: string, password: string): Promise<void> {
    await this.post("login", { name, password });
  }

  /** Takes up the session of the cookie; false where nobody is logged in. */
  async resume(): Promise<boolean> {
    try {
      this.csrf = (await this.get<{ csrf: string }>("session")).csrf;
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return false;
      throw error;
    }
  }

  end(): Promise<unknown> {
    return this.token ? Promise.resolve() : this.post("logout", {});
  }

  me(): Promise<Me> {
    return this.get("me");
  }

  city(): Promise<City> {
    return this.get("city");
  }

  async points(): Promise<PointInfo[]> {
    const all: PointInfo[] = [];
    let after: unknown = null;
    do {
      const query = after === null ? "" : `&after=${encodeURIComponent(String(after))}`;
      const page: { points: PointInfo[]; next?: unknown } = await this.get(`points?limit=${PAGE}${query}`);
      all.push(...page.points);
      after = page.next ?? null;
    } while (after !== null);
    return all;
  }

  async gateways(): Promise<Gateway[]> {
    return (await this.get<{ gateways: Gateway[] }>("gateways")).gateways;
  }

  async alarms(): Promise<Alarm[]> {
    return (await this.get<{ alarms: Alarm[] }>("alarms")).alarms;
  }

  async commands(): Promise<Command[]> {
    return (await this.get<{ commands: Command[] }>("commands")).commands;
  }

  async trend(row: number, startMs: number, endMs: number): Promise<Trend> {
    const path = `history?rows=${row}&start_ms=${Math.floor(startMs)}&end_ms=${Math.ceil(endMs)}`;
    const answer: { samples: { time_ms: number[]; value: (number | null)[]; quality: number[] }[] } =
      await this.get(path);
    const first = answer.samples[0];
    return first
      ? { timeMs: first.time_ms, value: first.value, quality: first.quality }
      : { timeMs: [], value: [], quality: [] };
  }

  acknowledge(id: Alarm["id"]): Promise<unknown> {
    return this.post(`alarms/${id}/acknowledge`, {});
  }

  command(point: string, value: number): Promise<Command> {
    return this.post("commands", { point, value });
  }

  private get<T>(path: string): Promise<T> {
    return this.call(path, {});
  }

  private post<T>(path: string, body: unknown): Promise<T> {
    return this.call(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
  }

  private async call<T>(path: string, init: RequestInit): Promise<T> {
    const shown: Record<string, string> = {};
    if (this.token) shown["Authorization"] = `Bearer ${this.token}`;
    else if (this.csrf) shown["X-CSRF-Token"] = this.csrf;
    const headers = { ...init.headers, ...shown };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(`api/v1/${path}`, { ...init, headers, signal });
    if (!answer.ok) {
      const body: { error?: { message?: string; text?: Label } } = await answer.json().catch(() => ({}));
      const plain = `${answer.status} ${answer.statusText}`;
      throw new ApiError(answer.status, body.error?.message ?? plain, body.error?.text);
    }
    return answer.json() as Promise<T>;
  }
}
