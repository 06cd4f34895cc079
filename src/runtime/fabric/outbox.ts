/**
 * The sending side of a thread endpoint: a queue of messages, each written into the sender's
 * region once, however many read it. Messages leave in the order of the queue; the first that finds
 * no room stops those behind it, so that a large one is not passed over for ever.
 */
import type { Control } from "./control.ts";
import type { Message } from "./endpoint.ts";
import type { Region } from "./region.ts";
import type { Ring } from "./ring.ts";

interface Queued {
  readonly message: Message;
  /** Words that have left. */
  offset: number;
  /** The whole payload, if it does not fit into one block. */
  payload: Uint32Array | undefined;
}

export class Outbox {
  readonly #rank: number;
  readonly #control: Control;
  readonly #region: Region;
  /** By receiver. */
  readonly #rings: readonly Ring[];
  readonly #queue: Queued[] = [];
  #sending = false;

  constructor(rank: number, control: Control, region: Region, rings: readonly Ring[]) {
    this.#rank = rank;
    this.#control = control;
    this.#region = region;
    this.#rings = rings;
  }

  get empty(): boolean {
    return this.#queue.length === 0;
  }

  enqueue(message: Message): void {
    this.#queue.push({ message, offset: 0, payload: undefined });
  }

  /** Sends what there is room for; says whether anything left. */
  progress(): boolean {
    // `fill` and `sent` may send: what they queue waits for its turn in the loop below.
    if (this.#sending || this.empty) return false;
    this.#sending = true;
    try {
      let moved = false;
      while (!this.empty && this.#advance()) moved = true;
      if (!this.empty && !this.#control.pressure(this.#rank)) {
        this.#pressReceivers();
        // A block that was left just before the flag went up made no one wake this rank.
        while (!this.empty && this.#advance()) moved = true;
      }
      if (this.empty) this.#control.setPressure(this.#rank, false);
      return moved;
    } finally {
      this.#sending = false;
    }
  }

  /** Sends the next piece of the first message; false if there is no room for it. */
  #advance(): boolean {
    const queued = this.#queue[0];
    const { to, tag, words } = queued.message;
    if (to.some((receiver) => this.#rings[receiver].full)) return false;
    const piece = Math.min(words - queued.offset, this.#region.largestPayload);
    const block = this.#region.place(piece, to.length);
    if (block === undefined) return false;
    try {
      this.#write(queued, block.payload);
    } catch (error) {
      this.#region.cancel(block);
      this.#queue.shift();
      throw error;
    }
    const { offset } = queued;
    for (const receiver of to) {
      this.#rings[receiver].push({ tag, words, offset, piece, address: block.address });
      this.#control.wake(receiver);
    }
    this.#control.countMove(this.#rank);
    queued.offset += piece;
    if (queued.offset === words) {
      this.#queue.shift();
      queued.message.sent?.();
    }
    return true;
  }

  #write(queued: Queued, into: Uint32Array): void {
    const { message, offset } = queued;
    if (into.length === message.words) {
      message.fill(into);
      return;
    }
    if (queued.payload === undefined) {
      queued.payload = new Uint32Array(message.words);
      message.fill(queued.payload);
    }
    into.set(queued.payload.subarray(offset, offset + into.length));
  }

  /** Asks all receivers to make room, also those that sleep. */
  #pressReceivers(): void {
    this.#control.setPressure(this.#rank, true);
    for (let rank = 0; rank < this.#control.size; rank++) {
      if (rank !== this.#rank) this.#control.wake(rank);
    }
  }
}
