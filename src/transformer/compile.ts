/** From a checkpoint and its calibration to a scheduled program, with what it will need. */
import { Bootstrapper } from "../circuits/index.ts";
import { Context, type Parameters } from "../ckks/index.ts";
import { NullBackend } from "../kernels/index.ts";
import type { ModelConfig } from "../model/index.ts";
import {
  bootstrapPairs,
  checkGeometry,
  describeOperation,
  type Geometry,
  groupsOf,
  type Operation,
  type Program,
  slotsOf,
  type Tensor,
  verifyProgram,
} from "../program/index.ts";
import type { Calibration } from "./calibration.ts";
import { type KernelTimes, NullCosts, referenceTimes } from "./costs.ts";
import { buildGraph, type UnscheduledProgram } from "./graph/index.ts";
import { type CostModel, originOf, schedule } from "./schedule.ts";

export interface CompileOptions {
  /** Real tokens of the text. */
  readonly length: number;
  /** Kernel times of this machine, for the forecast; they do not change the program. */
  readonly times: KernelTimes;
  readonly geometry?: Geometry;
  /** Layout to take; by default whichever costs less. */
  readonly layout?: Geometry["layout"];
}

/** A program and the seconds that it is expected to take, operation by operation. */
export interface Compiled {
  readonly program: Program;
  readonly seconds: readonly number[];
}

/** Powers of two at or above. */
export function powerAtLeast(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}

/**
 * Slots for a text: tokens rounded up to a power of two, and as many lanes a token as the wide layers
 * can use while real and imaginary parts still share one bootstrapping (half of the slots), if there
 * is room for that.
 */
export function chooseGeometry(config: ModelConfig, length: number, maximumSlots: number): Geometry {
  const width = powerAtLeast(config.hiddenSize);
  const tokens = powerAtLeast(Math.max(length, 2));
  const most = Math.max(width, powerAtLeast(config.intermediateSize));
  let lanes = Math.max(width, Math.min(most, maximumSlots / 2 / tokens));
  if (lanes * tokens > maximumSlots) lanes = width;
  return {
    layout: "short",
    blocks: 1,
    tokens,
    lanes,
    width,
    heads: config.heads,
    headSize: config.headSize,
    babySteps: 1,
  };
}

/**
 * Slots for a long text: as many tokens in a ciphertext as there are, or as many as leave a lane for
 * every head; lanes that the heads do not need hold further groups of diagonals.
 */
export function longGeometry(config: ModelConfig, length: number, slots: number, mostTokens = slots): Geometry {
  const width = Math.max(2, powerAtLeast(config.heads));
  const tokens = Math.min(powerAtLeast(Math.max(length, 2)), slots / width, mostTokens);
  const lanes = slots / tokens;
  const diagonals = tokens / Math.min(lanes / width, tokens);
  return {
    layout: "long",
    blocks: Math.ceil(length / tokens),
    tokens,
    lanes,
    width,
    heads: config.heads,
    headSize: config.headSize,
    babySteps: 2 ** Math.floor(Math.log2(diagonals) / 2),
  };
}

/** The first choice, and twice the lanes where they still fit: fewer ciphertexts against dearer bootstraps. */
function candidateGeometries(config: ModelConfig, length: number, maximumSlots: number): Geometry[] {
  const first = chooseGeometry(config, length, maximumSlots);
  const wider = { ...first, lanes: 2 * first.lanes };
  const useful = wider.lanes <= powerAtLeast(config.intermediateSize) && wider.lanes * wider.tokens <= maximumSlots;
  return useful ? [first, wider] : [first];
}

/** Texts from this many tokens on are tried in the long layout as well. */
const longTokens = 128;

/** Geometries to choose from; the short layout where it fits. */
function candidatesFor(config: ModelConfig, { length, layout }: CompileOptions, parameters: Parameters): Geometry[] {
  const slots = parameters.maximumSlots;
  const first = chooseGeometry(config, length, slots);
  const fits = slotsOf(first) <= slots && Number.isInteger(Math.log2(config.headSize));
  const short = fits && layout !== "long" ? candidateGeometries(config, length, slots) : [];
  if (layout === "short" || (layout === undefined && fits && length < longTokens))
    return short.length > 0 ? short : [first];
  const long = longGeometry(config, length, slots);
  const most = long.tokens / groupsOf(long);
  const steps = [1 / 2, 1, 2, 4].map((factor) => factor * long.babySteps).filter((k) => k >= 1 && k <= most);
  return [...short, ...steps.map((babySteps) => ({ ...long, babySteps }))];
}

/** Compiles and verifies. Throws `program` when the text does not fit or levels do not suffice. */
export function compile(
  config: ModelConfig,
  calibration: Calibration,
  parameters: Parameters,
  options: CompileOptions,
): Compiled {
  const candidates = options.geometry === undefined ? candidatesFor(config, options, parameters) : [options.geometry];
  using workshops = new Workshops(parameters);
  return candidates
    .map((geometry) => compileFor(config, calibration, workshops, geometry, options))
    .reduce((best, candidate) => (candidate.cost < best.cost ? candidate : best));
}

/** Null backends for geometries that are compared: those of as many slots share one, with its bootstrapping. */
class Workshops implements Disposable {
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

  [Symbol.dispose](): void {
    for (const { bootstrapper } of this.#bySlots.values()) bootstrapper[Symbol.dispose]();
  }
}

/** `cost` in seconds of the reference machine. */
function compileFor(
  config: ModelConfig,
  calibration: Calibration,
  workshops: Workshops,
  geometry: Geometry,
  options: CompileOptions,
): Compiled & { cost: number } {
  const graph = buildGraph(config, calibration, geometry, options.length);
  const { parameters } = workshops;
  checkGeometry(geometry, parameters.maximumSlots);
  const { costs, bootstrapper } = workshops.costs(graph);
  const program = schedule(graph, costs.model(referenceTimes), {
    preset: parameters.name,
    bootstrapLevel: bootstrapper.outputLevel,
    bootstrapInput: bootstrapper.inputLevel,
    logScale: Math.log2(parameters.scale),
  });
  verifyProgram(program, {
    maximumSlots: parameters.maximumSlots,
    maximumLevel: parameters.maximumLevel,
    bootstrapLevel: bootstrapper.outputLevel,
    bootstrapInput: bootstrapper.inputLevel,
  });
  const total = (seconds: readonly number[]): number => seconds.reduce((sum, s) => sum + s, 0);
  const seconds = secondsByOperation(program, costs.model(options.times));
  return { program, seconds, cost: total(secondsByOperation(program, costs.model(referenceTimes))) };
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
    const pairs = bootstrapPairs(operation.inputs.map((name) => program.tensors[name] as Tensor));
    return pairs.length * costs.bootstrap();
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
