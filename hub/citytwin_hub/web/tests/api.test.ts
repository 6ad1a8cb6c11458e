import { expect, test, vi } from "vitest";
import { Api, ApiError, logIn, wordsOf } from "../src/api";

const answered = (status: number, body: unknown): void => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(JSON.stringify(body), { status, statusText: "Odd" })));
};
const failure = (): Promise<unknown> => new Api("token").command("g/d/p", 5).catch((error: unknown) => error);

test("a refusal is told in the operator's language", async () => {
  answered(422, { error: { message: "5 is outside 0 … 1", text: { kk: "5 мәні 0 … 1 шегінен тыс", ru: "5 вне пределов 0 … 1", en: "5 is outside 0 … 1" } } });
  const error = await failure();
  expect(error).toBeInstanceOf(ApiError);
  expect(wordsOf(error, "kk")).toBe("5 мәні 0 … 1 шегінен тыс");
  expect(wordsOf(error, "ru")).toBe("5 вне пределов 0 … 1");
});

test("an answer that is not the hub's is told as it is", async () => {
  answered(502, "bad gateway");
  expect(wordsOf(await failure(), "kk")).toBe("502 Odd");
});

test("no answer is told in the operator's language too", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  expect(wordsOf(await failure(), "ru")).toBe("хаб не отвечает");
});

test("a session shows its CSRF token with every write, and no token", async () => {
  const asked: Request[] = [];
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    asked.push(new Request(`http://hub/${path}`, init));
    return Promise.resolve(new Response(JSON.stringify({ csrf: "abc" })));
  });
  await logIn("aigul", "long enough");
  const api = new Api("");
  expect(await api.resume()).toBe(true);
  await api.command("g/d/p", 5);
  await api.end();
  expect(asked.map((one) => `${one.method} ${new URL(one.url).pathname} ${one.headers.get("x-csrf-token")}`)).toEqual([
    "POST /api/v1/login null",
    "GET /api/v1/session null",
    "POST /api/v1/commands abc",
    "POST /api/v1/logout abc",
  ]);
  expect(asked.every((one) => !one.headers.has("authorization"))).toBe(true);
});

test("nobody is logged in where the hub knows no session", async () => {
  answered(401, { error: { message: "nobody is logged in" } });
  expect(await new Api("").resume()).toBe(false);
  answered(503, { error: { message: "later" } });
  await expect(new Api("").resume()).rejects.toBeInstanceOf(ApiError);
});
