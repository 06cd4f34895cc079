/**
 * What has arrived from one sender and is not taken yet. A payload in one piece stays in the
 * sender's region until it is taken or the sender asks for room; one in several pieces is put
 * together in ordinary memory as they come, for the sender has no room for all of it.
 */
import type { Control } from "./control.ts";
import { leaveBlock, payloadAt } from "./region.ts";
import type { Ring } from "./ring.ts";

interface Arrived {
  readonly tag: number;
  words: Uint32Array;
  /** Of the block that `words` lies in; undefined for ordinary memory. */
  address: number | undefined;
}

export class Inbox {
  readonly #from: number;
  readonly #control: Control;
  readonly #arena: Uint32Array;
  readonly #ring: Ring;
  /** In order of arrival; complete messages only. */
  readonly #held: Arrived[] = [];
  /** The message whose pieces are coming: there is one at most, as pieces come in order. */
  #partial: Arrived | undefined;

  constructor(from: number, control: Control, arena: Uint32Array, ring: Ring) {
    this.#from = from;
    this.#control = control;
    this.#arena = arena;
    this.#ring = ring;
  }

  /** Hands over the oldest message with this tag; false if there is none. */
  take(tag: number, take: (words: Uint32Array) => void): boolean {
    this.#drain();
    const index = this.#held.findIndex((arrived) => arrived.tag === tag);
    if (index < 0) return false;
    // Out of the list first: `take` may make progress, which moves what is in it.
    const [{ words, address }] = this.#held.splice(index, 1);
    try {
      take(words);
    } finally {
      if (address !== undefined) this.#leave(address);
    }
    return true;
  }

  /** Moves what the sender wants moved; says whether anything did. */
  progress(): boolean {
    const arrived = this.#drain();
    return (this.#control.pressure(this.#from) && this.#evict()) || arrived;
  }

  /** Reads the ring to its end; says whether there was anything in it. */
  #drain(): boolean {
    let descriptor = this.#ring.pop();
    if (descriptor === undefined) return false;
    for (; descriptor !== undefined; descriptor = this.#ring.pop()) {
      const { tag, words, offset, piece, address } = descriptor;
      const payload = payloadAt(this.#arena, address, piece);
      if (piece === words) this.#held.push({ tag, words: payload, address });
      else {
        if (offset === 0) this.#partial = { tag, words: new Uint32Array(words), address: undefined };
        const partial = this.#partial as Arrived;
        partial.words.set(payload, offset);
        this.#leave(address);
        if (offset + piece < words) continue;
        this.#held.push(partial);
        this.#partial = undefined;
      }
    }
    // The sender may have waited for room in the ring.
    if (this.#control.pressure(this.#from)) this.#control.wake(this.#from);
    return true;
  }

  #evict(): boolean {
    let moved = false;
    for (const arrived of this.#held) {
      if (arrived.address === undefined) continue;
      arrived.words = arrived.words.slice();
      this.#leave(arrived.address);
      arrived.address = undefined;
      moved = true;
    }
    return moved;
  }

  #leave(address: number): void {
    const last = leaveBlock(this.#arena, address);
    if (last && this.#control.pressure(this.#from)) this.#control.wake(this.#from);
  }
}
