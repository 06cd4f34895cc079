/** Plans on thread devices: the same words as one device, and exactly the bytes that were planned. */
import { describe, expect, test } from "vitest";
import { uniforms } from "../../test/support/ckks.ts";
import { parties, type SmallCase, type SmallProgram, smallProgram, twinLogits } from "../../test/support/run.ts";
import { gatherCiphertext, scatterCiphertext, type WholeCiphertext } from "../ckks/index.ts";
import { bytesOf, expand, lowestInput, type Mode, modesFor, type Plan, verifyPlan } from "../placement/index.ts";
import { digestOf, type PlanRunResult, planRequirements, runPlan, shareKey } from "./index.ts";

const cases: readonly (SmallCase & { title: string })[] = [
  {
    title: "long layout, two blocks, two layers",
    shape: { hidden: 8, heads: 2, inner: 20, layers: 2, tokens: 24 },
    logN: 8,
    tokens: 8,
    length: 13,
    spread: 1,
    long: { lanes: 4, blocks: 2, babySteps: 2 },
  },
  {
    title: "long layout, one block, one layer",
    shape: { hidden: 12, heads: 3, inner: 24 },
    logN: 8,
    tokens: 16,
    length: 16,
    spread: 1,
    long: { lanes: 8, blocks: 1, babySteps: 2 },
  },
  { title: "short layout", shape: { hidden: 8, heads: 2, inner: 20 }, logN: 8, tokens: 8, length: 5, spread: 1 },
];

/** A mode for every operation; the first that is possible where the wish is not. */
function choose(small: SmallProgram, wish: (index: number, possible: readonly Mode[]) => Mode): Mode[] {
  const { program } = small;
  return program.operations.map((operation, index) => {
    const possible = modesFor(program, operation, { strategy: "aegis", devices: 2 } as Parameters<typeof modesFor>[2]);
    const wished = wish(index, possible);
    return possible.includes(wished) ? wished : (possible[0] as Mode);
  });
}

function planOf({ program, context }: SmallProgram, modes: readonly Mode[], devices: number, overlap: boolean): Plan {
  const { parameters } = context;
  const steps = expand(program, modes, {
    devices,
    overlap,
    ring: parameters,
    bootstrapInput: lowestInput(parameters),
    chunkBytes: 2 ** 17,
  });
  return { format: 1, strategy: "aegis", devices, overlap, program: "", preset: program.preset, steps };
}

describe.each(cases)("$title", async (one) => {
  const small = await smallProgram(one);
  const { model, program, context } = small;
  const { client, server, keys: made } = parties(small);
  const input = client.encrypt(program, model.ids(one.length));
  const whole = input.map((a) => gatherCiphertext(a));
  const { output } = await server.infer(input);
  const expected = output.map((a) => digestOf(wordsOf(gatherCiphertext(a))));
  const keys = made.map(shareKey);

  async function run(plan: Plan): Promise<PlanRunResult> {
    verifyPlan(program, "", plan);
    const { devices: requirements, sent } = await planRequirements(program, context.parameters, plan);
    const result = await runPlan(
      {
        program,
        plan,
        parameters: context.parameters,
        weights: model.checkpoint,
        keys,
        requirements,
        memoryBytes: 2 ** 28,
      },
      whole,
    );
    const planned = plan.steps.reduce((sum, step) => sum + bytesOf(step), 0);
    expect(result.communication.plannedBytes).toBe(planned);
    expect(result.communication.measuredBytes).toBe(planned);
    expect(sent.reduce((sum, { total }) => sum + total, 0)).toBe(planned);
    for (const [name, bytes] of Object.entries(result.communication.byCollective))
      expect(sent.reduce((sum, { byCollective }) => sum + byCollective[name as keyof typeof byCollective], 0)).toBe(
        bytes,
      );
    return result;
  }

  function same(result: PlanRunResult): void {
    expect(result.output.map((a) => digestOf(wordsOf(a)))).toEqual(expected);
  }

  test("decrypts to what the twin says", () => {
    check(client, output);
  });

  const long = program.geometry.layout === "long";
  test.each([
    [3, "summed-axis", false],
    ...(program.geometry.blocks > 1 ? ([[4, "summed-block", true]] as const) : []),
    ...(long ? [] : ([[2, "outputs", false]] as const)),
  ] as const)("%i devices, %s where it can be, overlap %s", async (devices, mode, overlap) => {
    same(
      await run(
        planOf(
          small,
          choose(small, () => mode),
          devices,
          overlap,
        ),
      ),
    );
  });

  test.each(long ? [1] : [2])("modes at random, seed %i", async (seed) => {
    const next = uniforms(seed);
    const modes = choose(small, (_, possible) => possible[Math.floor(next() * possible.length)] as Mode);
    same(await run(planOf(small, modes, 2 + (seed % 3), seed % 2 === 0)));
  });

  function check(to: typeof client, ciphertexts: Parameters<typeof client.decrypt>[1]): void {
    const { logits } = to.decrypt(program, ciphertexts);
    const { norm } = program.tensors[program.output];
    for (const [i, logit] of twinLogits(small).entries())
      expect(Math.abs(logits[i] - logit) / norm).toBeLessThan(2 ** -12);
  }

  test("what comes back from devices can be decrypted", async () => {
    const { output: words, devices } = await run(
      planOf(
        small,
        choose(small, () => "axis"),
        2,
        true,
      ),
    );
    check(
      client,
      words.map((a) => scatterCiphertext(context, a)),
    );
    expect(devices.map(({ kind }) => kind)).toEqual(["wasm", "wasm"]);
    for (const { peakBytes, computeSeconds } of devices) {
      expect(peakBytes).toBeGreaterThan(0);
      expect(computeSeconds).toBeGreaterThan(0);
    }
  });
});

function wordsOf({ parts, level, scale }: WholeCiphertext): unknown {
  return [level, scale, parts.map((limbs) => limbs.map((words) => Array.from(words)))];
}
