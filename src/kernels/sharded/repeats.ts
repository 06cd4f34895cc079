/**
 * What is done again and again on a rank that only counts: the same kernels on limbs that lie alike do the same
 * work and send the same bytes. It is counted the first time; from then on the code that asks runs without kernels, and
 * what was counted is added. Values are not there to be missed, and limbs that nothing was written to lie
 * as the results would.
 *
 * Memory in use means nothing here: results of what is not done take none.
 */
import { invariant } from "../../base/validate.ts";
import type { Limbs } from "../backend.ts";
import type { NullBackend } from "../null/backend.ts";
import { kernelNames } from "../null/work.ts";
import { collectiveNames } from "./communicator.ts";
import type { CountingCommunicator } from "./counting.ts";

/** Tells whether limbs are plain, see `ShardedKernels.isPlain`. */
type IsPlain = (x: Limbs) => boolean;

export class Repeats {
  readonly #backend: NullBackend;
  readonly #communicator: CountingCommunicator;
  readonly #known = new Map<string, readonly (readonly [counter: number, amount: number])[]>();
  #quiet = false;

  constructor(backend: NullBackend, communicator: CountingCommunicator) {
    this.#backend = backend;
    this.#communicator = communicator;
  }

  /** Whether something that was counted before is asked for: kernels do nothing. */
  get quiet(): boolean {
    return this.#quiet;
  }

  /**
   * Runs `body`, for real the first time only.
   *
   * @param key tells shapes, and whatever else of the operands decides what is done; not how their limbs lie
   * @param operands limbs that `body` reads or changes
   * @param results those that its result consists of
   */
  once<T>(
    key: string,
    isPlain: IsPlain,
    operands: readonly Limbs[],
    results: (result: T) => readonly Limbs[],
    body: () => T,
  ): T {
    if (this.#quiet || !operands.every(isPlain)) return body();
    const known = this.#known.get(key);
    if (known === undefined)
      return this.#first(key, body, (result) => [operands, results(result)].flat().every(isPlain));
    this.#quiet = true;
    try {
      return body();
    } finally {
      this.#quiet = false;
      this.#add(known, 1);
    }
  }

  /** Counts a kernel on plain limbs so many times, and runs it the first time. */
  kernel(key: string, isPlain: IsPlain, operands: readonly Limbs[], times: number, body: () => void): void {
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#add(known, times);
      return;
    }
    this.#first(key, body, () => operands.every(isPlain));
    const counted = this.#known.get(key);
    invariant(counted !== undefined, `${key}: results lie otherwise than operands`);
    this.#add(counted, times - 1);
  }

  #first<T>(key: string, body: () => T, staysPlain: (result: T) => boolean): T {
    const before = this.#counters();
    const result = body();
    if (!staysPlain(result)) return result;
    const amounts: [number, number][] = [];
    const after = this.#counters();
    for (let i = 0; i < after.length; i++) {
      const amount = (after[i] as number) - (before[i] as number);
      if (amount !== 0) amounts.push([i, amount]);
    }
    this.#known.set(key, amounts);
    return result;
  }

  #counters(): number[] {
    const { work, calls } = this.#backend;
    const { bytes, bytesOfAll, bytesByRank, calls: collectives } = this.#communicator;
    const counters: number[] = [];
    for (const name of kernelNames) counters.push(work[name]);
    counters.push(calls);
    for (const name of collectiveNames) counters.push(bytes[name], bytesOfAll[name], collectives[name]);
    for (let rank = 0; rank < bytesByRank.length; rank++) counters.push(bytesByRank[rank] as number);
    return counters;
  }

  #add(amounts: readonly (readonly [counter: number, amount: number])[], times: number): void {
    const { bytes, bytesOfAll, bytesByRank, calls } = this.#communicator;
    for (const [counter, once] of amounts) {
      const amount = times * once;
      let at = counter;
      if (at < kernelNames.length) {
        this.#backend.work[kernelNames[at]] += amount;
        continue;
      }
      at -= kernelNames.length;
      if (at === 0) {
        this.#backend.calls += amount;
        continue;
      }
      at -= 1;
      if (at < 3 * collectiveNames.length) {
        const name = collectiveNames[Math.floor(at / 3)];
        [bytes, bytesOfAll, calls][at % 3][name] += amount;
        continue;
      }
      bytesByRank[at - 3 * collectiveNames.length] += amount;
    }
  }
}
