/**
 * Plans on thread devices: the same words as one device, and exactly the bytes that were planned. Starting
 * threads takes longer than the small programs; device/runner.test.ts tries more plans in one thread.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestOfWords, planCases, planOf, prefer } from "../../test/support/plan.ts";
import { evenTimes, parties, type SmallProgram, smallProgram, twinLogits } from "../../test/support/run.ts";
import { gatherCiphertext, scatterCiphertext, type WholeCiphertext } from "../ckks/index.ts";
import { availableInstructionSets, type InstructionSet } from "../kernels/index.ts";
import { bytesOf, makePlan, type Plan, planSetting, playPlan } from "../placement/index.ts";
import { digestOf, type PlanRunResult, type Progress, planRequirements, wasmDevices } from "./index.ts";

type Parties = ReturnType<typeof parties>;
type DeviceRunOptions = NonNullable<Parameters<Parties["server"]["inferOn"]>[2]>;

const memoryBytes = 2 ** 28;
let small: SmallProgram;
let client: Parties["client"];
let server: Parties["server"];
let input: WholeCiphertext[];
let expected: string[];

beforeAll(async () => {
  const one = planCases[1];
  small = await smallProgram(one);
  ({ client, server } = parties(small));
  const ciphertexts = client.encrypt(small.program, small.model.ids(one.length));
  input = ciphertexts.map(gatherCiphertext);
  const { output } = await server.infer(ciphertexts);
  expected = output.map((a) => digestOfWords(gatherCiphertext(a)));
});

afterAll(() => small.backend.dispose());

async function run(plan: Plan, options: DeviceRunOptions = {}, releaseTransforms = false): Promise<PlanRunResult> {
  const { parameters } = small.context;
  const { devices: requirements, sent } = await planRequirements(small.program, parameters, plan, {
    releaseTransforms,
  });
  const result = await server.inferOn(plan, input, {
    requirements,
    devices: wasmDevices(plan.devices, memoryBytes),
    ...options,
  });
  expect(result.output.map(digestOfWords)).toEqual(expected);
  const { plannedBytes, measuredBytes, byCollective, byModule } = result.communication;
  expect(measuredBytes).toBe(plannedBytes);
  expect(result.devices.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBe(measuredBytes);
  if (options.checkpoint !== undefined) return result;
  for (const name of ["keySwitches", "multiplications", "rotations"] as const)
    expect(result.counts[name]).toBe(requirements.reduce((sum, { counts }) => sum + counts[name], 0));
  expect(plannedBytes).toBe(plan.steps.reduce((sum, step) => sum + bytesOf(step), 0));
  expect(result.devices.map(({ bytesSent }) => bytesSent)).toEqual(sent.map(({ total }) => total));
  for (const [name, bytes] of Object.entries(byCollective))
    expect(sent.reduce((sum, counted) => sum + (counted.byCollective as Record<string, number>)[name], 0)).toBe(bytes);
  for (const [name, bytes] of Object.entries(byModule))
    expect(sent.reduce((sum, counted) => sum + (counted.byModule[name] ?? 0), 0)).toBe(bytes);
  return result;
}

test("one device", async () => {
  const seen: Progress[] = [];
  const plan = planOf(small, prefer(small, "single"), { devices: 1, overlap: true });
  const { communication } = await run(plan, { onProgress: (progress) => seen.push(progress) });
  expect(communication.measuredBytes).toBe(0);
  expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).sort((a, b) => a - b));
});

test("three devices without overlap; what comes back can be decrypted", async () => {
  const { output, devices } = await run(planOf(small, prefer(small, "axis"), { devices: 3, overlap: false }));
  const { logits } = client.decrypt(
    small.program,
    output.map((words) => scatterCiphertext(small.context, words)),
  );
  const { norm } = small.program.tensors[small.program.output];
  for (const [i, logit] of twinLogits(small).entries())
    expect(Math.abs(logits[i] - logit) / norm).toBeLessThan(2 ** -12);
  for (const {
    device,
    peakBytes,
    workBytes,
    activationBytes,
    keyBytes,
    busySeconds,
    computeSeconds,
    exposedCommSeconds,
  } of devices) {
    expect(device).toBe("wasm");
    expect(workBytes).toBeGreaterThan(0);
    expect(workBytes).toBeLessThan(peakBytes);
    expect(activationBytes).toBeGreaterThan(0);
    expect(activationBytes).toBeLessThan(workBytes);
    expect(keyBytes).toBeGreaterThan(0);
    expect(computeSeconds).toBeGreaterThan(0);
    expect(exposedCommSeconds).toBeGreaterThan(0);
    expect(busySeconds).toBe(computeSeconds + exposedCommSeconds);
  }
});

test("transforms that are freed before attention are encoded again: the same result", async () => {
  const plan = planOf(small, prefer(small, "axis"), { devices: 2, overlap: true });
  await run(plan, {}, true);
  const { parameters } = small.context;
  const [kept, freed] = await Promise.all(
    [false, true].map((releaseTransforms) => planRequirements(small.program, parameters, plan, { releaseTransforms })),
  );
  for (const [rank, { work }] of freed.devices.entries()) expect(work.ntt).toBeGreaterThan(kept.devices[rank].work.ntt);
});

test("four devices that share sums", async () => {
  await run(planOf(small, prefer(small, "summed-axis", "axis"), { devices: 4, overlap: true }));
});

test("a run that is put down, and taken up where all devices had saved it", async () => {
  const checkpoint = await mkdtemp(join(tmpdir(), "aegis-run-"));
  try {
    const plan = planOf(small, prefer(small, "summed-axis", "axis"), { devices: 2, overlap: true });
    const controller = new AbortController();
    const stopped = run(plan, {
      checkpoint,
      signal: controller.signal,
      onProgress: () => {
        const { step } = JSON.parse(readFileSync(join(checkpoint, "manifest.json"), "utf8")) as { step: number };
        if (step > 0) controller.abort();
      },
    });
    const hint = `what is done is kept in ${checkpoint}: run again to go on from there`;
    await expect(stopped).rejects.toMatchObject({ code: "aborted", hint });
    const other = input.map((a) => ({ ...a, scale: 2 * a.scale }));
    await expect(server.inferOn(plan, other, { checkpoint })).rejects.toMatchObject({ code: "plan" });
    const seen: number[] = [];
    const { communication } = await run(plan, { checkpoint, onProgress: ({ done }) => seen.push(done) });
    expect(seen[0]).toBeGreaterThan(1);
    expect(communication.plannedBytes).toBeLessThan(plan.steps.reduce((sum, step) => sum + bytesOf(step), 0));
    expect(await readdir(checkpoint)).toEqual([]);
  } finally {
    await rm(checkpoint, { recursive: true });
  }
});

const sets = await availableInstructionSets().catch((): InstructionSet[] => []);
const mixed = sets.length === 0 ? test.skip : test;
mixed(`unlike devices in one run${sets.length === 0 ? " (skipped: native kernels were not built)" : ""}`, async () => {
  const { program, context } = small;
  const { parameters } = context;
  // The second is three times as fast: it has more of everything that is shared out.
  const paces = [3, 1];
  const setting = planSetting(program, parameters, digestOf(program), evenTimes, paces);
  const options = { devices: 2, strategy: "aegis", chunkBytes: 2 ** 17 } as const;
  const { plan, timeline } = makePlan(program, setting, options);
  const even = makePlan(program, planSetting(program, parameters, digestOf(program), evenTimes), options);
  expect(timeline.seconds).toBeLessThan(playPlan(program, even.plan, setting.costs).seconds);
  const devices = [
    { kind: "wasm", memoryBytes, threads: 1 },
    { kind: "native", memoryBytes: 2 * memoryBytes, threads: 2 },
  ] as const;
  const result = await run(plan, { devices });
  expect(result.devices.map(({ device, threads }) => [device, threads])).toEqual([
    ["wasm", 1],
    ["native", 2],
  ]);
});

test("a device with too little memory names itself and the operation", async () => {
  const plan = planOf(small, prefer(small, "axis"), { devices: 2, overlap: true });
  await expect(server.inferOn(plan, input, { devices: wasmDevices(2, 2 ** 22) })).rejects.toMatchObject({
    code: "memory",
    device: expect.stringMatching(/^wasm [01]$/),
    path: expect.arrayContaining([expect.stringMatching(/^layer 0 → /)]),
  });
});

test("a plan for another program is refused", async () => {
  const plan = planOf(small, prefer(small, "single"), { devices: 1, overlap: true });
  await expect(server.inferOn({ ...plan, program: "another" }, input)).rejects.toMatchObject({ code: "plan" });
  await expect(server.inferOn(plan, input, { requirements: [] })).rejects.toThrow(RangeError);
});
