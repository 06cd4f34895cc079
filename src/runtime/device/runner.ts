/**
 * One device following a plan. The same code for every kind of device: what differs is the backend
 * under the environment and the endpoint that joins it to the others.
 *
 * With overlap, sends are queued and receives are taken when something needs them; without, every
 * transfer is over before the device goes on.
 */
import { AegisError, withPath } from "../../base/errors.ts";
import { Ciphertext, type Context, gatherCiphertext, scatterCiphertext } from "../../ckks/index.ts";
import { type ShardingName, shardingNames } from "../../kernels/index.ts";
import {
  type ComputeStep,
  type CutStep,
  inputNumbers,
  isUsed,
  moduleOf,
  type Plan,
  type ReshapeStep,
  releasesTransforms,
  type Some,
  type Step,
  sharesOf,
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
import type { Recorder } from "./recorder.ts";
import { Store, Tally } from "./store.ts";

/** What a device works with. */
export interface DeviceSetting {
  readonly program: Program;
  readonly plan: Plan;
  readonly environment: Environment;
  readonly constants: Constants;
  readonly endpoint: Endpoint;
  /** Transforms of bootstrapping are freed before operations that work with many ciphertexts. */
  readonly releaseTransforms?: boolean;
  /** Evaluate operations on ciphertexts that are cut, by sharding; those that the plan has. */
  readonly cuts?: ReadonlyMap<ShardingName, Environment>;
  /** Notes what the device does when. */
  readonly recorder?: Recorder | undefined;
}

/** A ciphertext of the program's output, or one device's share of it. */
export interface Output {
  readonly number: number;
  readonly ciphertext: Ciphertext;
  readonly shared: boolean;
}

/** A ciphertext laid out as this one, where no words are moved. */
function blank({ ring, parameters }: Context, { parts, level, scale, slots }: Ciphertext): Ciphertext {
  const moduli = parameters.moduli(level);
  return new Ciphertext(
    parts.map(() => ring.zero(moduli, "ntt")),
    level,
    scale,
    slots,
  );
}

export class Runner {
  readonly clock: Clock;
  /** Of ciphertexts and sums, beside what operations work with. */
  readonly activations = new Tally();
  /** Ciphertexts, keyed `tensor number`; shares of them by the name of the shares. */
  readonly tensors = new Store<Ciphertext>(this.activations);
  /** Partial sums, keyed `tensor number`. */
  readonly sums = new Store<PartialSum>(this.activations);
  readonly #setting: DeviceSetting;
  readonly #exchange: Exchange;
  readonly #lent = new Map<string, Ciphertext>();
  readonly #uses: Uses;
  /** The program's output, and what its shares may be called. */
  readonly #outputs: readonly string[];

  constructor(setting: DeviceSetting) {
    const { program, plan, environment, endpoint } = setting;
    const { tensors, sums } = this;
    this.#setting = setting;
    const { output } = program;
    this.#outputs = [...new Set([output, ...shardingNames.map((sharding) => sharesOf(output, sharding))])];
    this.#uses = usesOf(program, plan.steps, endpoint.rank);
    this.clock = new Clock(program.operations.length, () => endpoint.waitedSeconds, setting.recorder);
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
    if (this.clock.recorder !== undefined) this.clock.recorder.operation = step.operation;
    endpoint.ledger.module = moduleOf(operation.path);
    withPath(describeOperation(operation), () => {
      this.pulse();
      this.#exchange.poll();
      if (step.kind === "transfer") this.#exchange.begin(step, index);
      else if (step.kind === "compute") {
        const part = step.parts[this.rank];
        if (part !== null && part !== undefined) this.#compute(step, operation, part);
      } else if (step.kind === "cut") this.#cut(step, operation);
      else this.#reshape(step);
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
      if (this.#outputs.includes(tensor)) continue;
      for (const number of numbers) this.tensors.drop(`${tensor} ${number}`);
    }
  }

  /** Waits until all that was sent has left and all that is expected has come. */
  settle(): void {
    this.#exchange.settle();
  }

  /** Hands over what this device has of the program's output, in order; it is the caller's from here on. */
  takeOutput(): Output[] {
    const { program } = this.#setting;
    const count = ciphertextsOf(program.tensors[program.output] as Tensor);
    return this.#outputs.flatMap((name) =>
      range(count).flatMap((number): Output[] => {
        const ciphertext = this.tensors.take(`${name} ${number}`);
        return ciphertext === undefined ? [] : [{ number, ciphertext, shared: name !== program.output }];
      }),
    );
  }

  dispose(): void {
    this.tensors.clear();
    this.sums.clear();
  }

  #compute(step: ComputeStep, operation: Operation, part: Part): void {
    const { program, environment, constants, releaseTransforms } = this.#setting;
    if (releaseTransforms === true && releasesTransforms(program, operation)) environment.bootstrapper?.release();
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
  #cut({ operation: index, sharding, part }: CutStep, operation: Operation): void {
    const { program, constants } = this.#setting;
    const cut = this.#environment(sharding);
    const inputs = this.#inputs(operation, part, sharding);
    const results = this.clock.computing(index, () =>
      executeOperation(cut, program, operation, inputs, constants, part),
    );
    this.#each(operation, part, (key, o, at) => this.#keep(key, results[o]?.[at] as Ciphertext), sharding);
  }

  /** Own shares of ciphertexts that are whole here, or whole ciphertexts of everybody's shares. */
  #reshape({ kind, tensor, sharding, level, numbers }: ReshapeStep): void {
    const { environment, endpoint } = this.#setting;
    const cut = this.#environment(sharding);
    const scatter = kind === "scatter";
    const [source, target] = scatter ? [environment, cut] : [cut, environment];
    for (const number of numbers) {
      const [whole, shares] = [`${tensor} ${number}`, `${sharesOf(tensor, sharding)} ${number}`];
      if (scatter) this.#exchange.awaitCiphertext(whole);
      using at = source.at(this.#have(scatter ? whole : shares), level);
      this.clock.communicating(() => {
        const { context } = target.evaluator;
        const { moves } = endpoint.communicator;
        const words = moves || !scatter ? gatherCiphertext(at) : undefined;
        const result = moves && words !== undefined ? scatterCiphertext(context, words) : blank(context, at);
        this.#keep(scatter ? shares : whole, result);
      });
    }
  }

  #environment(sharding: ShardingName): Environment {
    const cut = this.#setting.cuts?.get(sharding);
    if (cut === undefined) throw new AegisError("plan", `this device does not work on ciphertexts cut by ${sharding}`);
    return cut;
  }

  /** Inputs of a part, with holes where it reads nothing; waits for what is still on its way. */
  #inputs(operation: Operation, part: Part, sharding?: ShardingName): (Ciphertext | undefined)[][] {
    const { program } = this.#setting;
    const reads = readsOf(program, operation, part);
    return operation.inputs.map((name, i) => {
      const list = new Array<Ciphertext | undefined>(ciphertextsOf(program.tensors[name] as Tensor));
      for (const number of reads[i] as number[]) {
        const key = `${sharding === undefined ? name : sharesOf(name, sharding)} ${number}`;
        if (sharding === undefined) this.#exchange.awaitCiphertext(key);
        list[number] = this.#have(key);
      }
      return list;
    });
  }

  #have(key: string): Ciphertext {
    const found = this.tensors.get(key) ?? this.#lent.get(key);
    if (found === undefined) throw new AegisError("internal", `${key} is not on device ${this.rank}`);
    return found;
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
    return this.#outputs.some((name) => key.startsWith(`${name} `));
  }

  #each(
    operation: Operation,
    part: Part,
    apply: (key: string, o: number, at: number) => void,
    sharding?: ShardingName,
  ): void {
    for (const [o, tensor] of operation.outputs.entries()) {
      const name = sharding === undefined ? tensor : sharesOf(tensor, sharding);
      for (const [at, number] of (part.outputs[o] as readonly number[]).entries()) apply(`${name} ${number}`, o, at);
    }
  }
}
