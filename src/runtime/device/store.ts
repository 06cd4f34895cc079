/** What a device holds while it runs a plan: ciphertexts by tensor and number, partial sums. */
import type { Ciphertext } from "../../ckks/index.ts";
import type { PartialSum } from "../../transformer/index.ts";

/** A value that may be on its way out: disposed of when nothing needs it any more. */
class Held<T extends Disposable> {
  readonly value: T;
  #leaving = 0;
  #dropped = false;

  constructor(value: T) {
    this.value = value;
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
    if (this.#dropped && this.#leaving === 0) this.value[Symbol.dispose]();
  }
}

/** Values by key; dropping one frees its memory once it is not being sent. */
export class Store<T extends Disposable> {
  readonly #held = new Map<string, Held<T>>();

  get(key: string): T | undefined {
    return this.#held.get(key)?.value;
  }

  /** Keeps a value; one that has the key already is dropped. */
  set(key: string, value: T): void {
    this.#held.get(key)?.drop();
    this.#held.set(key, new Held(value));
  }

  /** Marks the value as being sent; returns what to call when it has left. */
  leave(key: string): () => void {
    return this.#held.get(key)?.leave() ?? (() => undefined);
  }

  /** Gives a value away. */
  take(key: string): T | undefined {
    const value = this.get(key);
    this.#held.delete(key);
    return value;
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
