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
} from "../ckks/index.ts";
import type { Checkpoint } from "../model/index.ts";
import { type Program, slotsOf } from "../program/index.ts";
import { CountingKeys, type KeyUses, type RunOptions, type RunResult, runProgram } from "../runtime/index.ts";
import { Environment, weightsOf } from "../transformer/index.ts";

export class Server implements Disposable {
  readonly #checkpoint: Checkpoint;
  readonly #program: Program;
  readonly #keys: KeyStore;
  readonly #counting: CountingKeys;
  readonly #bootstrapper: Bootstrapper;
  readonly #environment: Environment;
  #keySequence: readonly KeyName[] | undefined;

  constructor(context: Context, checkpoint: Checkpoint, program: Program, options: KeyStoreOptions = {}) {
    this.#checkpoint = checkpoint;
    this.#program = program;
    this.#keys = new KeyStore(context, options);
    this.#counting = new CountingKeys(this.#keys);
    this.#bootstrapper = new Bootstrapper(context, slotsOf(program.geometry));
    this.#environment = new Environment(
      new Evaluator(context, this.#counting),
      program.geometry,
      program.length,
      this.#bootstrapper,
    );
  }

  /** Takes an evaluation key from the client. */
  addKey(key: EvaluationKey): void {
    this.#keys.add(key);
  }

  /** Tells the order in which every run asks for keys, so that the right ones stay in backend memory. */
  expectKeys(sequence: readonly KeyName[]): void {
    this.#keySequence = sequence;
  }

  /** Runs the program; the caller disposes of the output. */
  async infer(input: readonly Ciphertext[], options: RunOptions = {}): Promise<RunResult> {
    if (this.#keySequence !== undefined) this.#keys.expect(this.#keySequence);
    return runProgram(this.#program, this.#environment, weightsOf(this.#checkpoint), input, options);
  }

  /** Key switches so far. */
  get counts(): KeyUses {
    return this.#counting.uses;
  }

  /** Bytes of evaluation keys held. */
  get keyBytes(): number {
    return this.#keys.memory().stored;
  }

  dispose(): void {
    this.#keys.dispose();
    this.#bootstrapper[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
