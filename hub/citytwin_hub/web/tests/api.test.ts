import { expect, test, vi } from "vitest";
import { Api, ApiError, wordsOf } from "../src/api";

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
