/** Small models from text to logits on insecure rings, against the plaintext twin. */
import { expect, test } from "vitest";
import { parties, type SmallCase, smallProgram, twinLogits } from "../../test/support/run.ts";

const small = { hidden: 8, heads: 2, inner: 20 };
const cases: readonly (SmallCase & { title: string; wide?: number })[] = [
  {
    title: "no spare lanes, several inner ciphertexts",
    shape: small,
    logN: 9,
    tokens: 8,
    length: 5,
    spread: 1,
    wide: 3,
  },
  { title: "two groups, half of the slots", shape: small, logN: 8, tokens: 4, length: 3, spread: 2, wide: 2 },
  { title: "four groups, all slots", shape: small, logN: 7, tokens: 2, length: 2, spread: 4, wide: 1 },
  {
    title: "two layers, three heads",
    shape: { hidden: 12, heads: 3, inner: 24, layers: 2 },
    logN: 9,
    tokens: 4,
    length: 3,
    spread: 2,
    wide: 1,
  },
  {
    title: "long layout, two groups, padding",
    shape: small,
    logN: 9,
    tokens: 16,
    length: 13,
    spread: 1,
    long: { lanes: 4, blocks: 1, babySteps: 2 },
    wide: 5,
  },
  {
    title: "long layout, one group of three heads in four lanes, two layers, no padding",
    shape: { hidden: 12, heads: 3, inner: 24, layers: 2 },
    logN: 8,
    tokens: 8,
    length: 8,
    spread: 1,
    long: { lanes: 4, blocks: 1, babySteps: 4 },
    wide: 6,
  },
  {
    title: "long layout, three token blocks, two layers",
    shape: { hidden: 8, heads: 2, inner: 20, layers: 2, tokens: 24 },
    logN: 8,
    tokens: 8,
    length: 21,
    spread: 1,
    long: { lanes: 8, blocks: 3, babySteps: 1 },
    wide: 3,
  },
];

test.each(cases)("$title", async (one) => {
  const small = await smallProgram(one);
  const { model, program, backend } = small;
  const counts = Object.values(program.tensors).map(({ content, count }) => (content === "wide" ? count : 0));
  expect(Math.max(...counts)).toBe(one.wide);
  const { client, server } = parties(small);
  const input = client.encrypt(program, model.ids(one.length));
  const { output } = await server.infer(input);
  const { logits } = client.decrypt(program, output);
  const expected = twinLogits(small);
  const norm = program.tensors[program.output].norm;
  for (const [i, logit] of expected.entries()) expect(Math.abs(logits[i] - logit) / norm).toBeLessThan(2 ** -12);
  backend.dispose();
});
