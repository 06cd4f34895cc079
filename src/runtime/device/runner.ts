/**
 * One device following a plan. The same code for every kind of device: what differs is the backend
 * under the environment and the endpoint that joins it to the others.
 *
 * With overlap, sends are queued and receives are taken when something needs them; without, every
 * transfer is over before the device goes on.
 */
import { AegisError, withPath } from "../../base/errors.ts";
import type { Ciphertext } from "../../ckks/index.ts";
import {
  type ComputeStep,
  lastUses,
  moduleOf,
  type Plan,
  type Step,
  type TransferStep,
} from "../../placement/index.ts";
import {
  ciphertextsOf,
  describeOperation,
  type Operation,
  type Part,
  type Program,
  range,
  readsOf,
  type Tensor,
} from "../../program/index.ts";
import {
  type Constants,
  type Environment,
  executeOperation,
  finishSum,
  type PartialSum,
  partialSums,
  sumShape,
} from "../../transformer/index.ts";
import type { Endpoint } from "../fabric/endpoint.ts";
import { Store } from "./store.ts";
import { type Parcel, parcelWords, readCiphertext, readSum, writeParcel } from "./wire.ts";

/** Ciphertext numbers stay below this, so that a step and a number make a tag. */
const numbersPerStep = 2 ** 16;

/** What a device works with. */
export interface DeviceSetting {
  readonly program: Program;
  readonly plan: Plan;
  readonly environment: Environment;
  readonly constants: Constants;
  readonly endpoint: Endpoint;
  /** Evaluates operations on ciphertexts that are cut; absent where the plan has none. */
  readonly cut?: Environment;
}

/** Something on its way to this device. */
interface Expected {
  readonly from: number;
  readonly tag: number;
  readonly take: (words: Uint32Array) => void;
}

/** Seconds of a device. */
export interface DeviceSeconds {
  /** In operations. */
  compute: number;
  /** Waiting for others, and copying what is sent and received. */
  exposed: number;
}

export class Runner {
  readonly seconds: DeviceSeconds = { compute: 0, exposed: 0 };
  /** Seconds of computing by operation. */
  readonly operations: Float64Array;
  /** Ciphertexts, keyed `tensor number`. */
  readonly tensors = new Store<Ciphertext>();
  /** Partial sums, keyed `tensor number`. */
  readonly sums = new Store<PartialSum>();
  readonly #setting: DeviceSetting;
  readonly #lent = new Map<string, Ciphertext>();
  readonly #expected = new Map<string, Expected[]>();
  readonly #last: ReadonlyMap<string, readonly string[]>;

  constructor(setting: DeviceSetting) {
    const { program, plan, endpoint } = setting;
    this.#setting = setting;
    this.operations = new Float64Array(program.operations.length);
    this.#last = lastUses(program, plan.steps, endpoint.rank);
    if (plan.steps.length * numbersPerStep > 2 ** 32)
      throw new AegisError("plan", `a plan of ${plan.steps.length} steps has no tags for its messages`);
  }

  get rank(): number {
    return this.#setting.endpoint.rank;
  }

  /** Numbers of the program's input that this device reads. */
  inputNumbers(): number[] {
    const { program } = this.#setting;
    const prefix = `${program.input} `;
    return [...this.#last.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => Number(key.slice(prefix.length)));
  }

  /** Gives the device a ciphertext of the input, which stays the lender's. */
  lend(number: number, ciphertext: Ciphertext): void {
    this.#lent.set(`${this.#setting.program.input} ${number}`, ciphertext);
  }

  /** Gives the device a ciphertext of the input for good. */
  give(number: number, ciphertext: Ciphertext): void {
    this.tensors.set(`${this.#setting.program.input} ${number}`, ciphertext);
  }

  /** Says that the device is alive, in work that no operation does. */
  beat(): void {
    this.#setting.endpoint.beat();
  }

  /** Takes step `index` of the plan. */
  step(index: number): void {
    this.begin(index);
    this.end(index);
  }

  /** A step up to where it may wait for others: devices that are stepped in turn all begin before one ends. */
  begin(index: number): void {
    const { program, plan, endpoint } = this.#setting;
    const step = plan.steps[index] as Step;
    const operation = program.operations[step.operation] as Operation;
    if (endpoint.aborted) throw new AegisError("aborted", "the run was cancelled");
    endpoint.beat(step.operation);
    endpoint.ledger.module = moduleOf(operation.path);
    this.#copying(() => endpoint.progress());
    withPath(describeOperation(operation), () => {
      if (step.kind === "transfer") this.#transfer(step, index);
      else if (step.kind === "compute") {
        const part = step.parts[this.rank];
        if (part !== null && part !== undefined) this.#compute(step, operation, part);
      } else this.#cut(operation);
    });
  }

  /** Without overlap, waits until the step's transfers are over; frees what is not needed any more. */
  end(index: number): void {
    const { plan, endpoint } = this.#setting;
    const step = plan.steps[index] as Step;
    if (step.kind === "transfer" && !plan.overlap) {
      for (const { to, indices } of step.moves)
        if (to.includes(this.rank)) for (const number of indices) this.#await(keyOf(step, number));
      this.seconds.exposed += endpoint.flush();
    }
    for (const key of this.#last.get(`#${index}`) ?? []) if (!this.#isOutput(key)) this.tensors.drop(key);
  }

  /** Waits until all that was sent has left and all that is expected has come. */
  settle(): void {
    for (const key of [...this.#expected.keys()]) this.#await(key);
    this.seconds.exposed += this.#setting.endpoint.flush();
  }

  /** Numbers of the program's output that this device has. */
  outputNumbers(): number[] {
    const { program } = this.#setting;
    const count = ciphertextsOf(program.tensors[program.output] as Tensor);
    return range(count).filter((number) => this.tensors.get(`${program.output} ${number}`) !== undefined);
  }

  /** Hands over the program's output, in order; they are the caller's from here on. */
  takeOutput(): Ciphertext[] {
    const { program } = this.#setting;
    return this.outputNumbers().map((number) => this.tensors.take(`${program.output} ${number}`) as Ciphertext);
  }

  dispose(): void {
    this.tensors.clear();
    this.sums.clear();
  }

  #compute(step: ComputeStep, operation: Operation, part: Part): void {
    const { program, environment, constants } = this.#setting;
    if (step.phase === "finish") {
      for (const [o, name] of operation.outputs.entries()) {
        for (const number of part.outputs[o] as readonly number[]) {
          const key = `${name} ${number}`;
          this.#await(`+${key}`);
          const sum = this.sums.get(key);
          if (sum === undefined) throw new AegisError("internal", `no sum of ${key} to finish`);
          const result = this.#timed(step.operation, () =>
            finishSum(environment, program, operation, o, number, sum, constants),
          );
          this.sums.drop(key);
          this.#keep(key, result);
        }
      }
      return;
    }
    const inputs = this.#inputs(operation, part);
    const run = <T>(execute: () => T): T => this.#timed(step.operation, execute);
    if (step.phase === "sums") {
      const results = run(() => partialSums(environment, program, operation, inputs, constants, part));
      this.#each(operation, part, (key, o, at) => this.sums.set(key, results[o]?.[at] as PartialSum));
    } else {
      const results = run(() => executeOperation(environment, program, operation, inputs, constants, part));
      this.#each(operation, part, (key, o, at) => this.#keep(key, results[o]?.[at] as Ciphertext));
    }
  }

  /** All of an operation on this device's share of every ciphertext. */
  #cut(operation: Operation): void {
    const { program, cut, constants } = this.#setting;
    if (cut === undefined) throw new AegisError("plan", "this device does not work on ciphertexts that are cut");
    const outputs = operation.outputs.map((name) =>
      Array.from({ length: ciphertextsOf(program.tensors[name] as Tensor) }, (_, i) => i),
    );
    const part = { outputs };
    const inputs = this.#inputs(operation, part);
    const before = this.#setting.endpoint.waitedSeconds;
    const start = performance.now();
    const results = executeOperation(cut, program, operation, inputs, constants, part);
    const waited = this.#setting.endpoint.waitedSeconds - before;
    const computed = (performance.now() - start) / 1000 - waited;
    this.seconds.exposed += waited;
    this.seconds.compute += computed;
    this.operations[operation.id] = (this.operations[operation.id] as number) + computed;
    this.#each(operation, part, (key, o, at) => this.#keep(key, results[o]?.[at] as Ciphertext));
  }

  /** Inputs of a part, with holes where it reads nothing; waits for what is still on its way. */
  #inputs(operation: Operation, part: Part): (Ciphertext | undefined)[][] {
    const { program } = this.#setting;
    const reads = readsOf(program, operation, part);
    return operation.inputs.map((name, i) => {
      const list = new Array<Ciphertext | undefined>(ciphertextsOf(program.tensors[name] as Tensor));
      for (const number of reads[i] as number[]) {
        const key = `${name} ${number}`;
        this.#await(key);
        const found = this.tensors.get(key) ?? this.#lent.get(key);
        if (found === undefined) throw new AegisError("internal", `${key} is not on device ${this.rank}`);
        list[number] = found;
      }
      return list;
    });
  }

  #transfer(step: TransferStep, index: number): void {
    for (const { from, to, indices } of step.moves) {
      for (const number of indices) {
        if (from === this.rank) this.#send(step, index, to, number);
        if (to.includes(this.rank)) this.#expect(step, index, from, number);
      }
    }
  }

  #send(step: TransferStep, index: number, to: readonly number[], number: number): void {
    const { environment, endpoint } = this.#setting;
    const key = `${step.tensor} ${number}`;
    const store: Store<Ciphertext> | Store<PartialSum> = step.form === "sums" ? this.sums : this.tensors;
    this.#await(keyOf(step, number));
    const value = store.get(key);
    if (value === undefined) throw new AegisError("internal", `${key} is not on device ${this.rank}`);
    const limbs =
      step.form === "sums"
        ? (value.parts[0]?.moduli.length as number)
        : environment.evaluator.context.parameters.limbs(step.level);
    const parcel: Parcel = {
      parts: value.parts,
      limbs,
      scale: value.scale,
      level: step.form === "sums" ? value.level : step.level,
      slots: environment.slots,
    };
    const left = store.leave(key);
    this.#copying(() =>
      endpoint.send({
        to,
        tag: index * numbersPerStep + number,
        words: parcelWords(parcel),
        collective: step.collective,
        fill: (into) => writeParcel(parcel, into),
        sent: left,
      }),
    );
    if (step.form === "sums") this.sums.drop(key);
  }

  #expect(step: TransferStep, index: number, from: number, number: number): void {
    const { program, environment } = this.#setting;
    const { context } = environment.evaluator;
    const key = `${step.tensor} ${number}`;
    const operation = program.operations[step.operation] as Operation;
    const take = (words: Uint32Array): void => {
      if (step.form === "ciphertexts") {
        this.tensors.set(key, readCiphertext(context, words));
        return;
      }
      const { polynomials, extended } = sumShape(program, operation, operation.outputs.indexOf(step.tensor));
      const arrived = readSum(context, words, polynomials, extended);
      const own = this.sums.get(key);
      if (own === undefined) this.sums.set(key, arrived);
      else {
        own.add(context, arrived);
        arrived[Symbol.dispose]();
      }
    };
    const list = this.#expected.get(keyOf(step, number)) ?? [];
    list.push({ from, tag: index * numbersPerStep + number, take });
    this.#expected.set(keyOf(step, number), list);
  }

  /** Takes everything that is on its way under a key. */
  #await(key: string): void {
    const { endpoint } = this.#setting;
    for (const { from, tag, take } of this.#expected.get(key) ?? []) {
      this.#copying(() => endpoint.wait(() => endpoint.receive(from, tag, take), `${key} of device ${from}`));
    }
    this.#expected.delete(key);
  }

  /** Keeps a result, unless no step of this device will read or send it. */
  #keep(key: string, result: Ciphertext): void {
    if (this.#last.has(key) || this.#isOutput(key)) this.tensors.set(key, result);
    else result.dispose();
  }

  #isOutput(key: string): boolean {
    return key.startsWith(`${this.#setting.program.output} `);
  }

  #each(operation: Operation, part: Part, apply: (key: string, o: number, at: number) => void): void {
    for (const [o, name] of operation.outputs.entries())
      for (const [at, number] of (part.outputs[o] as readonly number[]).entries()) apply(`${name} ${number}`, o, at);
  }

  #timed<T>(operation: number, body: () => T): T {
    const start = performance.now();
    const result = body();
    const seconds = (performance.now() - start) / 1000;
    this.seconds.compute += seconds;
    this.operations[operation] = (this.operations[operation] as number) + seconds;
    return result;
  }

  #copying(body: () => unknown): void {
    const start = performance.now();
    body();
    this.seconds.exposed += (performance.now() - start) / 1000;
  }
}

function keyOf(step: TransferStep, number: number): string {
  return `${step.form === "sums" ? "+" : ""}${step.tensor} ${number}`;
}
