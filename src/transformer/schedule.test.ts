/** Schedules of toy graphs against the best of all placements of bootstraps. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AegisError } from "../base/errors.ts";
import {
  bootstrapBound,
  type Geometry,
  type Operation,
  type Program,
  type Tensor,
  verifyProgram,
} from "../program/index.ts";
import type { UnscheduledProgram } from "./graph/index.ts";
import { type CostModel, originOf, type ScheduleOptions, schedule } from "./schedule.ts";

/** An operation of a toy graph: how deep it is, what it reads (as indices of earlier ones), how much its result costs to refresh. */
interface Step {
  readonly depth: number;
  readonly reads: readonly number[];
  readonly count: number;
  readonly magnitude: number;
  readonly weight: number;
}

const options: ScheduleOptions = { preset: "toy", bootstrapLevel: 5, bootstrapInput: 1, logScale: 50 };

function toyGraph(steps: readonly Step[]): UnscheduledProgram {
  const tensors: Record<string, Tensor> = {};
  const declare = (name: string, count: number, magnitude: number): void => {
    tensors[name] = { name, axis: "feature", blocks: 1, count, content: "wide", magnitude, norm: 1, offset: 0 };
  };
  const operations: Operation[] = [{ id: 0, kind: "input", path: ["toy"], inputs: [], outputs: ["t0"], depth: 0 }];
  declare("t0", 1, 1);
  for (const [i, { depth, reads, count, magnitude }] of steps.entries()) {
    const inputs = [...new Set(reads.map((read) => read % (i + 1)))].map((read) => `t${read}`);
    declare(`t${i + 1}`, count, magnitude);
    operations.push({ id: i + 1, kind: "multiply", path: ["toy"], inputs, outputs: [`t${i + 1}`], depth });
  }
  const last = `t${steps.length}`;
  operations.push({ id: operations.length, kind: "output", path: ["toy"], inputs: [last], outputs: [], depth: 0 });
  const geometry: Geometry = {
    layout: "short",
    blocks: 1,
    babySteps: 1,
    tokens: 2,
    lanes: 4,
    width: 4,
    heads: 1,
    headSize: 4,
  };
  return { format: 1, checkpoint: "", geometry, length: 2, classes: 1, tensors, operations, input: "t0", output: last };
}

/** Costs of operations that grow with the level by `slope`, as real ones do. */
function toyCosts(steps: readonly Step[], bootstrap: number, slope = 1): CostModel {
  return {
    operation: (operation, level) =>
      operation.kind === "multiply" ? (steps[operation.id - 1]?.weight ?? 0) * (slope * level + 1) : 0,
    bootstrap: (size) => (size === 1 ? 0.7 : 1) * bootstrap,
  };
}

/** Cost of a finished program, by the definition. */
function costOf(program: Program, costs: CostModel, graph: UnscheduledProgram): number {
  let sum = 0;
  for (const operation of program.operations) {
    if (operation.kind === "bootstrap") {
      const count = operation.inputs.reduce((total, name) => total + program.tensors[name].count, 0);
      sum += (count >> 1) * costs.bootstrap(2) + (count & 1) * costs.bootstrap(1);
    } else {
      const outputs = operation.outputs.map(originOf);
      const original = graph.operations.find(
        (one) => one.kind === operation.kind && one.outputs.join() === outputs.join(),
      ) as Operation;
      sum += costs.operation(original, operation.level as number);
    }
  }
  return sum;
}

/** The least cost over every choice before every operation; infinite when none works. */
function bruteForce(
  graph: UnscheduledProgram,
  costs: CostModel,
  { bootstrapLevel, bootstrapInput }: ScheduleOptions,
): number {
  const from = (index: number, levels: ReadonlyMap<string, number>): number => {
    const operation = graph.operations[index];
    if (operation === undefined) return 0;
    let best = Number.POSITIVE_INFINITY;
    const go = (at: ReadonlyMap<string, number>, level: number, spent: number): void => {
      if (level < operation.depth) return;
      const after = new Map(at);
      for (const name of operation.outputs) after.set(name, level - operation.depth);
      best = Math.min(best, spent + costs.operation(operation, level) + from(index + 1, after));
    };
    if (operation.kind === "input") {
      for (let level = 1; level <= bootstrapLevel; level++) go(levels, level, 0);
      return best;
    }
    const { inputs } = operation;
    for (let subset = 0; subset < 2 ** inputs.length; subset++) {
      const refreshed = inputs.filter((_, i) => (subset >> i) & 1);
      if (
        refreshed.some(
          (name) => (levels.get(name) as number) < bootstrapInput || graph.tensors[name].magnitude > bootstrapBound,
        )
      )
        continue;
      const count = refreshed.reduce((sum, name) => sum + graph.tensors[name].count, 0);
      for (let target = 1; target <= (subset === 0 ? 1 : bootstrapLevel); target++) {
        if (subset > 0 && refreshed.every((name) => (levels.get(name) as number) >= target)) continue; // lowers only
        const at = new Map(levels);
        for (const name of refreshed) at.set(name, target);
        go(
          at,
          Math.min(...inputs.map((name) => at.get(name) as number)),
          (count >> 1) * costs.bootstrap(2) + (count & 1) * costs.bootstrap(1),
        );
      }
    }
    return best;
  };
  return from(0, new Map());
}

const step: fc.Arbitrary<Step> = fc.record({
  depth: fc.integer({ min: 0, max: 4 }),
  reads: fc.array(fc.nat(3), { minLength: 1, maxLength: 2 }),
  count: fc.integer({ min: 1, max: 4 }),
  magnitude: fc.constantFrom(1, 1, 1, 4, 5),
  weight: fc.integer({ min: 0, max: 3 }),
});

function scheduled(
  steps: readonly Step[],
  bootstrap: number,
  slope = 1,
): { cost: number; program: Program | undefined } {
  const graph = toyGraph(steps);
  const costs = toyCosts(steps, bootstrap, slope);
  try {
    const program = schedule(graph, costs, options);
    return { cost: costOf(program, costs, graph), program };
  } catch (error) {
    if (!(error instanceof AegisError) || error.code !== "program") throw error;
    return { cost: Number.POSITIVE_INFINITY, program: undefined };
  }
}

describe("a schedule", () => {
  const graphs = fc.tuple(fc.array(step, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 40 }));

  test("costs what the best of all placements costs", () => {
    const property = fc.property(graphs, ([steps, bootstrap]) => {
      expect(scheduled(steps, bootstrap, 0).cost).toBe(
        bruteForce(toyGraph(steps), toyCosts(steps, bootstrap, 0), options),
      );
    });
    fc.assert(property, { numRuns: 300, seed: 11 });
  });

  test("and nearly so where high levels cost more: high tensors are never worth less than low ones to it", () => {
    let exact = 0;
    const property = fc.property(graphs, ([steps, bootstrap]) => {
      const { cost } = scheduled(steps, bootstrap);
      const best = bruteForce(toyGraph(steps), toyCosts(steps, bootstrap), options);
      if (cost === best) exact++;
      else expect(cost / best).toBeLessThan(1.5);
      expect(Number.isFinite(cost)).toBe(Number.isFinite(best));
    });
    fc.assert(property, { numRuns: 300, seed: 13 });
    expect(exact).toBeGreaterThan(285);
  });

  test("passes the verifier, refreshes only what is small and high enough, and no tensor for nothing", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const { program } = scheduled(steps, 10);
        if (program === undefined) return;
        verifyProgram(program, { maximumSlots: 8, maximumLevel: 5, bootstrapLevel: 5, bootstrapInput: 1 });
        for (const operation of program.operations) {
          if (operation.kind !== "bootstrap") continue;
          for (const name of operation.inputs) {
            expect(program.tensors[name].magnitude).toBeLessThanOrEqual(bootstrapBound);
            expect(program.tensors[name].level).toBeGreaterThanOrEqual(1);
          }
          expect(operation.inputs.some((name) => (program.tensors[name].level as number) < operation.target)).toBe(
            true,
          );
        }
      }),
      { numRuns: 200, seed: 12 },
    );
  });
});

const chain = (depths: readonly number[], more: Partial<Step> = {}): Step[] =>
  depths.map((depth, i) => ({ depth, reads: [i], count: 1, magnitude: 1, weight: 1, ...more }));

describe("by hand", () => {
  const bootstraps = (program: Program | undefined): string[][] =>
    (program?.operations ?? []).filter(({ kind }) => kind === "bootstrap").map(({ inputs }) => [...inputs]);

  test("refreshes where ciphertexts are few", () => {
    const steps = chain([2, 1, 3]);
    const wide = (crowded: number): Step[] => steps.map((one, i) => ({ ...one, count: i === crowded ? 8 : 1 }));
    expect(bootstraps(scheduled(wide(0), 1000).program)).toEqual([["t2"]]);
    expect(bootstraps(scheduled(wide(1), 1000).program)).toEqual([["t1"]]);
  });

  test("needs no bootstrap where levels suffice, and starts no higher than it must", () => {
    const { program } = scheduled(chain([2, 2]), 1000);
    expect(bootstraps(program)).toEqual([]);
    expect(program?.tensors.t0.level).toBe(4);
  });

  test("keeps the levels that bootstrapping itself takes", () => {
    const { program } = scheduled(chain([4, 1, 4]), 1000);
    for (const [name] of bootstraps(program))
      expect(program?.tensors[name].level).toBeGreaterThanOrEqual(options.bootstrapInput);
    expect(bootstraps(program).length).toBeGreaterThan(0);
  });

  test("never refreshes values beyond the bound", () => {
    const steps = chain([2, 3]);
    steps[0] = { ...steps[0], magnitude: bootstrapBound + 0.1 };
    expect(bootstraps(scheduled(steps, 1).program)).not.toContainEqual(["t1"]);
    const { program } = scheduled([steps[0], { ...steps[1], depth: 4 }], 1);
    expect(program).toBeUndefined();
  });

  test("asks for the cost of an operation at a level once", () => {
    const steps = chain([2, 1, 3, 2, 1, 3, 2]);
    const asked: string[] = [];
    const costs = toyCosts(steps, 10);
    schedule(
      toyGraph(steps),
      {
        ...costs,
        operation: (operation, level) => {
          asked.push(`${operation.id} @${level}`);
          return costs.operation(operation, level);
        },
      },
      options,
    );
    expect(new Set(asked).size).toBe(asked.length);
  });

  test("an operation that is too deep is named", () => {
    const graph = toyGraph(chain([6]));
    expect(() => schedule(graph, toyCosts([], 1), options)).toThrow(
      /toy → multiply: needs 6 levels, bootstrapping gives 5/,
    );
  });
});
