/**
 * Who holds which ciphertexts of a tensor while a planner decides, and what it takes to bring them to
 * who reads them. Answers depend on shapes only and are kept: layers repeat.
 */
import { ciphertextsOf, type Operation, range, shapeOf, type Tensor } from "../program/index.ts";
import type { Sharing } from "./sharing.ts";
import type { Mode } from "./strategies.ts";

/** Which device holds which numbers: [device][number], 0 or 1. */
export interface Holding {
  /** The same for the same sets. */
  readonly id: number;
  readonly sets: readonly Uint8Array[];
  /** Ciphertexts on the device that holds most. */
  readonly most: number;
}

/** What a reader asks of others. */
export interface Fetch {
  /** Ciphertexts sent, once for every receiver. */
  readonly ciphertexts: number;
  /** The most that one device sends. */
  readonly most: number;
  /** Who holds what afterwards. */
  readonly holding: Holding;
}

export class Holdings {
  readonly #sharing: Sharing;
  readonly #interned = new Map<string, Holding>();
  readonly #fetches = new Map<string, Fetch>();
  readonly #reads = new Map<string, readonly Holding[]>();
  readonly #made = new Map<string, readonly Holding[]>();

  constructor(sharing: Sharing) {
    this.#sharing = sharing;
  }

  /** Who holds each output right after the operation. */
  made(operation: Operation, mode: Mode): readonly Holding[] {
    const key = this.#key(operation, mode);
    let made = this.#made.get(key);
    if (made === undefined) {
      const { results } = this.#sharing.parts(operation, mode);
      made = operation.outputs.map((name, o) =>
        this.#intern(
          name,
          results.map((mine) => mine[o] as readonly number[]),
        ),
      );
      this.#made.set(key, made);
    }
    return made;
  }

  /** What input `i` of the operation takes when it is held so. */
  fetch(operation: Operation, mode: Mode, i: number, held: Holding): Fetch {
    const key = `${this.#key(operation, mode)} ${i} ${held.id}`;
    let fetch = this.#fetches.get(key);
    if (fetch === undefined) {
      fetch = this.#count(this.#read(operation, mode)[i] as Holding, held);
      this.#fetches.set(key, fetch);
    }
    return fetch;
  }

  /** What the devices read of each input. */
  #read(operation: Operation, mode: Mode): readonly Holding[] {
    const key = this.#key(operation, mode);
    let reads = this.#reads.get(key);
    if (reads === undefined) {
      const byDevice = range(this.#sharing.devices).map((d) => this.#sharing.reads(operation, mode, d));
      reads = operation.inputs.map((name, i) =>
        this.#intern(
          name,
          byDevice.map((mine) => mine[i] as readonly number[]),
        ),
      );
      this.#reads.set(key, reads);
    }
    return reads;
  }

  #count(wanted: Holding, held: Holding): Fetch {
    let ciphertexts = 0;
    const sent = new Float64Array(held.sets.length);
    const after = held.sets.map((set) => set.slice());
    for (let number = 0; number < (held.sets[0] as Uint8Array).length; number++) {
      let holders: number[] | undefined;
      for (let device = 0; device < after.length; device++) {
        const mine = after[device] as Uint8Array;
        if (wanted.sets[device]?.[number] === 0 || mine[number] === 1) continue;
        holders ??= range(after.length).filter((d) => held.sets[d]?.[number] === 1);
        mine[number] = 1;
        ciphertexts++;
        const from = holders[number % Math.max(1, holders.length)];
        if (from !== undefined) sent[from] = (sent[from] as number) + 1;
      }
    }
    return { ciphertexts, most: Math.max(...sent), holding: this.#internSets(after) };
  }

  #intern(name: string, byDevice: readonly (readonly number[])[]): Holding {
    const size = ciphertextsOf(this.#sharing.program.tensors[name] as Tensor);
    return this.#internSets(
      byDevice.map((numbers) => {
        const set = new Uint8Array(size);
        for (const number of numbers) set[number] = 1;
        return set;
      }),
    );
  }

  #internSets(sets: readonly Uint8Array[]): Holding {
    const text = sets.map((set) => Buffer.from(set.buffer, set.byteOffset, set.length).toString("latin1")).join("|");
    let holding = this.#interned.get(text);
    if (holding === undefined) {
      const counts = sets.map((set) => set.reduce((sum, one) => sum + one, 0));
      holding = { id: this.#interned.size, sets, most: Math.max(...counts) };
      this.#interned.set(text, holding);
    }
    return holding;
  }

  #key(operation: Operation, mode: Mode): string {
    return `${shapeOf(this.#sharing.program, operation)} ${mode}`;
  }
}
