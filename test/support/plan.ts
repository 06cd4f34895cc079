/** Plans of small programs with modes that are chosen at will, and the devices of one thread to run them on. */
import { Bootstrapper } from "../../src/circuits/index.ts";
import {
  type Ciphertext,
  Context,
  type EvaluationKey,
  Evaluator,
  gatherCiphertext,
  KeyStore,
  scatterCiphertext,
  type WholeCiphertext,
} from "../../src/ckks/index.ts";
import { type Backend, createBackend } from "../../src/kernels/index.ts";
import { expand, lowestInput, type Mode, modesFor, type Plan } from "../../src/placement/index.ts";
import { slotsOf } from "../../src/program/index.ts";
import { Runner } from "../../src/runtime/device/runner.ts";
import type { SentBytes } from "../../src/runtime/fabric/ledger.ts";
import { createLocalFabric, type LocalEndpoint } from "../../src/runtime/fabric/local.ts";
import { digestOf } from "../../src/runtime/index.ts";
import { Environment, weightsOf } from "../../src/transformer/index.ts";
import type { SmallCase, SmallProgram } from "./run.ts";

type SearchOptions = Parameters<typeof modesFor>[2];

/** Small programs in either layout, with several token blocks and layers among them. */
export const planCases: readonly (SmallCase & { readonly title: string })[] = [
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

/** The first of the wished modes that is possible, for every operation; without one, the first possible. */
export function prefer(small: SmallProgram, ...wishes: readonly Mode[]): Mode[] {
  return choose(small, (possible) => wishes.find((mode) => possible.includes(mode)) ?? (possible[0] as Mode));
}

export function choose({ program }: SmallProgram, pick: (possible: readonly Mode[]) => Mode): Mode[] {
  const options = { strategy: "aegis", devices: 2 } as SearchOptions;
  return program.operations.map((operation) => pick(modesFor(program, operation, options)));
}

export interface PlanShape {
  readonly devices: number;
  readonly overlap: boolean;
  readonly everywhere?: boolean;
}

/** Chunks are small, so that there are several. */
export function planOf({ program, context }: SmallProgram, modes: readonly Mode[], shape: PlanShape): Plan {
  const { parameters } = context;
  const ring = { ring: parameters, bootstrapInput: lowestInput(parameters), chunkBytes: 2 ** 17 };
  const steps = expand(program, modes, { ...shape, ...ring });
  const { devices, overlap } = shape;
  return {
    format: 1,
    strategy: "aegis",
    devices,
    overlap,
    program: digestOf(program),
    preset: program.preset,
    steps,
  };
}

/** Everything that a ciphertext is. */
export function digestOfWords({ parts, level, scale, slots }: WholeCiphertext): string {
  return digestOf([level, scale, slots, parts.map((limbs) => limbs.map((words) => Array.from(words)))]);
}

export interface LocalRun {
  /** Digests of the output's ciphertexts. */
  readonly output: readonly string[];
  readonly sent: readonly SentBytes[];
  /** Bytes that the runs have left behind on the devices. */
  readonly leaked: number;
}

/** One of several devices in this thread, each with a WebAssembly backend of its own. */
class LocalDevice {
  readonly context: Context;
  readonly environment: Environment;
  readonly keys: KeyStore;
  readonly #backend: Backend;

  constructor({ program, context }: SmallProgram, backend: Backend, keys: readonly EvaluationKey[]) {
    this.#backend = backend;
    this.context = new Context(context.parameters, backend);
    this.keys = new KeyStore(this.context);
    for (const key of keys) this.keys.add(key);
    const bootstrapper = new Bootstrapper(this.context, slotsOf(program.geometry));
    const evaluator = new Evaluator(this.context, this.keys);
    this.environment = new Environment(evaluator, program.geometry, program.length, bootstrapper);
  }

  /** Bytes beside keys. */
  get used(): number {
    return this.#backend.memory().used - this.keys.memory().resident;
  }

  dispose(): void {
    this.#backend.dispose();
  }
}

/** Devices that are stepped in turn; they serve any number of plans. */
export class LocalDevices implements Disposable {
  readonly #small: SmallProgram;
  readonly #devices: readonly LocalDevice[];

  private constructor(small: SmallProgram, devices: readonly LocalDevice[]) {
    this.#small = small;
    this.#devices = devices;
  }

  static async open(small: SmallProgram, keys: readonly EvaluationKey[], count: number): Promise<LocalDevices> {
    const devices: LocalDevice[] = [];
    for (let i = 0; i < count; i++) devices.push(new LocalDevice(small, await createBackend("wasm"), keys));
    return new LocalDevices(small, devices);
  }

  /** A runner for each device of a plan, with the input that it reads unless it is to be restored. */
  start(plan: Plan, input?: readonly WholeCiphertext[]): LocalRunners {
    const { program, model } = this.#small;
    const endpoints = createLocalFabric(plan.devices);
    const runners = this.#devices.slice(0, plan.devices).map(({ context, environment }, rank) => {
      const endpoint = endpoints[rank];
      const runner = new Runner({ program, plan, environment, constants: weightsOf(model.checkpoint), endpoint });
      if (input === undefined) return runner;
      for (const number of runner.inputNumbers())
        runner.give(number, scatterCiphertext(context, input[number] as WholeCiphertext));
      return runner;
    });
    return new LocalRunners(runners, endpoints);
  }

  /** Follows a plan from beginning to end. */
  run(plan: Plan, input: readonly WholeCiphertext[]): LocalRun {
    const before = this.#devices.map(({ used }) => used);
    const started = this.start(plan, input);
    started.advance(0, plan.steps.length);
    const output = started.takeOutput();
    // Before anything is cleared: what no step reads any more is gone.
    const leaked = this.#devices.reduce((sum, { used }, rank) => sum + used - (before[rank] as number), 0);
    started.dispose();
    return { output, sent: started.sent, leaked };
  }

  context(rank: number): Context {
    return (this.#devices[rank] as LocalDevice).context;
  }

  [Symbol.dispose](): void {
    for (const device of this.#devices) device.dispose();
  }
}

/** Devices on their way through a plan, stepped in turn. */
export class LocalRunners {
  readonly runners: readonly Runner[];
  readonly #endpoints: readonly LocalEndpoint[];

  constructor(runners: readonly Runner[], endpoints: readonly LocalEndpoint[]) {
    this.runners = runners;
    this.#endpoints = endpoints;
  }

  /** Takes the steps from `first` up to `end`. */
  advance(first: number, end: number): void {
    for (let index = first; index < end; index++) {
      for (const runner of this.runners) runner.begin(index);
      for (const runner of this.runners) runner.end(index);
    }
    for (const runner of this.runners) runner.settle();
  }

  /** Digests of the output's ciphertexts, which are freed. */
  takeOutput(): string[] {
    const output: string[] = [];
    for (const runner of this.runners) {
      for (const { number, ciphertext } of runner.takeOutput()) {
        using a: Ciphertext = ciphertext;
        output[number] = digestOfWords(gatherCiphertext(a));
      }
    }
    return output;
  }

  get sent(): SentBytes[] {
    return this.#endpoints.map(({ ledger }) => ledger.bytes);
  }

  dispose(): void {
    for (const runner of this.runners) runner.dispose();
  }
}
