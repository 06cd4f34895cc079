/** The sentiment model through the command: on the test ring, and at 128 bits. */
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { buildDist, root } from "../support/build.ts";
import { aegis } from "./support.ts";

interface Result {
  readonly label: string;
  readonly maxError: number;
  readonly tokens: number;
  readonly reference: { readonly label: string; readonly logits: readonly number[]; readonly maxError: number };
  readonly security: { readonly bits: number };
}

beforeAll(buildDist);

test.each([
  ["insecure-test", 0, "The food was cold, the waiter was rude and I will never come back to this place."],
  ["bootstrap-16", 128, "The staff was warm and friendly, and the food was absolutely wonderful."],
])("%s", async (preset, bits, text) => {
  const model = join(root, "models/sentiment-bert-tiny");
  const { code, stdout } = await aegis(["run", "--model", model, "--text", text, "--preset", preset, "--json"]);
  expect(code).toBe(0);
  const result = JSON.parse(stdout) as Result;
  expect(result.security.bits).toBe(bits);
  expect(result.label).toBe(result.reference.label);
  const range = Math.max(...result.reference.logits.map(Math.abs));
  expect(result.maxError / range).toBeLessThan(2 ** -8);
  expect(result.reference.maxError / range).toBeLessThan(2 ** -5);
});
