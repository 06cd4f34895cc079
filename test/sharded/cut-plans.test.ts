/** Plans on ciphertexts that are cut, before anything runs: what is chosen, what is refused, what memory it takes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RankShare, shardingNames } from "../../src/kernels/index.ts";
import {
  type CutStep,
  cutStrategies,
  makePlan,
  type Plan,
  type Planned,
  type PlanSetting,
  parsePlan,
  planSetting,
  playPlan,
  printPlan,
  type StrategyName,
  verifyPlan,
} from "../../src/placement/index.ts";
import { digestOf, planRequirements } from "../../src/runtime/index.ts";
import type { KernelTimes } from "../../src/transformer/index.ts";
import { cutCases, firstPart } from "../support/cut.ts";
import { evenTimes, type SmallProgram } from "../support/run.ts";

const [longCase] = cutCases;
let small: SmallProgram;
let setting: PlanSetting;

/** At this ring's size calls of kernels would outweigh their work, as they do not at sizes that are used. */
const times = Object.fromEntries(
  Object.entries(evenTimes).map(([name, seconds]) => [name, 32 * seconds]),
) as KernelTimes;

beforeAll(async () => {
  small = await firstPart(longCase);
  const { program, context } = small;
  setting = planSetting(program, context.parameters, digestOf(program), times);
});

afterAll(() => small.backend.dispose());

function planned(strategy: StrategyName, devices: number, chunkBytes = 2 ** 16): Planned {
  return makePlan(small.program, setting, { devices, strategy, chunkBytes });
}

function cutSteps({ steps }: Plan): CutStep[] {
  return steps.filter((step): step is CutStep => step.kind === "cut");
}

function bytesByOperation({ plan }: Planned): number[] {
  const sums = small.program.operations.map(() => 0);
  for (const { operation, bytes } of cutSteps(plan))
    sums[operation] += Object.values(bytes).reduce((sum, n) => sum + n, 0);
  return sums;
}

describe.each(cutStrategies)("%s", (strategy) => {
  test("runs every result once, in chunks", () => {
    const { program } = small;
    const { plan } = planned(strategy, 2, 2 ** 14);
    expect(() => verifyPlan(program, digestOf(program), plan)).not.toThrow();
    expect(parsePlan(printPlan(plan))).toEqual(plan);
    const steps = cutSteps(plan);
    expect(steps.length).toBeGreaterThan(program.operations.length);
    for (const [at, operation] of program.operations.entries()) {
      if (operation.kind === "input" || operation.kind === "output") continue;
      const parts = steps.filter((step) => step.operation === at).map(({ part }) => part.outputs);
      for (const [o, name] of operation.outputs.entries()) {
        const { blocks, count } = program.tensors[name];
        const numbers = parts.flatMap((outputs) => outputs[o]).sort((a, b) => a - b);
        expect(numbers).toEqual(Array.from({ length: blocks * count }, (_, i) => i));
      }
    }
  });

  test("time is that of the slowest share, communication beside it", () => {
    const [one, two] = [1, 2].map((devices) => planned(strategy, devices));
    expect(one.bytes.total).toBe(0);
    expect(two.bytes.total).toBeGreaterThan(0);
    for (const { compute, exposed, end } of two.timeline.devices) {
      expect(compute).toBeLessThan(one.timeline.devices[0].compute);
      expect(exposed).toBeGreaterThan(0);
      expect(compute + exposed).toBeCloseTo(end, 9);
    }
    expect(playPlan(small.program, two.plan, setting.costs).seconds).toBe(two.timeline.seconds);
  });
});

test("limb-merged sends what the better of its two shardings sends, operation by operation", () => {
  const [merged, broadcast, aggregated] = (["limb-merged", "limb-ib", "limb-oa"] as const).map((strategy) =>
    planned(strategy, 2, 2 ** 24),
  );
  const [a, b] = [broadcast, aggregated].map(bytesByOperation);
  expect(bytesByOperation(merged)).toEqual(a.map((bytes, at) => Math.min(bytes, b[at])));
  const chosen = new Set((merged.plan.steps as readonly CutStep[]).map(({ sharding }) => sharding));
  expect(chosen).toEqual(new Set(["limb-ib", "limb-oa"]));
});

describe("memory", () => {
  test.each(shardingNames)("%s: about what null devices take", async (strategy) => {
    const { program, context } = small;
    const { plan, memory } = planned(strategy, 2);
    const { devices } = await planRequirements(program, context.parameters, plan);
    for (const [rank, { workBytes, keyBytes, keys }] of devices.entries()) {
      const { activations, workspace, keys: forecast, keyNames } = memory[rank];
      // On rings as small as these the padding of limbs counts.
      expect((activations + workspace) / workBytes).toBeGreaterThan(0.75);
      expect((activations + workspace) / workBytes).toBeLessThan(1.75);
      expect(forecast / keyBytes).toBeGreaterThan(0.9);
      expect(forecast / keyBytes).toBeLessThan(1.1);
      expect(new Set(keyNames.keys())).toEqual(new Set(keys.map(({ name }) => name)));
    }
  });

  test("shares of all ranks are the whole, and what is on every rank", () => {
    const { parameters } = small.context;
    const moduli = parameters.extendedModuli(parameters.maximumLevel);
    const digits = parameters.digits.length;
    const sum = (name: (typeof shardingNames)[number], of: (share: RankShare) => number): number =>
      [0, 1, 2, 3].reduce((total, rank) => total + of(new RankShare({ name, chain: parameters }, 4, rank)), 0);
    const all = moduli.length;
    const special = parameters.specialCount;
    expect(sum("limb", (share) => share.limbs(moduli))).toBe(all);
    expect(sum("coefficient", (share) => share.limbs(moduli))).toBe(all);
    expect(sum("limb-ib", (share) => share.limbs(moduli))).toBe(all + 3 * special);
    expect(sum("limb-oa", (share) => share.limbs(moduli))).toBe(all + 3 * special);
    expect(sum("limb-ib", (share) => share.keyLimbs(moduli, 0))).toBe(all + 3 * special);
    expect(sum("limb-oa", (share) => share.keyLimbs(moduli, 1))).toBe(all);
    expect(sum("limb-oa", (share) => share.sumLimbs(moduli, digits))).toBe(Math.min(4, digits) * all);
  });
});

describe("what cannot be", () => {
  test("coefficients on a number of devices that is no power of two", () => {
    expect(() => planned("coefficient", 3)).toThrow(
      expect.objectContaining({ code: "plan", message: expect.stringMatching(/power of two of devices.*got 3/) }),
    );
  });

  test.each(["limb", "limb-ib", "limb-oa", "limb-merged"] as const)("%s on more devices than there may be", (name) => {
    expect(() => planned(name, 31)).toThrow(
      expect.objectContaining({ code: "plan", message: expect.stringContaining("expected 1 to 30 devices") }),
    );
  });

  test("running limb-merged", async () => {
    const { program, context } = small;
    const { plan } = planned("limb-merged", 2);
    await expect(planRequirements(program, context.parameters, plan)).rejects.toMatchObject({
      code: "plan",
      message: "strategy limb-merged can be planned but not run",
      hint: expect.stringContaining("limb-ib"),
    });
  });

  test("plans that mix kinds of steps, leave out results or name another sharding", () => {
    const { program } = small;
    const check = (plan: Plan) => () => verifyPlan(program, digestOf(program), plan);
    const { plan } = planned("limb", 2);
    const [first] = cutSteps(plan);
    const scatters = plan.steps.filter(({ kind }) => kind === "scatter");
    expect(scatters).toHaveLength(1); // the input
    // On whole ciphertexts, cutting some of them is a choice of its own; the other way round it is not.
    expect(check({ ...plan, strategy: "aegis" })).not.toThrow();
    const { steps } = planned("megatron", 2).plan;
    expect(check({ ...plan, steps })).toThrow(/has no place in a plan of strategy limb/);
    expect(check({ ...plan, steps: plan.steps.slice(1) })).toThrow(/its share of .* which it does not have/);
    expect(check({ ...plan, steps: cutSteps(plan).slice(1) })).toThrow(/its share of .* which it does not have/);
    expect(check({ ...plan, steps: [{ ...first, sharding: "limb-oa" }] })).toThrow(/is cut by limb-oa/);
    expect(check({ ...plan, steps: [{ ...first, part: { outputs: [[2 ** 15]] } }] })).toThrow(/outputs|no ciphertext/);
  });
});
