/**
 * Plans on ciphertexts that are cut: what is planned, what null devices count and what thread devices send
 * are the same bytes, by collective, and the result is that of one device.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { deserialize, serialize } from "node:v8";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gatherCiphertext, scatterCiphertext, type WholeCiphertext } from "../../src/ckks/index.ts";
import { collectiveNames, shardingNames } from "../../src/kernels/index.ts";
import {
  type CutStep,
  makePlan,
  moduleNames,
  type Plan,
  type Planned,
  planSetting,
} from "../../src/placement/index.ts";
import { digestOf, type PlanRequirements, type PlanRunResult, planRequirements } from "../../src/runtime/index.ts";
import { buildDist } from "../support/build.ts";
import { cutCases, firstPart } from "../support/cut.ts";
import { digestOfWords } from "../support/plan.ts";
import { evenTimes, parties, type SmallProgram } from "../support/run.ts";
import { thorough } from "../support/thorough.ts";

const script = fileURLToPath(new URL("./support/run-plans.mjs", import.meta.url));

/** Bytes by collective, without those that are 0. */
type Bytes = Record<string, number>;

/** One plan on its way from planning over null devices to threads. */
interface Run {
  readonly title: string;
  readonly planned: Planned;
  readonly requirements: PlanRequirements;
}

function plannedBytes(plan: Plan): Bytes {
  const sums: Bytes = {};
  for (const step of plan.steps as readonly CutStep[])
    for (const [name, bytes] of Object.entries(step.bytes)) sums[name] = (sums[name] ?? 0) + bytes;
  return sums;
}

function nonZero(bytes: Bytes): Bytes {
  return Object.fromEntries(Object.entries(bytes).filter(([, n]) => n > 0));
}

/** Runs of one program in another process; results in order. */
async function runAll(
  { program, model, context }: SmallProgram,
  keys: unknown,
  input: readonly WholeCiphertext[],
  runs: readonly Run[],
): Promise<PlanRunResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "aegis-cut-"));
  try {
    const [from, to] = [join(folder, "runs"), join(folder, "results")];
    const { config, layers, pooler, classifier } = model.checkpoint;
    const task = {
      spec: context.parameters.spec,
      program,
      weights: { config: { hiddenSize: config.hiddenSize }, layers, pooler, classifier },
      keys,
      input,
      memoryBytes: 2 ** 28,
      runs: runs.map(({ planned: { plan }, requirements }) => ({ plan, requirements: requirements.devices })),
    };
    await writeFile(from, serialize(task));
    await promisify(execFile)(process.execPath, [script, from, to], { env: { ...process.env, NODE_OPTIONS: "" } });
    return deserialize(await readFile(to)) as PlanRunResult[];
  } finally {
    await rm(folder, { recursive: true });
  }
}

beforeAll(buildDist, 300_000);

describe.each(cutCases)("$title", (one) => {
  const runs: Run[] = [];
  let small: SmallProgram;
  let client: ReturnType<typeof parties>["client"];
  let keys: ReturnType<typeof parties>["keys"];
  let input: WholeCiphertext[];
  let expected: WholeCiphertext[];

  beforeAll(async () => {
    small = await firstPart(one);
    const { server, ...rest } = parties(small);
    ({ client, keys } = rest);
    const ciphertexts = client.encrypt(small.program, small.model.ids(one.length));
    input = ciphertexts.map(gatherCiphertext);
    const { output } = await server.infer(ciphertexts);
    expected = output.map(gatherCiphertext);
  });

  afterAll(() => small.backend.dispose());

  test.each(shardingNames)("%s: null devices count what was planned, each holds its share", async (strategy) => {
    const { program, context, needed } = small;
    const { parameters } = context;
    const setting = planSetting(program, parameters, digestOf(program), evenTimes);
    for (const devices of [2, 4]) {
      // Chunks are small, so that there are several.
      const planned = makePlan(program, setting, { devices, strategy, chunkBytes: 2 ** 16 });
      const requirements = await planRequirements(program, parameters, planned.plan);
      const { sent } = requirements;
      const counted = collectiveNames.map((name) => [name, sent.reduce((sum, a) => sum + a.byCollective[name], 0)]);
      expect(nonZero(Object.fromEntries(counted))).toEqual(plannedBytes(planned.plan));
      for (const name of moduleNames)
        expect(sent.reduce((sum, { byModule }) => sum + (byModule[name] ?? 0), 0)).toBe(planned.bytes[name]);
      for (const device of requirements.devices) {
        expect(device.workBytes).toBeLessThan(needed.workBytes);
        expect(device.keyBytes).toBeLessThan(needed.keyBytes);
      }
      if (thorough || devices === 2) runs.push({ title: `${strategy} on ${devices}`, planned, requirements });
    }
  });

  test("thread devices send what was planned, and give the result of one device", async () => {
    expect(runs).toHaveLength((thorough ? 2 : 1) * shardingNames.length);
    const results = await runAll(small, keys, input, runs);
    for (const [i, { title, planned, requirements }] of runs.entries()) {
      const { communication, devices, output } = results[i];
      expect(communication.measuredBytes, title).toBe(communication.plannedBytes);
      expect(communication.plannedBytes, title).toBe(planned.bytes.total);
      expect(nonZero(communication.byCollective), title).toEqual(plannedBytes(planned.plan));
      for (const name of moduleNames) expect(communication.byModule[name], title).toBe(planned.bytes[name]);
      expect(
        devices.map(({ bytesSent }) => bytesSent),
        title,
      ).toEqual(requirements.sent.map(({ total }) => total));
      if (planned.plan.strategy !== "limb-oa")
        expect(output.map(digestOfWords), title).toEqual(expected.map(digestOfWords));
      const [got, alone] = [output, expected].map((words) => decrypted(words));
      for (const [k, value] of alone.entries()) expect(Math.abs(got[k] - value), title).toBeLessThan(2 ** -12);
    }
  }, 120_000);

  /** The first values of the result, in units of its norm. */
  function decrypted(words: readonly WholeCiphertext[]): number[] {
    const { program, context } = small;
    const { logits } = client.decrypt(
      program,
      words.map((a) => scatterCiphertext(context, a)),
    );
    return Array.from(logits, (value) => value / program.tensors[program.output].norm);
  }
});
