/**
 * A program on the null device: what it will need before anything runs. The same code as a real
 * run, with a backend that only counts.
 */
import type { Bootstrapper } from "../circuits/index.ts";
import { Ciphertext, type KeyName, type KeyUse, type Parameters, pagedBytes, residentKeyBytes } from "../ckks/index.ts";
import { type KernelWork, NullBackend } from "../kernels/index.ts";
import { headerWords, type Plan, singlePlan } from "../placement/index.ts";
import { bootstrapCount, type Operation, type Program, slotsOf, type Tensor } from "../program/index.ts";
import { emptyWeights, RecordingKeys, specialCountOf } from "../transformer/index.ts";
import { CountingKeys, type KeyUses } from "./counting-keys.ts";
import { type Environments, type Form, openEnvironments } from "./device/environments.ts";
import { Runner } from "./device/runner.ts";
import { requireRunnable } from "./device/sharding.ts";
import type { SentBytes } from "./fabric/ledger.ts";
import { createLocalFabric, type LocalEndpoint } from "./fabric/local.ts";

/** A key that a program asks for. */
export interface NeededKey {
  readonly name: KeyName;
  /** Highest level it is used at. */
  readonly level: number;
  /** What it is used on. */
  readonly form: Form;
  /** In the memory of the device: of its share, where ciphertexts are cut. */
  readonly bytes: number;
}

/** A use of a key, and what paging it in takes. */
export interface SizedKeyUse extends KeyUse {
  readonly form: Form;
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
  /** Peak bytes of ciphertexts and sums among them. */
  readonly activationBytes: number;
  /** Transforms of bootstrapping are freed where memory is needed most, and encoded again: the device must do the same. */
  readonly releaseTransforms: boolean;
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
  { releaseTransforms = false }: { readonly releaseTransforms?: boolean } = {},
): Promise<PlanRequirements> {
  requireRunnable(plan.strategy);
  const endpoints = createLocalFabric(plan.devices, { wordsMoved: headerWords, counts: true });
  const devices: NullDevice[] = [];
  for (const endpoint of endpoints)
    devices.push(new NullDevice(program, parameters, plan, endpoint, releaseTransforms, devices[0]?.bootstrapper));
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
  readonly #recorded = new Map<Form, RecordingKeys>();
  readonly #counted: CountingKeys[] = [];
  /** All uses in order, whatever the form. */
  readonly #uses: { form: Form; name: KeyName; level: number }[] = [];
  readonly #environments: Environments;
  readonly #input: Ciphertext[];
  readonly #releaseTransforms: boolean;

  constructor(
    program: Program,
    parameters: Parameters,
    plan: Plan,
    endpoint: LocalEndpoint,
    releaseTransforms: boolean,
    like: Bootstrapper | undefined,
  ) {
    this.#releaseTransforms = releaseTransforms;
    this.#program = program;
    this.#environments = openEnvironments({
      program,
      plan,
      parameters,
      backend: this.#backend,
      endpoint,
      like,
      keys: (context, form) => {
        const note = (name: KeyName, level: number) => this.#uses.push({ form, name, level });
        const recorded = new RecordingKeys(context, this.#backend, note);
        this.#recorded.set(form, recorded);
        const counting = new CountingKeys(recorded);
        this.#counted.push(counting);
        return counting;
      },
    });
    const constants = { weights: (linear: Operation, index: number) => emptyWeights(program, linear, index) };
    const { whole, cuts } = this.#environments;
    this.runner = new Runner({ program, plan, environment: whole, constants, endpoint, cuts, releaseTransforms });
    const level = (program.tensors[program.input] as Tensor).level as number;
    const { ring } = whole.evaluator.context;
    const poly = () => ring.poly(parameters.moduli(level), "ntt");
    this.#input = this.runner.inputNumbers().map((number) => {
      const ciphertext = new Ciphertext([poly(), poly()], level, parameters.scale, slotsOf(program.geometry));
      this.runner.lend(number, ciphertext);
      return ciphertext;
    });
  }

  /** A bootstrapping to lay out those of other devices by. */
  get bootstrapper(): Bootstrapper | undefined {
    const { whole, cuts } = this.#environments;
    return [whole, ...cuts.values()].find(({ bootstrapper }) => bootstrapper !== undefined)?.bootstrapper;
  }

  finish(): Requirements {
    for (const { ciphertext } of this.runner.takeOutput()) ciphertext.dispose();
    for (const a of this.#input) a.dispose();
    this.runner.dispose();
    const sizes = new Map<string, SizedKeyUse>();
    const sized = ({ form, name, level }: { form: Form; name: KeyName; level: number }): SizedKeyUse => {
      const known = sizes.get(`${form} ${name} ${level}`);
      if (known !== undefined) return known;
      const context = this.#environments.context(form);
      const use = { form, name, level, bytes: residentKeyBytes(context, level, specialCountOf(name, context)) };
      sizes.set(`${form} ${name} ${level}`, use);
      return use;
    };
    const needed = [...this.#recorded].flatMap(([form, { levels }]) =>
      [...levels].map(([name, level]) => sized({ form, name, level })),
    );
    const { parameters } = this.#environments.context("whole");
    const uses = this.#counted.map((keys) => keys.uses);
    const sum = (pick: (uses: KeyUses) => number): number => uses.reduce((total, one) => total + pick(one), 0);
    this.#environments[Symbol.dispose]();
    return {
      keys: needed.sort((a, b) => b.level - a.level || (a.name < b.name ? -1 : 1)),
      keyBytes: needed.reduce((sum, key) => sum + key.bytes, 0),
      compressedKeyBytes: needed.reduce((sum, key) => sum + parameters.keyBytes(key.level).compressed, 0),
      workBytes: this.#backend.memory().peak,
      activationBytes: this.runner.activations.peak,
      releaseTransforms: this.#releaseTransforms,
      counts: {
        keySwitches: sum(({ keySwitches }) => keySwitches),
        multiplications: sum(({ multiplications }) => multiplications),
        rotations: sum(({ rotations }) => rotations),
        bootstraps: bootstrapsOf(this.#program),
      },
      work: { ...this.#backend.work },
      keySequence: this.#uses.map(sized),
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
  // Keys on shares are other keys.
  const uses = keySequence.map((use) => ({
    ...use,
    name: (use.form === "whole" ? use.name : `${use.form} ${use.name}`) as KeyName,
  }));
  return pagedBytes(uses, budget, ({ bytes }) => bytes);
}
