/** From a checkpoint and its calibration to a scheduled program, with what it will need. */
import { Bootstrapper } from "../circuits/index.ts";
import { Context, type Parameters } from "../ckks/index.ts";
import { NullBackend } from "../kernels/index.ts";
import type { ModelConfig } from "../model/index.ts";
import {
  checkGeometry,
  describeOperation,
  type Geometry,
  type Operation,
  type Program,
  slotsOf,
  type Tensor,
  verifyProgram,
} from "../program/index.ts";
import type { Calibration } from "./calibration.ts";
import { type KernelTimes, keepTraces, NullCosts, referenceTimes } from "./costs/index.ts";
import { candidateGeometries, otherSteps } from "./geometries.ts";
import { buildGraph, type UnscheduledProgram } from "./graph/index.ts";
import { lowered } from "./lower.ts";
import { type CostModel, originOf, refreshCost, schedule } from "./schedule.ts";

export interface CompileOptions {
  /** Real tokens of the text. */
  readonly length: number;
  /** Kernel times of this machine, for the forecast; they do not change the program. */
  readonly times: KernelTimes;
  readonly geometry?: Geometry;
  /** Layout to take; by default whichever costs less. */
  readonly layout?: Geometry["layout"];
  /**
   * Whether operations work, and send, at the lowest level that their readers need; true by default. False is what
   * the gain is measured against.
   */
  readonly lower?: boolean;
}

/** A program and the seconds that it is expected to take, operation by operation. */
export interface Compiled {
  readonly program: Program;
  readonly seconds: readonly number[];
}

/** Long geometries are scheduled when they are expected to cost less than this times the best. */
const near = 1.05;

/**
 * Compiles and verifies. Throws `program` when the text does not fit or levels do not suffice.
 *
 * Of the many long geometries the first is scheduled; the others are weighed at its levels, and those
 * that come near the best are scheduled too.
 */
export function compile(
  config: ModelConfig,
  calibration: Calibration,
  parameters: Parameters,
  options: CompileOptions,
): Compiled {
  const workshops = new Workshops(parameters);
  const make = (geometry: Geometry): Candidate => compileFor(config, calibration, workshops, geometry, options);
  if (options.geometry !== undefined) return make(options.geometry);
  const candidates = candidateGeometries(config, options.length, parameters.maximumSlots, options.layout);
  const [long, ...others] = candidates.filter(({ layout }) => layout === "long");
  const first = candidates.filter((geometry) => geometry.layout === "short" || geometry === long).map(make);
  let best = cheapest(first);
  if (long === undefined) return best;
  const { program } = first.at(-1) as Candidate;
  const weighed = [long, ...others]
    .flatMap((geometry) => [geometry, ...otherSteps(geometry)])
    .filter((geometry) => geometry !== long)
    .map((geometry) => {
      const graph = buildGraph(config, calibration, geometry, options.length);
      return { geometry, cost: weigh(program, graph, workshops) };
    });
  for (const { geometry, cost } of weighed.sort((a, b) => a.cost - b.cost)) {
    if (cost >= near * best.cost) break;
    best = cheapest([best, make(geometry)]);
  }
  return best;
}

function cheapest(candidates: readonly Candidate[]): Candidate {
  return candidates.reduce((best, candidate) => (candidate.cost < best.cost ? candidate : best));
}

/** Reference seconds that a graph of another geometry takes at the levels and with the bootstraps of a program. */
function weigh(program: Program, graph: UnscheduledProgram, workshops: Workshops): number {
  const costs = workshops.costs(graph).costs.model(referenceTimes);
  const levels = new Map(program.operations.map(({ outputs, level }) => [outputs.join(), level as number]));
  let seconds = 0;
  for (const operation of graph.operations) {
    // What only one of the geometries has costs little.
    const level = levels.get(operation.outputs.join()) ?? operation.depth;
    seconds += costs.operation(operation, Math.max(level, operation.depth));
  }
  for (const { kind, inputs } of program.operations) {
    if (kind !== "bootstrap") continue;
    const tensors = inputs.flatMap((name) => graph.tensors[originOf(name)] ?? []);
    seconds += refreshCost(costs, tensors);
  }
  return seconds;
}

/** Null backends for geometries that are compared: those of as many slots share one, with its bootstrapping. */
class Workshops {
  readonly parameters: Parameters;
  readonly #bySlots = new Map<number, { backend: NullBackend; context: Context; bootstrapper: Bootstrapper }>();
  /** By all of the geometry but its baby steps. */
  readonly #costs = new Map<string, NullCosts>();

  constructor(parameters: Parameters) {
    this.parameters = parameters;
  }

  costs(graph: UnscheduledProgram): { costs: NullCosts; bootstrapper: Bootstrapper } {
    const slots = slotsOf(graph.geometry);
    let shop = this.#bySlots.get(slots);
    if (shop === undefined) {
      const backend = new NullBackend();
      const context = new Context(this.parameters, backend);
      shop = { backend, context, bootstrapper: new Bootstrapper(context, slots) };
      this.#bySlots.set(slots, shop);
    }
    const { backend, context, bootstrapper } = shop;
    const key = JSON.stringify({ ...graph.geometry, babySteps: 0 });
    const costs = new NullCosts(context, backend, graph, bootstrapper, this.#costs.get(key));
    this.#costs.set(key, costs);
    return { costs, bootstrapper };
  }
}

/** `cost` in seconds of the reference machine. */
type Candidate = Compiled & { readonly cost: number };

function compileFor(
  config: ModelConfig,
  calibration: Calibration,
  workshops: Workshops,
  geometry: Geometry,
  options: CompileOptions,
): Candidate {
  const graph = buildGraph(config, calibration, geometry, options.length);
  const { parameters } = workshops;
  checkGeometry(geometry, parameters.maximumSlots);
  const { costs, bootstrapper } = workshops.costs(graph);
  const scheduled = schedule(graph, costs.model(referenceTimes), {
    preset: parameters.name,
    bootstrapLevel: bootstrapper.outputLevel,
    bootstrapInput: bootstrapper.inputLevel,
    logScale: Math.log2(parameters.scale),
  });
  const program = options.lower === false ? scheduled : lowered(scheduled, bootstrapper.inputLevel);
  verifyProgram(program, {
    maximumSlots: parameters.maximumSlots,
    maximumLevel: parameters.maximumLevel,
    bootstrapLevel: bootstrapper.outputLevel,
    bootstrapInput: bootstrapper.inputLevel,
  });
  keepTraces(program, costs.traces);
  const seconds = secondsByOperation(program, costs.model(options.times));
  const reference = secondsByOperation(program, costs.model(referenceTimes));
  return { program, seconds, cost: reference.reduce((sum, s) => sum + s, 0) };
}

/** Seconds expected of each operation of a program. */
export function forecastSeconds(program: Program, parameters: Parameters, times: KernelTimes): number[] {
  const backend = new NullBackend();
  const context = new Context(parameters, backend);
  using bootstrapper = new Bootstrapper(context, slotsOf(program.geometry));
  return secondsByOperation(program, new NullCosts(context, backend, program, bootstrapper).model(times));
}

function secondsByOperation(program: Program, costs: CostModel): number[] {
  return program.operations.map((operation) => {
    if (operation.kind !== "bootstrap") return costs.operation(operation, operation.level as number);
    return refreshCost(
      costs,
      operation.inputs.map((name) => program.tensors[name] as Tensor),
    );
  });
}

/** Where a program bootstraps: before which operation, what, from and to which level. */
export function bootstrapPlaces(program: Program): NonNullable<Calibration["schedule"]>["bootstraps"] {
  return program.operations.flatMap((operation, index) => {
    if (operation.kind !== "bootstrap") return [];
    const next = program.operations[index + 1] as Operation;
    return [
      {
        before: describeOperation(next),
        refreshes: operation.inputs.map(originOf),
        from: operation.level as number,
        to: operation.target,
      },
    ];
  });
}
