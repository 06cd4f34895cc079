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
  type CutStep,
  inputNumbers,
  isUsed,
  moduleOf,
  type Plan,
  type Some,
  type Step,
  type Uses,
  usesOf,
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
} from "../../transformer/index.ts";
import type { Endpoint } from "../fabric/endpoint.ts";
import { Clock } from "./clock.ts";
import { Exchange, numbersPerStep } from "./exchange.ts";
import { Store } from "./store.ts";

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

export class Runner {
  readonly clock: Clock;
  /** Ciphertexts, keyed `tensor number`. */
  readonly tensors = new Store<Ciphertext>();
  /** Partial sums, keyed `tensor number`. */
  readonly sums = new Store<PartialSum>();
  readonly #setting: DeviceSetting;
  readonly #exchange: Exchange;
  readonly #lent = new Map<string, Ciphertext>();
  readonly #uses: Uses;

  constructor(setting: DeviceSetting) {
    const { program, plan, environment, endpoint } = setting;
    const { tensors, sums } = this;
    this.#setting = setting;
    this.#uses = usesOf(program, plan.steps, endpoint.rank);
    this.clock = new Clock(program.operations.length, () => endpoint.waitedSeconds);
    const wanted = (key: string): boolean => this.#wanted(key);
    this.#exchange = new Exchange({ program, environment, endpoint, clock: this.clock, tensors, sums, wanted });
    if (plan.steps.length * numbersPerStep > 2 ** 32)
      throw new AegisError("plan", `a plan of ${plan.steps.length} steps has no tags for its messages`);
  }

  get rank(): number {
    return this.#setting.endpoint.rank;
  }

  /** Numbers of the program's input that this device reads. */
  inputNumbers(): number[] {
    return inputNumbers(this.#setting.program, this.#uses);
  }

  /** Gives the device a ciphertext of the input, which stays the lender's. */
  lend(number: number, ciphertext: Ciphertext): void {
    this.#lent.set(`${this.#setting.program.input} ${number}`, ciphertext);
  }

  /** Gives the device a ciphertext of the input for good. */
  give(number: number, ciphertext: Ciphertext): void {
    this.tensors.set(`${this.#setting.program.input} ${number}`, ciphertext);
  }

  /** Says that the device is alive and moves what is queued: for the inside of long work. Throws `aborted`. */
  pulse(): void {
    const { endpoint } = this.#setting;
    if (endpoint.aborted) throw new AegisError("aborted", "the run was cancelled");
    endpoint.beat();
    this.clock.communicating(() => endpoint.progress());
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
    endpoint.beat(step.operation);
    endpoint.ledger.module = moduleOf(operation.path);
    withPath(describeOperation(operation), () => {
      this.pulse();
      this.#exchange.poll();
      if (step.kind === "transfer") this.#exchange.begin(step, index);
      else if (step.kind === "compute") {
        const part = step.parts[this.rank];
        if (part !== null && part !== undefined) this.#compute(step, operation, part);
      } else this.#cut(step, operation);
    });
  }

  /** Without overlap, waits until the step's transfers are over; frees what is not needed any more. */
  end(index: number): void {
    const { program, plan } = this.#setting;
    const step = plan.steps[index] as Step;
    if (step.kind === "transfer" && !plan.overlap) {
      const operation = program.operations[step.operation] as Operation;
      withPath(describeOperation(operation), () => this.#exchange.end(step));
    }
    for (const { tensor, numbers } of this.#uses.ended[index] as readonly Some[]) {
      if (tensor === program.output) continue;
      for (const number of numbers) this.tensors.drop(`${tensor} ${number}`);
    }
  }

  /** Waits until all that was sent has left and all that is expected has come. */
  settle(): void {
    this.#exchange.settle();
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
          this.#exchange.awaitSum(key);
          const sum = this.sums.get(key);
          if (sum === undefined) throw new AegisError("internal", `no sum of ${key} to finish`);
          const result = this.clock.computing(step.operation, () =>
            finishSum(environment, program, operation, o, number, sum, constants),
          );
          this.sums.drop(key);
          this.#keep(key, result);
        }
      }
      return;
    }
    const inputs = this.#inputs(operation, part);
    const run = <T>(execute: () => T): T => this.clock.computing(step.operation, execute);
    if (step.phase === "sums") {
      const results = run(() => partialSums(environment, program, operation, inputs, constants, part));
      this.#each(operation, part, (key, o, at) => this.sums.set(key, results[o]?.[at] as PartialSum));
    } else {
      const results = run(() => executeOperation(environment, program, operation, inputs, constants, part));
      this.#each(operation, part, (key, o, at) => this.#keep(key, results[o]?.[at] as Ciphertext));
    }
  }

  /** Results of an operation, on this device's share of every ciphertext. */
  #cut({ operation: index, part }: CutStep, operation: Operation): void {
    const { program, cut, constants } = this.#setting;
    if (cut === undefined) throw new AegisError("plan", "this device does not work on ciphertexts that are cut");
    const inputs = this.#inputs(operation, part);
    const results = this.clock.computing(index, () =>
      executeOperation(cut, program, operation, inputs, constants, part),
    );
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
        this.#exchange.awaitCiphertext(key);
        const found = this.tensors.get(key) ?? this.#lent.get(key);
        if (found === undefined) throw new AegisError("internal", `${key} is not on device ${this.rank}`);
        list[number] = found;
      }
      return list;
    });
  }

  /** Keeps a result, unless no step of this device will read or send it. */
  #keep(key: string, result: Ciphertext): void {
    if (this.#wanted(key)) this.tensors.set(key, result);
    else result.dispose();
  }

  #wanted(key: string): boolean {
    const space = key.lastIndexOf(" ");
    return isUsed(this.#uses, key.slice(0, space), Number(key.slice(space + 1))) || this.#isOutput(key);
  }

  #isOutput(key: string): boolean {
    return key.startsWith(`${this.#setting.program.output} `);
  }

  #each(operation: Operation, part: Part, apply: (key: string, o: number, at: number) => void): void {
    for (const [o, name] of operation.outputs.entries())
      for (const [at, number] of (part.outputs[o] as readonly number[]).entries()) apply(`${name} ${number}`, o, at);
  }
}
