/**
 * What is done again and again on a rank that only counts: the same kernels on limbs that lie alike do the same
 * work and send the same bytes. It is counted the first time; from then on what was counted is added, and no kernel
 * runs. Values are not there to be missed, and limbs that nothing was written to lie as the results would.
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

  constructor(backend: NullBackend, communicator: CountingCommunicator) {
    this.#backend = backend;
    this.#communicator = communicator;
  }

  /** Counts a kernel on plain limbs so many times, and runs it the first time. */
  kernel(key: string, isPlain: IsPlain, operands: readonly Limbs[], times: number, body: () => void): void {
    let once = this.#known.get(key);
    if (once === undefined) {
      this.#known.set(key, (once = this.#count(body)));
      invariant(operands.every(isPlain), `${key}: results lie otherwise than operands`);
      this.#add(once, times - 1);
    } else this.#add(once, times);
  }

  #count(body: () => void): (readonly [counter: number, amount: number])[] {
    const before = this.#counters();
    body();
    const after = this.#counters();
    return after.map((count, i) => [i, count - (before[i] as number)] as const).filter(([, amount]) => amount !== 0);
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
