/** A communicator between threads of one process: every rank writes its outbox, all meet, all read. */

import type { CollectiveName } from "../../../src/kernels/sharded/communicator.ts";
import { CountingCommunicator } from "../../../src/kernels/sharded/counting.ts";

/** Shared state: arrivals and round of the barrier and a flag of failure; then an outbox for each rank. */
export interface Shared {
  readonly control: Int32Array;
  readonly outboxes: readonly Uint32Array[];
}

const [arrivals, round, failed] = [0, 1, 2];

export function makeShared(size: number, words: number): Shared {
  const buffer = new SharedArrayBuffer(4 * (3 + size * words));
  return {
    control: new Int32Array(buffer, 0, 3),
    outboxes: Array.from({ length: size }, (_, rank) => new Uint32Array(buffer, 4 * (3 + rank * words), words)),
  };
}

/** Frees ranks that wait for one that failed. */
export function abandon({ control }: Shared): void {
  Atomics.store(control, failed, 1);
  Atomics.add(control, round, 1);
  Atomics.notify(control, round);
}

/** Counts as the counting communicator does, and moves. */
export class SharedCommunicator extends CountingCommunicator {
  override readonly moves = true;
  readonly #shared: Shared;

  constructor(rank: number, size: number, shared: Shared) {
    super(rank, size);
    this.#shared = shared;
  }

  override allGather(
    lengths: readonly number[],
    fill: (into: Uint32Array) => void,
    take: (from: number, words: Uint32Array) => void,
  ): void {
    super.allGather(lengths, fill, take);
    const mine = new Uint32Array(lengths[this.rank]);
    fill(mine);
    const pieces = this.#exchange([mine], (outbox, from) => outbox.slice(0, lengths[from]));
    for (const [from, words] of pieces.entries()) if (from !== this.rank) take(from, words);
  }

  override allToAll(
    pieces: readonly Uint32Array[],
    lengths: readonly number[],
    name: CollectiveName,
    sent: readonly number[],
  ): readonly Uint32Array[] {
    super.allToAll(pieces, lengths, name, sent);
    const starts = pieces.map((_, to) => pieces.slice(0, to).reduce((sum, piece) => sum + piece.length, 0));
    const table = Uint32Array.from(pieces.flatMap((piece, to) => [pieces.length * 2 + starts[to], piece.length]));
    return this.#exchange([table, ...pieces], (outbox, from) => {
      const start = outbox[2 * this.rank];
      const length = outbox[2 * this.rank + 1];
      if (length !== lengths[from]) throw new Error(`rank ${from} sent ${length} words, expected ${lengths[from]}`);
      return outbox.slice(start, start + length);
    });
  }

  override broadcast(root: number, words: Uint32Array, length: number): Uint32Array {
    super.broadcast(root, words, length);
    const sent = this.rank === root ? [words] : [];
    return this.#exchange(sent, (outbox) => outbox.slice(0, length))[root];
  }

  #exchange(words: readonly Uint32Array[], read: (outbox: Uint32Array, from: number) => Uint32Array): Uint32Array[] {
    const { outboxes } = this.#shared;
    let at = 0;
    for (const part of words) {
      outboxes[this.rank].set(part, at);
      at += part.length;
    }
    this.#meet();
    const received = outboxes.map(read);
    this.#meet();
    return received;
  }

  #meet(): void {
    const { control } = this.#shared;
    const now = Atomics.load(control, round);
    if (Atomics.add(control, arrivals, 1) === this.size - 1) {
      Atomics.store(control, arrivals, 0);
      Atomics.add(control, round, 1);
      Atomics.notify(control, round);
    } else {
      while (Atomics.load(control, round) === now) Atomics.wait(control, round, now, 1000);
    }
    if (Atomics.load(control, failed) === 1) throw new Error("another rank failed");
  }
}
