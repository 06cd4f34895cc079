/** What a device holds while it runs a plan: ciphertexts by tensor and number, partial sums. */
import type { Ciphertext } from "../../ckks/index.ts";
import type { Poly } from "../../ring/index.ts";
import type { PartialSum } from "../../transformer/index.ts";

/** Backend memory of what stores hold, now and at most. */
export class Tally {
  peak = 0;
  #bytes = 0;

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.peak) this.peak = this.#bytes;
  }
}

/** A ciphertext or a sum. */
interface Value extends Disposable {
  readonly parts: readonly Poly[];
}

/** A value that may be on its way out: disposed of when nothing needs it any more. */
class Held<T extends Value> {
  readonly value: T;
  readonly #tally: Tally;
  readonly #bytes: number;
  #leaving = 0;
  #dropped = false;

  constructor(value: T, tally: Tally) {
    this.value = value;
    this.#tally = tally;
    this.#bytes = value.parts.reduce((sum, { bytes }) => sum + bytes, 0);
    tally.add(this.#bytes);
  }

  /** The value is another's from here on. */
  give(): T {
    this.#tally.add(-this.#bytes);
    return this.value;
  }

  /** Returns what to call when the value has left. */
  leave(): () => void {
    this.#leaving++;
    return () => {
      this.#leaving--;
      this.#end();
    };
  }

  drop(): void {
    this.#dropped = true;
    this.#end();
  }

  #end(): void {
    if (this.#dropped && this.#leaving === 0) this.give()[Symbol.dispose]();
  }
}

/** Values by key; dropping one frees its memory once it is not being sent. */
export class Store<T extends Value> {
  readonly #held = new Map<string, Held<T>>();
  readonly #tally: Tally;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  get(key: string): T | undefined {
    return this.#held.get(key)?.value;
  }

  /** Keeps a value; one that has the key already is dropped. */
  set(key: string, value: T): void {
    this.#held.get(key)?.drop();
    this.#held.set(key, new Held(value, this.#tally));
  }

  /** Marks the value as being sent; returns what to call when it has left. */
  leave(key: string): () => void {
    return this.#held.get(key)?.leave() ?? (() => undefined);
  }

  /** Gives a value away. */
  take(key: string): T | undefined {
    const held = this.#held.get(key);
    this.#held.delete(key);
    return held?.give();
  }

  drop(key: string): void {
    this.#held.get(key)?.drop();
    this.#held.delete(key);
  }

  keys(): string[] {
    return [...this.#held.keys()];
  }

  clear(): void {
    for (const key of this.keys()) this.drop(key);
  }
}

export type CiphertextStore = Store<Ciphertext>;
export type SumStore = Store<PartialSum>;
