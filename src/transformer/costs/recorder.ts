/** Writes down what an evaluator is asked for: calls, keys, and what is in memory meanwhile. */
import type { KeyName } from "../../ckks/index.ts";
import { Moments } from "./moments.ts";
import { type Call, isAlike, nameOfCall, type Operand, type PolySize, type Run, shapeOf, type Trace } from "./trace.ts";

export interface Details {
  /** See {@link Call.levels}; these do not count from the trace's. */
  readonly levels?: readonly number[];
  /** See {@link Call.steps}. */
  readonly steps?: readonly number[];
  /** Highest level whose limbs are read of operands; the least of `levels` by default. */
  readonly read?: number;
}

export class Recorder {
  readonly #base: number;
  readonly #moments = new Moments();
  readonly #keys = new Map<KeyName, number>();
  readonly #calls = new Map<string, { readonly call: Call; times: number }>();

  /** @param base level that the levels of the trace count from */
  constructor(base: number) {
    this.#base = base;
  }

  /** All that was written down so far. */
  get trace(): Trace {
    const { list, sizes } = this.#moments;
    return { calls: [...this.#calls.values()], moments: list, sizes, keys: this.#keys };
  }

  /** Before a call takes memory for its results. */
  call(name: string, operands: readonly Operand[], run: Run, details?: Details): Call {
    return this.#note(this.#describe(name, operands, run, details), 1);
  }

  /** A call that sums terms, of which alike ones cost the same: two of them, and one more as often as there are others. */
  sum(name: string, terms: readonly (readonly Operand[])[], run: Run, details: Details = {}): void {
    const { read = Math.min(...(details.levels ?? [])) } = details;
    const [first] = terms as [readonly Operand[]];
    const alike =
      terms.length > 2 && terms.every((term) => term.every((a, k) => isAlike(a, first[k] as Operand, read)));
    if (!alike) {
      this.call(name, terms.flat(), run, details);
      return;
    }
    const two = this.call(name, terms.slice(0, 2).flat(), run, details);
    const three = this.#describe(name, terms.slice(0, 3).flat(), run, details);
    this.#note({ ...three, name: `${name}, one more`, beyond: two }, terms.length - 2);
  }

  key(name: KeyName, level: number): void {
    const relative = level - this.#base;
    this.#keys.set(name, Math.max(relative, this.#keys.get(name) ?? relative));
  }

  /** Memory is taken, for what is at a level. Returns what gives it back. */
  take({ logN, basis }: Omit<PolySize, "level">, level: number): () => void {
    return this.#moments.take({ logN, basis, level: level - this.#base });
  }

  #describe(
    name: string,
    operands: readonly Operand[],
    run: Run,
    { levels = [], steps = [], read = Math.min(...levels) }: Details = {},
  ): Call {
    const base = this.#base;
    return {
      name,
      operands: operands.map((operand) => shapeOf(operand, base, read)),
      levels: levels.map((level) => level - base),
      steps,
      run,
    };
  }

  #note(call: Call, times: number): Call {
    const key = nameOfCall(call, 0, true);
    let known = this.#calls.get(key);
    if (known === undefined) this.#calls.set(key, (known = { call, times: 0 }));
    known.times += times;
    this.#moments.note(known.call);
    return known.call;
  }
}
