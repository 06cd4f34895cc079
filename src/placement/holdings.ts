/**
 * Who holds which ciphertexts of a tensor while a planner decides, and what it takes to bring them to
 * who reads them. Answers depend on shapes only and are kept: layers repeat.
 */
import { ciphertextsOf, type Operation, range, shapeOf, type Tensor } from "../program/index.ts";
import { layoutOf } from "./plan.ts";
import type { Sharing } from "./sharing.ts";
import { type Mode, shardingOfMode } from "./strategies.ts";

/** Which device holds which numbers: [device][number], 0 or 1. */
export interface Holding {
  /** The same for the same sets. */
  readonly id: number;
  readonly sets: readonly Uint8Array[];
  /** Layouts in which every device has shares of all of them. */
  readonly layouts: readonly string[];
  /** Whether every ciphertext is whole somewhere. */
  readonly whole: boolean;
  /** Ciphertexts on the device that holds most, shares as parts of one. */
  readonly most: number;
}

/** What a reader asks of others. */
export interface Fetch {
  /** Ciphertexts sent, once for every receiver. */
  readonly ciphertexts: number;
  /** The most that one device sends; shares are parts of one. */
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
      const sharding = shardingOfMode(mode);
      made = operation.outputs.map((name, o) =>
        sharding === undefined
          ? this.#intern(
              name,
              results.map((mine) => mine[o] as readonly number[]),
            )
          : this.#internSets(this.#sets(name, 0), [layoutOf(sharding)]),
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
      fetch = this.#bring(operation, mode, i, held);
      this.#fetches.set(key, fetch);
    }
    return fetch;
  }

  #bring(operation: Operation, mode: Mode, i: number, held: Holding): Fetch {
    const sharding = shardingOfMode(mode);
    const layout = sharding && layoutOf(sharding);
    if (layout !== undefined && held.layouts.includes(layout)) return { ciphertexts: 0, most: 0, holding: held };
    const layouts = layout === undefined ? held.layouts : [...held.layouts, layout];
    if (!held.whole) {
      // An all-gather of shares.
      const { devices } = this.#sharing;
      const name = operation.inputs[i] as string;
      const count = ciphertextsOf(this.#sharing.program.tensors[name] as Tensor) * (devices - 1);
      return {
        ciphertexts: count,
        most: count / devices,
        holding: this.#internSets(this.#sets(name, 1), layouts),
      };
    }
    const { ciphertexts, most, after } = this.#count(this.#read(operation, mode)[i] as Holding, held);
    return { ciphertexts, most, holding: this.#internSets(after, layouts) };
  }

  #sets(name: string, value: 0 | 1): Uint8Array[] {
    const size = ciphertextsOf(this.#sharing.program.tensors[name] as Tensor);
    return range(this.#sharing.devices).map(() => new Uint8Array(size).fill(value));
  }

  /** What the devices read of each input. */
  #read(operation: Operation, mode: Mode): readonly Holding[] {
    const key = this.#key(operation, mode);
    let reads = this.#reads.get(key);
    if (reads === undefined) {
      const byDevice = this.#sharing.reads(operation, mode);
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

  #count(wanted: Holding, held: Holding): { ciphertexts: number; most: number; after: Uint8Array[] } {
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
    return { ciphertexts, most: Math.max(...sent), after };
  }

  #intern(name: string, byDevice: readonly (readonly number[])[]): Holding {
    const size = ciphertextsOf(this.#sharing.program.tensors[name] as Tensor);
    return this.#internSets(
      byDevice.map((numbers) => {
        const set = new Uint8Array(size);
        for (const number of numbers) set[number] = 1;
        return set;
      }),
      [],
    );
  }

  #internSets(sets: readonly Uint8Array[], layouts: readonly string[]): Holding {
    const words = sets.map((set) => Buffer.from(set.buffer, set.byteOffset, set.length).toString("latin1"));
    const text = `${layouts.join()}: ${words.join("|")}`;
    let holding = this.#interned.get(text);
    if (holding === undefined) {
      const counts = sets.map((set) => set.reduce((sum, one) => sum + one, 0));
      const size = (sets[0] as Uint8Array).length;
      const most = Math.max(...counts) + (layouts.length * size) / sets.length;
      const whole = range(size).every((number) => sets.some((set) => set[number] === 1));
      holding = { id: this.#interned.size, sets, layouts, whole, most };
      this.#interned.set(text, holding);
    }
    return holding;
  }

  #key(operation: Operation, mode: Mode): string {
    return `${shapeOf(this.#sharing.program, operation)} ${mode}`;
  }
}
