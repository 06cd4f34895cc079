/**
 * Which keys stay in backend memory: bookkeeping alone, so that a dry run can tell what paging will
 * cost. When room is needed, the key whose next use is furthest goes first if the order of uses is
 * known, the least recently used otherwise.
 */
import type { KeyName } from "./keys.ts";
import { PageOrder } from "./page-order.ts";

export class KeyPages {
  readonly #budget: number;
  readonly #resident = new Map<KeyName, { level: number; bytes: number }>(); // least recently used first
  #order: PageOrder | undefined;
  #bytes = 0;

  /** @param budget bytes that resident keys may take; a single key may take more */
  constructor(budget: number) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Tells in which order keys will be asked for from here on. */
  expect(sequence: readonly KeyName[]): void {
    this.#order = new PageOrder(sequence);
  }

  /** Notes a use at a level. True when the key is resident at that level or higher. */
  use(name: KeyName, level: number): boolean {
    this.#order?.advance(name);
    const present = this.#resident.get(name);
    if (present === undefined || present.level < level) return false;
    this.#resident.delete(name);
    this.#resident.set(name, present);
    return true;
  }

  /** The keys that have to go before one of `bytes` bytes fits. */
  *room(bytes: number): Generator<KeyName> {
    while (this.#bytes + bytes > this.#budget) {
      const victim = this.victim();
      if (victim === undefined) return;
      yield victim;
    }
  }

  add(name: KeyName, level: number, bytes: number): void {
    this.#resident.set(name, { level, bytes });
    this.#bytes += bytes;
  }

  remove(name: KeyName): void {
    this.#bytes -= this.#resident.get(name)?.bytes ?? 0;
    this.#resident.delete(name);
  }

  /** Whether a use of a key of `bytes` bytes would leave all of `kept` where they are. */
  spares(kept: readonly KeyName[], name: KeyName, level: number, bytes: number): boolean {
    const present = this.#resident.get(name);
    if (present !== undefined && present.level >= level) return true;
    let total = this.#bytes - (present?.bytes ?? 0) + bytes;
    const gone = [name];
    while (total > this.#budget) {
      const victim = this.victim(gone);
      if (victim === undefined) return true;
      if (kept.includes(victim)) return false;
      total -= this.#resident.get(victim)?.bytes ?? 0;
      gone.push(victim);
    }
    return true;
  }

  /** The resident key that will be missed last, other than those `kept`. */
  victim(kept: readonly KeyName[] = []): KeyName | undefined {
    let victim: KeyName | undefined;
    let furthest = -1;
    for (const name of this.#resident.keys()) {
      if (kept.includes(name)) continue;
      if (this.#order === undefined) return name;
      const distance = this.#order.distance(name);
      if (distance > furthest) {
        furthest = distance;
        victim = name;
      }
    }
    return victim;
  }
}

/** A use of a key in a run. */
export interface KeyUse {
  readonly name: KeyName;
  readonly level: number;
}

/** Bytes of backend memory that are paged in when keys are used in this order. */
export function pagedBytes<Use extends KeyUse>(
  uses: readonly Use[],
  budget: number,
  bytesAt: (use: Use) => number,
): number {
  const pages = new KeyPages(budget);
  pages.expect(uses.map(({ name }) => name));
  let paged = 0;
  for (const use of uses) {
    if (pages.use(use.name, use.level)) continue;
    const bytes = bytesAt(use);
    pages.remove(use.name);
    for (const victim of pages.room(bytes)) pages.remove(victim);
    pages.add(use.name, use.level, bytes);
    paged += bytes;
  }
  return paged;
}
