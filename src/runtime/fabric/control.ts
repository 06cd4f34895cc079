/**
 * The small shared memory of a thread fabric: per rank a word to sleep on, a heartbeat and what
 * the rank is doing; for all of them the abort flag. Written by the rank concerned, read by its
 * peers and by the thread that watches them.
 */

/** What a rank is doing: no call at all, computing, or asleep until a message comes. */
export const statuses = ["idle", "running", "waiting"] as const;
export type Status = (typeof statuses)[number];

/** Records are whole cache lines, so that heartbeats of two ranks do not share one. */
const recordWords = 64;
const field = { wake: 0, heart: 1, status: 2, operation: 3, pressure: 4, moves: 5, textBytes: 6 } as const;
const textStart = 16;
const textLimit = (recordWords - textStart) * 4;

/** Longest sleep: bounds the harm of anything that fails to wake a rank, and paces heartbeats. */
const napMilliseconds = 100;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Control {
  readonly size: number;
  readonly buffer: SharedArrayBuffer;
  /** Record 0 is the fabric's own, with the abort flag; rank r has record r + 1. */
  readonly #words: Int32Array;

  /** @param buffer of another thread's control; a new one if there is none */
  constructor(size: number, buffer = new SharedArrayBuffer((size + 1) * recordWords * 4)) {
    this.size = size;
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  get aborted(): boolean {
    return Atomics.load(this.#words, 0) !== 0;
  }

  /** Ends all waits, now and later. */
  abort(): void {
    Atomics.store(this.#words, 0, 1);
    for (let rank = 0; rank < this.size; rank++) this.wake(rank);
  }

  /** Changes with every {@link wake}; to be read before the look whose outcome {@link sleep} relies on. */
  wakes(rank: number): number {
    return Atomics.load(this.#words, this.#at(rank, "wake"));
  }

  wake(rank: number): void {
    Atomics.add(this.#words, this.#at(rank, "wake"), 1);
    Atomics.notify(this.#words, this.#at(rank, "wake"));
  }

  /**
   * Blocks the calling rank until someone wakes it, for 0.1 s at most; not at all if someone did since
   * {@link wakes} gave `seen`.
   */
  sleep(rank: number, seen: number, what: string): void {
    this.#describeWait(rank, what);
    this.setStatus(rank, "waiting");
    Atomics.wait(this.#words, this.#at(rank, "wake"), seen, napMilliseconds);
    this.beat(rank);
    this.setStatus(rank, "running");
  }

  /** What the rank waited for last. */
  awaited(rank: number): string {
    const length = Atomics.load(this.#words, this.#at(rank, "textBytes"));
    // A copy: decoders may refuse shared memory.
    return decoder.decode(this.#text(rank).slice(0, length));
  }

  beat(rank: number): void {
    Atomics.add(this.#words, this.#at(rank, "heart"), 1);
  }

  beats(rank: number): number {
    return Atomics.load(this.#words, this.#at(rank, "heart"));
  }

  status(rank: number): Status {
    return statuses[Atomics.load(this.#words, this.#at(rank, "status"))];
  }

  setStatus(rank: number, status: Status): void {
    Atomics.store(this.#words, this.#at(rank, "status"), statuses.indexOf(status));
  }

  /** Number of the operation that runs, undefined before the first. */
  operation(rank: number): number | undefined {
    const stored = Atomics.load(this.#words, this.#at(rank, "operation"));
    return stored === 0 ? undefined : stored - 1;
  }

  setOperation(rank: number, operation: number | undefined): void {
    Atomics.store(this.#words, this.#at(rank, "operation"), operation === undefined ? 0 : operation + 1);
  }

  /** Whether a sender lacks room, so that its receivers should move what they hold out of its region. */
  pressure(rank: number): boolean {
    return Atomics.load(this.#words, this.#at(rank, "pressure")) !== 0;
  }

  setPressure(rank: number, on: boolean): void {
    Atomics.store(this.#words, this.#at(rank, "pressure"), on ? 1 : 0);
  }

  /** Counts a message that a rank sent or took. */
  countMove(rank: number): void {
    Atomics.add(this.#words, this.#at(rank, "moves"), 1);
  }

  /** Messages sent and taken by all ranks, modulo 2^32. */
  moves(): number {
    let sum = 0;
    for (let rank = 0; rank < this.size; rank++) sum += Atomics.load(this.#words, this.#at(rank, "moves"));
    return sum | 0;
  }

  #describeWait(rank: number, what: string): void {
    const { written } = encoder.encodeInto(what, this.#text(rank));
    Atomics.store(this.#words, this.#at(rank, "textBytes"), written);
  }

  #text(rank: number): Uint8Array {
    return new Uint8Array(this.buffer, ((rank + 1) * recordWords + textStart) * 4, textLimit);
  }

  #at(rank: number, name: keyof typeof field): number {
    return (rank + 1) * recordWords + field[name];
  }
}
