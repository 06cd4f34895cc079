/**
 * A sender's part of the arena, the shared memory of payloads. Each rank places blocks in its own
 * region alone, so that no rank can use up another's room and no lock is needed; a receiver does
 * no more than count itself off in the block's header. The sender finds blocks that all receivers
 * have left when it next wants room.
 *
 * A block is a header of 16 words, whose first is the number of readers left, and the payload.
 * Addresses count words of the arena and are multiples of 16. First fit at the lowest address
 * keeps to pages that are already in use.
 */

/** Words of a block's header, and the grain of blocks: one cache line. */
const grain = 16;

interface Extent {
  start: number;
  length: number;
}

/** Room for one payload. */
export interface Block {
  readonly address: number;
  /** Where the payload goes. */
  readonly payload: Uint32Array;
}

/** The payload of the block at `address`. */
export function payloadAt(arena: Uint32Array, address: number, words: number): Uint32Array {
  return arena.subarray(address + grain, address + grain + words);
}

/** Counts one reader off; says whether it was the last. */
export function leaveBlock(arena: Uint32Array, address: number): boolean {
  return Atomics.sub(arena, address, 1) === 1;
}

export class Region {
  /** Words of the largest payload that goes into one block: two such blocks fit side by side. */
  readonly largestPayload: number;
  readonly #arena: Uint32Array;
  /** By address, never adjacent. */
  readonly #free: Extent[];
  #lent: Extent[] = [];

  /** @param words a multiple of 16, at least {@link smallestRegion} */
  constructor(arena: Uint32Array, start: number, words: number) {
    this.#arena = arena;
    this.#free = [{ start, length: words }];
    this.largestPayload = Math.floor(words / 2 / grain) * grain - grain;
  }

  /** A block for `words` words and so many readers; undefined if there is no room now. */
  place(words: number, readers: number): Block | undefined {
    this.#reclaim();
    const length = (1 + Math.ceil(words / grain)) * grain;
    const index = this.#free.findIndex((extent) => extent.length >= length);
    if (index < 0) return undefined;
    const extent = this.#free[index];
    const { start } = extent;
    extent.start += length;
    extent.length -= length;
    if (extent.length === 0) this.#free.splice(index, 1);
    this.#lent.push({ start, length });
    Atomics.store(this.#arena, start, readers);
    return { address: start, payload: payloadAt(this.#arena, start, words) };
  }

  /** Gives back a block that no reader knows of. */
  cancel(block: Block): void {
    Atomics.store(this.#arena, block.address, 0);
  }

  /** Takes back the blocks that their readers have left. */
  #reclaim(): void {
    const kept: Extent[] = [];
    for (const extent of this.#lent) {
      if (Atomics.load(this.#arena, extent.start) === 0) this.#insert(extent);
      else kept.push(extent);
    }
    this.#lent = kept;
  }

  #insert(extent: Extent): void {
    let index = this.#free.findIndex((other) => other.start > extent.start);
    if (index < 0) index = this.#free.length;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    if (after !== undefined && extent.start + extent.length === after.start) {
      extent.length += after.length;
      this.#free.splice(index, 1);
    }
    if (before !== undefined && before.start + before.length === extent.start) before.length += extent.length;
    else this.#free.splice(index, 0, extent);
  }
}

/** Words of the smallest region that can hold two blocks of one cache line each. */
export const smallestRegion = 4 * grain;
