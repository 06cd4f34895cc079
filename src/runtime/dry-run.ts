/**
 * A program on the null device: what it will need before anything runs. The same code as a real
 * run, with a backend that only counts.
 */
import { Bootstrapper } from "../circuits/index.ts";
import {
  Ciphertext,
  Context,
  Evaluator,
  type KeyName,
  type KeyUse,
  type Parameters,
  pagedBytes,
  residentKeyBytes,
} from "../ckks/index.ts";
import { type KernelWork, NullBackend, shardedBackend } from "../kernels/index.ts";
import { headerWords, isCut, type Plan, singlePlan } from "../placement/index.ts";
import { bootstrapCount, type Operation, type Program, slotsOf, type Tensor } from "../program/index.ts";
import { Environment, emptyWeights, RecordingKeys, specialCountOf } from "../transformer/index.ts";
import { CountingKeys, type KeyUses } from "./counting-keys.ts";
import { Runner } from "./device/runner.ts";
import { shardingOf } from "./device/sharding.ts";
import type { SentBytes } from "./fabric/ledger.ts";
import { createLocalFabric, type LocalEndpoint } from "./fabric/local.ts";

/** A key that a program asks for. */
export interface NeededKey {
  readonly name: KeyName;
  /** Highest level it is used at. */
  readonly level: number;
  /** In the memory of the device: of its share, where ciphertexts are cut. */
  readonly bytes: number;
}

/** A use of a key, and what paging it in takes. */
export interface SizedKeyUse extends KeyUse {
  readonly bytes: number;
}

export interface Requirements {
  readonly keys: readonly NeededKey[];
  /** Bytes of all keys, both halves. */
  readonly keyBytes: number;
  /** Bytes of all keys on the wire, uniform halves as seeds. */
  readonly compressedKeyBytes: number;
  /** Peak bytes of ciphertexts, plaintexts and workspace in the backend, without keys and the kernels' own tables. */
  readonly workBytes: number;
  readonly counts: KeyUses & { readonly bootstraps: number };
  readonly work: KernelWork;
  /** Keys in the order in which a run asks for them. */
  readonly keySequence: readonly SizedKeyUse[];
}

/** Runs the program on one null device. */
export async function requirements(program: Program, parameters: Parameters): Promise<Requirements> {
  const { devices } = await planRequirements(program, parameters, singlePlan(program, parameters));
  return devices[0] as Requirements;
}

/** What every device of a plan will need, and what they will send. */
export interface PlanRequirements {
  readonly devices: readonly Requirements[];
  readonly sent: readonly SentBytes[];
}

/**
 * Runs a plan on null devices, step by step in turn.
 *
 * @throws AegisError `plan` for a strategy that is only planned
 */
export async function planRequirements(
  program: Program,
  parameters: Parameters,
  plan: Plan,
): Promise<PlanRequirements> {
  const endpoints = createLocalFabric(plan.devices, { wordsMoved: headerWords, counts: true });
  const devices: NullDevice[] = [];
  for (const endpoint of endpoints) devices.push(new NullDevice(program, parameters, plan, endpoint, devices[0]));
  for (const index of plan.steps.keys()) {
    for (const { runner } of devices) runner.begin(index);
    for (const { runner } of devices) runner.end(index);
  }
  const sent = endpoints.map(({ ledger }) => ledger.bytes);
  return { devices: devices.map((device) => device.finish()), sent };
}

/** A device that executes nothing and counts everything. */
class NullDevice {
  readonly runner: Runner;
  readonly #program: Program;
  readonly #backend = new NullBackend();
  readonly #recorded: RecordingKeys;
  readonly #keys: CountingKeys;
  readonly #bootstrapper: Bootstrapper;
  readonly #input: Ciphertext[];

  /** @param like a device of the same plan */
  constructor(program: Program, parameters: Parameters, plan: Plan, endpoint: LocalEndpoint, like?: NullDevice) {
    this.#program = program;
    endpoint.ledger.counting = false;
    const { strategy } = plan;
    const backend = isCut(strategy)
      ? shardedBackend(this.#backend, endpoint.communicator, shardingOf(strategy, parameters))
      : this.#backend;
    const context = new Context(parameters, backend);
    this.#recorded = new RecordingKeys(context);
    this.#keys = new CountingKeys(this.#recorded);
    this.#bootstrapper = new Bootstrapper(
      context,
      slotsOf(program.geometry),
      like === undefined ? undefined : like.#bootstrapper,
    );
    endpoint.ledger.counting = true;
    const environment = new Environment(
      new Evaluator(context, this.#keys),
      program.geometry,
      program.length,
      this.#bootstrapper,
    );
    const constants = { weights: (linear: Operation, index: number) => emptyWeights(program, linear, index) };
    const cut = isCut(strategy) ? { cut: environment } : {};
    this.runner = new Runner({ program, plan, environment, constants, endpoint, ...cut });
    const level = (program.tensors[program.input] as Tensor).level as number;
    const moduli = parameters.moduli(level);
    const poly = () => context.ring.poly(moduli, "ntt");
    this.#input = this.runner.inputNumbers().map((number) => {
      const ciphertext = new Ciphertext([poly(), poly()], level, parameters.scale, slotsOf(program.geometry));
      this.runner.lend(number, ciphertext);
      return ciphertext;
    });
  }

  finish(): Requirements {
    for (const a of [...this.runner.takeOutput(), ...this.#input]) a.dispose();
    this.runner.dispose();
    this.#bootstrapper[Symbol.dispose]();
    const { context, levels, sequence } = this.#recorded;
    const sizes = new Map<string, SizedKeyUse>();
    const sized = (name: KeyName, level: number): SizedKeyUse => {
      const known = sizes.get(`${name} ${level}`);
      if (known !== undefined) return known;
      const use = { name, level, bytes: residentKeyBytes(context, level, specialCountOf(name, context)) };
      sizes.set(`${name} ${level}`, use);
      return use;
    };
    const needed = [...levels].map(([name, level]) => sized(name, level));
    return {
      keys: needed.sort((a, b) => b.level - a.level || (a.name < b.name ? -1 : 1)),
      keyBytes: needed.reduce((sum, key) => sum + key.bytes, 0),
      compressedKeyBytes: needed.reduce((sum, key) => sum + context.parameters.keyBytes(key.level).compressed, 0),
      workBytes: this.#backend.memory().peak - this.#recorded.bytes,
      counts: { ...this.#keys.uses, bootstraps: bootstrapsOf(this.#program) },
      work: { ...this.#backend.work },
      keySequence: sequence.map(({ name, level }) => sized(name, level)),
    };
  }
}

/** Bootstrappings of a run; a pair counts once. */
function bootstrapsOf(program: Program): number {
  let count = 0;
  for (const operation of program.operations) {
    if (operation.kind !== "bootstrap") continue;
    count += bootstrapCount(operation.inputs.map((name) => program.tensors[name] as Tensor));
  }
  return count;
}

/** Kernels keep tables in backend memory as well. */
const tableBytes = 2 ** 26;

/** Memory of a device that is left for keys beside a run, two of them at least: keys give way when it runs out. */
export function keyBudget(memoryBytes: number, { workBytes, keys }: Requirements): number {
  const largest = Math.max(0, ...keys.map(({ bytes }) => bytes));
  return Math.max(2 * largest, 0.92 * (memoryBytes - workBytes) - tableBytes);
}

/** Bytes of keys that a run pages into backend memory when resident keys may take `budget` bytes. */
export function keyTraffic({ keySequence }: Requirements, budget: number): number {
  return pagedBytes(keySequence, budget, ({ bytes }) => bytes);
}
