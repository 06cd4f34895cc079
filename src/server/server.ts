/**
 * The server: holds the model and evaluation keys, computes on ciphertexts. There is no way to
 * give it a secret key.
 */
import { Bootstrapper } from "../circuits/index.ts";
import {
  type Ciphertext,
  type Context,
  type EvaluationKey,
  Evaluator,
  type KeyName,
  KeyStore,
  type KeyStoreOptions,
  type WholeCiphertext,
} from "../ckks/index.ts";
import type { Checkpoint } from "../model/index.ts";
import { type Plan, verifyPlan } from "../placement/index.ts";
import { type Program, slotsOf } from "../program/index.ts";
import {
  CountingKeys,
  digestOf,
  type KeyUses,
  type PlanRun,
  type PlanRunResult,
  planRequirements,
  type RunOptions,
  type RunResult,
  runPlan,
  runProgram,
  shareKey,
} from "../runtime/index.ts";
import { Environment, weightsOf } from "../transformer/index.ts";

/** What runs on several devices can be given. */
export type DeviceRunOptions = Partial<Omit<PlanRun, "program" | "plan" | "parameters" | "weights" | "keys">>;

export class Server implements Disposable {
  readonly #context: Context;
  readonly #checkpoint: Checkpoint;
  readonly #program: Program;
  readonly #keys: KeyStore;
  /** What the store holds: one copy for all devices of the host. */
  readonly #shared = new Map<KeyName, EvaluationKey>();
  readonly #counting: CountingKeys;
  #bootstrapper: Bootstrapper | undefined;
  #keySequence: readonly KeyName[] | undefined;

  constructor(context: Context, checkpoint: Checkpoint, program: Program, options: KeyStoreOptions = {}) {
    this.#context = context;
    this.#checkpoint = checkpoint;
    this.#program = program;
    this.#keys = new KeyStore(context, options);
    this.#counting = new CountingKeys(this.#keys);
  }

  /** Takes an evaluation key from the client; one of the same name with a lower level is replaced. */
  addKey(key: EvaluationKey): void {
    const present = this.#shared.get(key.name);
    if (present !== undefined && present.level >= key.level) return;
    const shared = shareKey(key);
    this.#shared.set(key.name, shared);
    this.#keys.add(shared);
  }

  /** Tells the order in which every run asks for keys, so that the right ones stay in backend memory. */
  expectKeys(sequence: readonly KeyName[]): void {
    this.#keySequence = sequence;
  }

  /** Runs the program on the context's backend; the caller disposes of the output. */
  async infer(input: readonly Ciphertext[], options: RunOptions = {}): Promise<RunResult> {
    if (this.#keySequence !== undefined) this.#keys.expect(this.#keySequence);
    return runProgram(this.#program, this.#environment(), weightsOf(this.#checkpoint), input, options);
  }

  /**
   * Runs the program by a plan, on thread devices with memory of their own. Gives the words that
   * {@link infer} gives.
   *
   * @param input all of the encrypted input
   * @throws `plan` when the plan is not for this program; what {@link runPlan} throws
   */
  async inferOn(plan: Plan, input: readonly WholeCiphertext[], options: DeviceRunOptions = {}): Promise<PlanRunResult> {
    const program = this.#program;
    const { parameters } = this.#context;
    verifyPlan(program, digestOf(program), plan);
    const requirements = options.requirements ?? (await planRequirements(program, parameters, plan)).devices;
    const keys = [...this.#shared.values()];
    const weights = this.#checkpoint;
    return runPlan({ ...options, program, plan, parameters, weights, keys, requirements }, input);
  }

  /** Key switches of {@link infer} so far. */
  get counts(): KeyUses {
    return this.#counting.uses;
  }

  /** Bytes of evaluation keys held. */
  get keyBytes(): number {
    return this.#keys.memory().stored;
  }

  dispose(): void {
    this.#keys.dispose();
    this.#shared.clear();
    this.#bootstrapper?.[Symbol.dispose]();
    this.#bootstrapper = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What runs here; made when it is first asked for, as devices have their own. */
  #environment(): Environment {
    const { geometry, length } = this.#program;
    this.#bootstrapper ??= new Bootstrapper(this.#context, slotsOf(geometry));
    return new Environment(new Evaluator(this.#context, this.#counting), geometry, length, this.#bootstrapper);
  }
}
