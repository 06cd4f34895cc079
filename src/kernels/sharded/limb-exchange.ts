/** Exchanges of whole limbs between ranks. Every rank calls each of them with the same limbs. */
import { invariant } from "../../base/validate.ts";
import type { RingKernels } from "../backend.ts";
import type { Communicator } from "./communicator.ts";
import { placeholderWords } from "./counting.ts";
import { holderOf, isHeldBy, whole } from "./layout.ts";
import type { Page } from "./pages.ts";
import { WordBuffer } from "./word-buffer.ts";

/** A limb that takes part: its page on this rank and the index of its prime. */
export interface Item {
  readonly page: Page;
  readonly modulus: number;
}

/** Called with the words of item `index`, for as long as the call takes; without words if none are moved. */
export type Receive = (index: number, words: Uint32Array | undefined) => void;

const none = new Uint32Array(0);

export class LimbExchange {
  readonly #kernels: RingKernels;
  readonly #communicator: Communicator;
  readonly #packed = new WordBuffer();

  constructor(kernels: RingKernels, communicator: Communicator) {
    this.#kernels = kernels;
    this.#communicator = communicator;
  }

  /** All-gather of limbs that are cut: `receive` gets those that this rank does not hold. */
  gather(items: readonly Item[], receive: Receive): void {
    const { size } = this.#communicator;
    if (size === 1 || items.length === 0) return;
    const held = groups(size, items, ({ page }) => [holderOf(page.layout)]);
    this.#allGather(held, items, receive);
  }

  /** Reduce-scatter of sums: `receive` gets each part that another rank holds of a limb whose home this rank is. */
  reduceScatter(items: readonly Item[], home: (modulus: number) => number, receive: Receive): void {
    const { rank, size } = this.#communicator;
    if (size === 1 || items.length === 0) return;
    const outgoing = groups(size, items, ({ page, modulus }) =>
      isHeldBy(page.layout, rank) && home(modulus) !== rank ? [home(modulus)] : [],
    );
    const incoming = groups(size, items, ({ page, modulus }) =>
      home(modulus) === rank ? holdersOf(page, size).filter((holder) => holder !== rank) : [],
    );
    const pieces = this.#communicator.allToAll(
      this.#pack(outgoing, items),
      this.#lengths(incoming),
      "reduce-scatter",
      this.#lengths(
        groups(size, items, ({ page, modulus }) => holdersOf(page, size).filter((holder) => holder !== home(modulus))),
      ),
    );
    for (const [from, indices] of incoming.entries()) this.#unpack(indices, pieces[from], receive);
  }

  /**
   * Everything that any rank holds of limbs that are not whole, to `root` or to all: `receive` gets each part,
   * also this rank's.
   */
  collect(items: readonly Item[], root: number | undefined, receive: Receive): void {
    const { rank, size } = this.#communicator;
    const held = groups(size, items, ({ page }) => (page.layout === whole ? [] : holdersOf(page, size)));
    if (held.every((indices) => indices.length === 0)) return;
    const [mine] = this.#pack([held[rank]], items);
    if (root === undefined) {
      this.#allGather(held, items, receive);
      this.#unpack(held[rank], mine, receive);
      return;
    }
    const lengths = this.#lengths(held);
    const pieces = this.#communicator.allToAll(
      lengths.map((_, to) => (to === root ? mine : none)),
      lengths.map((length) => (rank === root ? length : 0)),
      "send",
      lengths.map((length, from) => (from === root ? 0 : length)),
    );
    if (rank !== root) return;
    for (const [from, indices] of held.entries()) this.#unpack(indices, pieces[from], receive);
  }

  /** What each rank holds, to all others. */
  #allGather(held: readonly (readonly number[])[], items: readonly Item[], receive: Receive): void {
    const { rank, moves } = this.#communicator;
    this.#communicator.allGather(
      this.#lengths(held),
      (into) => this.#read(held[rank], items, into),
      (from, words) => this.#unpack(held[from], words, receive),
    );
    if (moves) return;
    // Nothing comes, but what is done with it counts.
    for (const [from, indices] of held.entries()) if (from !== rank) this.#unpack(indices, none, receive);
  }

  #lengths(groupsOfItems: readonly (readonly number[])[]): number[] {
    return groupsOfItems.map((indices) => indices.length * this.#kernels.degree);
  }

  /** The words of groups of items, valid until the next call. */
  #pack(groupsOfItems: readonly (readonly number[])[], items: readonly Item[]): Uint32Array[] {
    const lengths = this.#lengths(groupsOfItems);
    if (!this.#communicator.moves) return lengths.map(placeholderWords);
    const packed = this.#packed.take(lengths.reduce((sum, length) => sum + length, 0));
    let at = 0;
    return groupsOfItems.map((indices, i) => {
      const words = packed.subarray(at, at + lengths[i]);
      this.#read(indices, items, words);
      at += lengths[i];
      return words;
    });
  }

  #read(indices: readonly number[], items: readonly Item[], into: Uint32Array): void {
    const { degree } = this.#kernels;
    for (const [k, index] of indices.entries()) {
      const { page, modulus } = items[index];
      this.#kernels.read({ address: page.address, moduli: [modulus] }, 0, into.subarray(k * degree, (k + 1) * degree));
    }
  }

  #unpack(indices: readonly number[], words: Uint32Array, receive: Receive): void {
    const { degree } = this.#kernels;
    if (this.#communicator.moves) {
      invariant(words.length === indices.length * degree, `a piece of ${words.length} words is not what was agreed`);
    }
    for (const [k, index] of indices.entries()) {
      receive(index, this.#communicator.moves ? words.subarray(k * degree, (k + 1) * degree) : undefined);
    }
  }
}

/** Indices of items by rank. */
function groups(size: number, items: readonly Item[], ranksOf: (item: Item) => readonly number[]): number[][] {
  const result: number[][] = Array.from({ length: size }, () => []);
  for (const [index, item] of items.entries()) for (const rank of ranksOf(item)) result[rank].push(index);
  return result;
}

function holdersOf({ layout }: Page, size: number): number[] {
  return Array.from({ length: size }, (_, rank) => rank).filter((rank) => isHeldBy(layout, rank));
}
