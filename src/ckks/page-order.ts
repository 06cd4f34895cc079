/**
 * The order in which a run will ask for its keys, known from a dry run: the key whose next use is
 * furthest away is the one to page out (Belady 1966).
 */
import type { KeyName } from "./keys.ts";

export class PageOrder {
  readonly #uses = new Map<KeyName, number[]>();
  readonly #cursors = new Map<KeyName, number>();
  #position = 0;

  /** @param sequence names in order of use */
  constructor(sequence: readonly KeyName[]) {
    for (const [position, name] of sequence.entries()) {
      const uses = this.#uses.get(name);
      if (uses === undefined) this.#uses.set(name, [position]);
      else uses.push(position);
    }
  }

  /** Notes a use. A name that the sequence does not expect here is found where it comes next. */
  advance(name: KeyName): void {
    const next = this.#next(name);
    if (next === undefined) return;
    this.#position = next + 1;
    this.#cursors.set(name, (this.#cursors.get(name) ?? 0) + 1);
  }

  /** How far away the next use is; infinite when there is none. */
  distance(name: KeyName): number {
    const next = this.#next(name);
    return next === undefined ? Number.POSITIVE_INFINITY : next - this.#position;
  }

  #next(name: KeyName): number | undefined {
    const uses = this.#uses.get(name);
    if (uses === undefined) return undefined;
    let cursor = this.#cursors.get(name) ?? 0;
    while (cursor < uses.length && (uses[cursor] as number) < this.#position) cursor++;
    this.#cursors.set(name, cursor);
    return uses[cursor];
  }
}
