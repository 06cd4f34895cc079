/**
 * What one device sends to others and gets from them while it follows a plan. Sends are queued; what
 * they read stays in the store until it has left. What is to come is noted, and taken when something
 * needs it, so that backend memory is not filled with what is for later. Taken early is only what
 * frees memory: sums that the device adds to one of its own, and ciphertexts that it will not read.
 */
import { AegisError } from "../../base/errors.ts";
import type { TransferStep } from "../../placement/index.ts";
import type { Operation, Program } from "../../program/index.ts";
import { type Environment, sumShape } from "../../transformer/index.ts";
import type { Endpoint } from "../fabric/endpoint.ts";
import type { Clock } from "./clock.ts";
import type { CiphertextStore, SumStore } from "./store.ts";
import { type Parcel, parcelWords, readCiphertext, readSum, writeParcel } from "./wire.ts";

/** Ciphertext numbers stay below this, so that a step and a number make a tag. */
export const numbersPerStep = 2 ** 16;

export interface ExchangeSetting {
  readonly program: Program;
  readonly environment: Environment;
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  readonly tensors: CiphertextStore;
  readonly sums: SumStore;
  /** Whether the device will read, send or give out a ciphertext. */
  readonly wanted: (key: string) => boolean;
}

/** Something on its way to this device. */
interface Expected {
  readonly from: number;
  readonly tag: number;
  readonly take: (words: Uint32Array) => void;
}

export class Exchange {
  readonly #setting: ExchangeSetting;
  /** By key; sums as `+key`. */
  readonly #expected = new Map<string, Expected[]>();

  constructor(setting: ExchangeSetting) {
    this.#setting = setting;
  }

  /** Queues what this device sends in a step, and notes what it gets. */
  begin(step: TransferStep, index: number): void {
    const { rank } = this.#setting.endpoint;
    for (const { from, to, indices } of step.moves) {
      for (const number of indices) {
        if (from === rank) this.#send(step, index, to, number);
        if (to.includes(rank)) this.#expect(step, index, from, number);
      }
    }
  }

  /** Waits until all transfers of a step are over for this device. */
  end(step: TransferStep): void {
    const { rank } = this.#setting.endpoint;
    for (const { to, indices } of step.moves)
      if (to.includes(rank)) for (const number of indices) this.#await(keyOf(step, number));
    this.#flush();
  }

  /** Takes what has come and is better out of the way. */
  poll(): void {
    const { endpoint, clock } = this.#setting;
    clock.communicating(() => {
      endpoint.progress();
      for (const [key, list] of this.#expected) {
        if (!this.#early(key)) continue;
        const missing = list.filter(({ from, tag, take }) => !endpoint.receive(from, tag, take));
        if (missing.length === 0) this.#expected.delete(key);
        else if (missing.length < list.length) this.#expected.set(key, missing);
      }
    });
  }

  /** Waits for a ciphertext if it is on its way. */
  awaitCiphertext(key: string): void {
    this.#await(key);
  }

  /** Waits for all sums under a key that are on their way. */
  awaitSum(key: string): void {
    this.#await(`+${key}`);
  }

  /** Waits until all that is expected has come and all that was sent has left. */
  settle(): void {
    for (const key of [...this.#expected.keys()]) this.#await(key);
    this.#flush();
  }

  #send(step: TransferStep, index: number, to: readonly number[], number: number): void {
    const { environment, endpoint, clock, tensors, sums } = this.#setting;
    const key = `${step.tensor} ${number}`;
    this.#await(keyOf(step, number));
    const isSum = step.form === "sums";
    const store = isSum ? sums : tensors;
    const value = store.get(key);
    if (value === undefined) throw new AegisError("internal", `${key} is not on device ${endpoint.rank}`);
    const { parameters } = environment.evaluator.context;
    const parcel: Parcel = {
      parts: value.parts,
      limbs: isSum ? (value.parts[0]?.moduli.length as number) : parameters.limbs(step.level),
      scale: value.scale,
      level: isSum ? value.level : step.level,
      slots: environment.slots,
    };
    const sent = store.leave(key);
    clock.communicating(() =>
      endpoint.send({
        to,
        tag: tagOf(index, number),
        words: parcelWords(parcel),
        collective: step.collective,
        fill: (into) => writeParcel(parcel, into),
        sent,
      }),
    );
    if (isSum) sums.drop(key);
  }

  #expect(step: TransferStep, index: number, from: number, number: number): void {
    const { environment, tensors, wanted } = this.#setting;
    const { context } = environment.evaluator;
    const key = `${step.tensor} ${number}`;
    const take = (words: Uint32Array): void => {
      if (step.form === "sums") this.#addSum(step, key, words);
      else if (wanted(key)) tensors.set(key, readCiphertext(context, words));
    };
    const list = this.#expected.get(keyOf(step, number)) ?? [];
    list.push({ from, tag: tagOf(index, number), take });
    this.#expected.set(keyOf(step, number), list);
  }

  /** Adds a sum that has come to the device's own; the first becomes its own. */
  #addSum(step: TransferStep, key: string, words: Uint32Array): void {
    const { program, environment, sums } = this.#setting;
    const { context } = environment.evaluator;
    const operation = program.operations[step.operation] as Operation;
    const { polynomials, extended } = sumShape(program, operation, operation.outputs.indexOf(step.tensor));
    const arrived = readSum(context, words, polynomials, extended);
    const own = sums.get(key);
    if (own === undefined) sums.set(key, arrived);
    else {
      own.add(context, arrived);
      arrived[Symbol.dispose]();
    }
  }

  #early(key: string): boolean {
    const { sums, wanted } = this.#setting;
    return key.startsWith("+") ? sums.get(key.slice(1)) !== undefined : !wanted(key);
  }

  #await(key: string): void {
    const { endpoint, clock } = this.#setting;
    for (const { from, tag, take } of this.#expected.get(key) ?? []) {
      clock.communicating(() => endpoint.wait(() => endpoint.receive(from, tag, take), `${key} of device ${from}`));
    }
    this.#expected.delete(key);
  }

  #flush(): void {
    this.#setting.clock.communicating(() => this.#setting.endpoint.flush());
  }
}

function keyOf(step: TransferStep, number: number): string {
  return `${step.form === "sums" ? "+" : ""}${step.tensor} ${number}`;
}

function tagOf(index: number, number: number): number {
  return index * numbersPerStep + number;
}
