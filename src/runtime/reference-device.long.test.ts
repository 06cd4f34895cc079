/** A thread device on the reference backend: BigInt arithmetic gives the words that WebAssembly gives. */
import { expect, test } from "vitest";
import { digestOfWords, planCases, planOf, prefer } from "../../test/support/plan.ts";
import { parties, smallProgram } from "../../test/support/run.ts";
import { gatherCiphertext } from "../ckks/index.ts";

test("the same words on a reference device", async () => {
  const [, one] = planCases;
  const small = await smallProgram(one);
  const { client, server } = parties(small);
  const input = client.encrypt(small.program, small.model.ids(one.length));
  const { output: expected } = await server.infer(input);
  const plan = planOf(small, prefer(small, "single"), { devices: 1, overlap: true });
  const { output, devices } = await server.inferOn(plan, input.map(gatherCiphertext), {
    devices: [{ kind: "reference", memoryBytes: 2 ** 30, threads: 1 }],
  });
  expect(output.map(digestOfWords)).toEqual(expected.map((a) => digestOfWords(gatherCiphertext(a))));
  expect(devices.map(({ device }) => device)).toEqual(["reference"]);
  small.backend.dispose();
});
