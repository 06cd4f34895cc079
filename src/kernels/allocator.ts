/**
 * Allocator for a linear memory, kept outside of it: best fit by size class (eight classes to an
 * octave, as in TLSF, Masmano et al. 2004), neighbours joined on release, memory taken from the
 * top only when no free block fits. Addresses and sizes are multiples of 64 bytes up to 2^32.
 */
import { AegisError } from "../base/errors.ts";
import { invariant } from "../base/validate.ts";
import type { MemoryReport } from "./backend.ts";

const unit = 64;
/** Blocks looked at in the own class of a size before a larger class is taken. */
const scanned = 32;

/** Largest size, in units, that has a class of its own: 128 GiB; a null backend may plan for more. */
const largestClass = 2 ** 31 - 1;

/** Index of the size class of `units`; all blocks of a class but the last differ by less than an eighth. */
function sizeClass(size: number): number {
  const units = Math.min(size, largestClass);
  const log = 31 - Math.clz32(units);
  return log < 3 ? units : ((log - 2) << 3) + ((units >>> (log - 3)) & 7);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

export class Allocator {
  readonly #limit: number;
  readonly #grow: (end: number) => boolean;
  /** Units of a segment; no block lies in two. */
  readonly #segment: number;
  /** First unit that was never given out. */
  #top: number;
  #used: number;
  #peak: number;
  /** Sizes of live and free blocks by first unit, and first units of free blocks by their end. */
  readonly #live = new Map<number, number>();
  readonly #free = new Map<number, number>();
  readonly #freeByEnd = new Map<number, number>();
  readonly #pressure = new Set<() => boolean>();
  readonly #watching = new Set<() => void>();
  readonly #classes: Set<number>[] = Array.from({ length: sizeClass(largestClass) + 1 }, () => new Set<number>());

  /**
   * @param base - bytes at the bottom that are not for allocation; they count as used
   * @param limit - no block ends above this address
   * @param grow - makes memory available up to an address; false when the system refuses
   * @param segment - bytes, a multiple of 64: no block crosses a multiple of it, for memory that is made of
   *   separate buffers; without it a block may lie anywhere
   */
  constructor(base: number, limit: number, grow: (end: number) => boolean, segment = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
    this.#segment = segment / unit;
    this.#grow = grow;
    this.#top = Math.ceil(base / unit);
    this.#used = this.#top * unit;
    this.#peak = this.#used;
  }

  report(): MemoryReport {
    return { used: this.#used, peak: this.#peak, limit: this.#limit };
  }

  /** The peak counts from what is in use now. */
  forgetPeak(): void {
    this.#peak = this.#used;
  }

  /** Runs `body`; what it takes or gives back counts neither as used nor at the peak. */
  apart<T>(body: () => T): T {
    const [used, peak] = [this.#used, this.#peak];
    try {
      return body();
    } finally {
      this.#used = used;
      this.#peak = peak;
    }
  }

  /** See {@link Backend.onPressure}. */
  onPressure(release: () => boolean): () => void {
    this.#pressure.add(release);
    return () => void this.#pressure.delete(release);
  }

  /** See {@link Backend.onAllocate}. */
  onAllocate(watch: () => void): () => void {
    this.#watching.add(watch);
    return () => void this.#watching.delete(watch);
  }

  /** Tells those who watch that work goes on, where it is waited for without allocating. */
  stir(): void {
    for (const watch of this.#watching) watch();
  }

  /** Address of `bytes` bytes. Throws `memory` when they are not to be had. */
  allocate(bytes: number): number {
    this.stir();
    const units = Math.max(1, Math.ceil(bytes / unit));
    let start = this.#find(units) ?? this.#extend(units);
    while (start === undefined) {
      if (![...this.#pressure].some((release) => release())) throw this.#exhausted(units);
      start = this.#find(units) ?? this.#extend(units);
    }
    this.#live.set(start, units);
    this.#used += units * unit;
    if (this.#used > this.#peak) this.#peak = this.#used;
    return start * unit;
  }

  /** Gives back a block; `bytes` is what was asked for. */
  release(address: number, bytes: number): void {
    let start = address / unit;
    let units = Math.max(1, Math.ceil(bytes / unit));
    invariant(this.#live.get(start) === units, `release of ${bytes} bytes at ${address}: no such block is live`);
    this.#live.delete(start);
    this.#used -= units * unit;
    // A neighbour in another segment stays apart.
    const after = (start + units) % this.#segment === 0 ? undefined : this.#free.get(start + units);
    if (after !== undefined) {
      this.#unlink(start + units, after);
      units += after;
    }
    const before = start % this.#segment === 0 ? undefined : this.#freeByEnd.get(start);
    if (before !== undefined) {
      const size = start - before;
      this.#unlink(before, size);
      start = before;
      units += size;
    }
    if (start + units === this.#top) this.#lower(start);
    else this.#link(start, units);
  }

  /** Nothing lives from `start` on; free ends of earlier segments go with it. */
  #lower(start: number): void {
    let top = start;
    for (let before = this.#freeByEnd.get(top); before !== undefined; before = this.#freeByEnd.get(top)) {
      this.#unlink(before, top - before);
      top = before;
    }
    this.#top = top;
  }

  #find(units: number): number | undefined {
    if (units >= 2 ** 26) return undefined;
    const own = sizeClass(units);
    let looked = 0;
    for (const start of this.#classes[own]) {
      if (this.#free.get(start)! >= units) return this.#take(start, units);
      if (++looked === scanned) break;
    }
    for (let index = own + 1; index < this.#classes.length; index++) {
      if (this.#classes[index].size === 0) continue;
      for (const start of this.#classes[index]) return this.#take(start, units);
    }
    // Last of all the rest of the own class: a full walk is cheaper than more memory.
    for (const start of this.#classes[own]) {
      if (this.#free.get(start)! >= units) return this.#take(start, units);
    }
    return undefined;
  }

  #take(start: number, units: number): number {
    const size = this.#free.get(start)!;
    this.#unlink(start, size);
    if (size > units) this.#link(start + units, size - units);
    return start;
  }

  /** A block at the top; undefined when the limit or the system refuses. */
  #extend(units: number): number | undefined {
    if (units > this.#segment) return undefined;
    const top = this.#top;
    const used = top % this.#segment;
    const start = used + units > this.#segment ? top - used + this.#segment : top;
    const end = (start + units) * unit;
    if (end > this.#limit || !this.#grow(end)) return undefined;
    if (start > top) this.#link(top, start - top);
    this.#top = start + units;
    return start;
  }

  #exhausted(units: number): AegisError {
    const most = units > this.#segment ? `; one block may have ${mebibytes(this.#segment * unit)} at most` : "";
    return new AegisError(
      "memory",
      `out of backend memory: wanted ${mebibytes(units * unit)}, ${mebibytes(this.#used)} of ${mebibytes(this.#limit)} are in use${most}`,
      {
        hint: "use smaller parameters or fewer keys, or raise the memory limit of the backend",
        operation: "allocate",
      },
    );
  }

  #link(start: number, units: number): void {
    this.#free.set(start, units);
    this.#freeByEnd.set(start + units, start);
    this.#classes[sizeClass(units)].add(start);
  }

  #unlink(start: number, units: number): void {
    this.#free.delete(start);
    this.#freeByEnd.delete(start + units);
    this.#classes[sizeClass(units)].delete(start);
  }
}
