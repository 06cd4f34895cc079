/** What is in memory while an operation is traced, at the moments when it may be most. */
import type { Call, Moment, PolySize } from "./trace.ts";

export class Moments {
  readonly #sizes: PolySize[] = [];
  readonly #indices = new Map<string, number>();
  readonly #held: number[] = [];
  /** None of a call has no more of everything than another. */
  readonly #byCall = new Map<Call, (readonly number[])[]>();

  get sizes(): readonly PolySize[] {
    return this.#sizes;
  }

  get list(): Moment[] {
    return [...this.#byCall].flatMap(([call, moments]) => moments.map((held) => ({ call, held })));
  }

  /** Polynomials take memory. Returns what gives it back. */
  take(size: PolySize): () => void {
    const name = `${size.logN} ${size.basis} ${size.level}`;
    let index = this.#indices.get(name);
    if (index === undefined) {
      index = this.#sizes.push(size) - 1;
      this.#indices.set(name, index);
      this.#held.push(0);
    }
    const at = index;
    this.#held[at] = (this.#held[at] as number) + 1;
    return () => {
      this.#held[at] = (this.#held[at] as number) - 1;
    };
  }

  /** Before a call takes what it needs. */
  note(call: Call): void {
    const moments = this.#byCall.get(call) ?? [];
    if (moments.some((one) => isWithin(this.#held, one))) return;
    const now = [...this.#held];
    this.#byCall.set(call, [...moments.filter((one) => !isWithin(one, now)), now]);
  }
}

/** Whether there is no more of anything in a than in b. */
function isWithin(a: readonly number[], b: readonly number[]): boolean {
  return a.every((count, i) => count <= (b[i] ?? 0));
}
