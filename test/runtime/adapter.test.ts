/** A small program on a WebGPU device beside one of another kind: the same ciphertexts as on the CPU. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { gatherCiphertext, type WholeCiphertext } from "../../src/ckks/index.ts";
import type { DeviceSetup } from "../../src/runtime/index.ts";
import { webgpuForTests } from "../kernels/support.ts";
import { digestOfWords, planCases, planOf, prefer } from "../support/plan.ts";
import { parties, type SmallProgram, smallProgram } from "../support/run.ts";

const webgpu = await webgpuForTests();
const missing = typeof webgpu === "string" ? webgpu : undefined;
if (typeof webgpu !== "string") webgpu.dispose();

const one = planCases.find(({ title }) => title === "short layout") as (typeof planCases)[number];
let small: SmallProgram;
let server: ReturnType<typeof parties>["server"];
let input: WholeCiphertext[];
let expected: string[];

beforeAll(async () => {
  if (missing !== undefined) return;
  small = await smallProgram(one);
  const { client, ...rest } = parties(small);
  server = rest.server;
  const ciphertexts = client.encrypt(small.program, small.model.ids(one.length));
  input = ciphertexts.map(gatherCiphertext);
  const { output } = await server.infer(ciphertexts);
  expected = output.map((a) => digestOfWords(gatherCiphertext(a)));
});

afterAll(() => small?.backend.dispose());

const adapter: DeviceSetup = { kind: "webgpu", memoryBytes: 2 ** 28, threads: 1 };
const processor: DeviceSetup = { kind: "wasm", memoryBytes: 2 ** 28, threads: 1 };

if (missing !== undefined) test.skip(`a program on an adapter (skipped: ${missing})`, () => undefined);
else {
  test("an adapter and the processor", async () => {
    const devices = [adapter, processor];
    const plan = planOf(small, prefer(small, "outputs"), { devices: devices.length, overlap: true });
    const result = await server.inferOn(plan, input, { devices });
    expect(result.output.map(digestOfWords)).toEqual(expected);
    expect(result.communication.measuredBytes).toBe(result.communication.plannedBytes);
    expect(result.devices.map(({ device }) => device)).toEqual(devices.map(({ kind }) => kind));
  });
}
