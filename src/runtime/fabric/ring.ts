/**
 * The queue of descriptors from one rank to another in shared memory: one writer, one reader, no
 * locks. A descriptor says where in the arena a payload, or a piece of one, lies.
 */

/** A payload, or a piece of one that was too large for the sender's region. */
export interface Descriptor {
  readonly tag: number;
  /** Words of the whole payload. */
  readonly words: number;
  /** Where in the payload the piece begins, in words. */
  readonly offset: number;
  /** Words of the piece; equal to `words` if the payload lies in one piece. */
  readonly piece: number;
  /** Of the block that holds the piece; see region.ts. */
  readonly address: number;
}

const entryWords = 8;
/** Head and tail, each in a cache line of its own. */
const head = 0;
const tail = 16;
const entriesStart = 32;

/** Words of a ring with room for `entries` descriptors. */
export function ringWords(entries: number): number {
  return entriesStart + entries * entryWords;
}

export class Ring {
  readonly #words: Uint32Array;
  readonly #entries: number;

  /** @param words as many as {@link ringWords} says, zero before the first use by either side */
  constructor(words: Uint32Array) {
    this.#words = words;
    this.#entries = Math.max(0, (words.length - entriesStart) / entryWords);
  }

  get full(): boolean {
    return this.#count() === this.#entries;
  }

  /** Appends a descriptor; the ring must not be full. Writer only. */
  push(descriptor: Descriptor): void {
    const words = this.#words;
    const end = Atomics.load(words, tail);
    const at = entriesStart + (end % this.#entries) * entryWords;
    words[at] = descriptor.tag; // modulo 2^32
    words[at + 1] = Math.floor(descriptor.tag / 2 ** 32);
    words[at + 2] = descriptor.words;
    words[at + 3] = descriptor.offset;
    words[at + 4] = descriptor.piece;
    words[at + 5] = descriptor.address;
    // The store publishes the entry, and the payload that was written before it.
    Atomics.store(words, tail, this.#after(end));
  }

  /** Removes the oldest descriptor; undefined if there is none. Reader only. */
  pop(): Descriptor | undefined {
    if (this.#count() === 0) return undefined;
    const words = this.#words;
    const begin = Atomics.load(words, head);
    const at = entriesStart + (begin % this.#entries) * entryWords;
    const descriptor = {
      tag: words[at] + words[at + 1] * 2 ** 32,
      words: words[at + 2],
      offset: words[at + 3],
      piece: words[at + 4],
      address: words[at + 5],
    };
    Atomics.store(words, head, this.#after(begin));
    return descriptor;
  }

  /** Positions count modulo twice the capacity, which tells a full ring from an empty one. */
  #after(position: number): number {
    return (position + 1) % (2 * this.#entries);
  }

  #count(): number {
    const ends = Atomics.load(this.#words, tail) - Atomics.load(this.#words, head);
    return ends < 0 ? ends + 2 * this.#entries : ends;
  }
}
