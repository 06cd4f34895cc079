/** Walks over the limbs of kernels: lays the result out, then runs where this rank holds something. */
import type { Limbs } from "../backend.ts";
import { contributes, isHeldBy, type Layout, productLayout, sumLayout, unwritten } from "./layout.ts";
import type { LimbMemory } from "./limb-memory.ts";

/** Runs on limb i of the result. */
export type Step = (to: Limbs, i: number) => void;

/** One of several sums of products that share their first factors. */
export interface ProductSum {
  readonly dst: Limbs;
  readonly b: readonly Limbs[];
}

export class LimbLoops {
  readonly #memory: LimbMemory;

  constructor(memory: LimbMemory) {
    this.#memory = memory;
  }

  /** Limbs made of nothing, each where `layouts` says. */
  create(dst: Limbs, layouts: readonly Layout[], step: Step): void {
    const memory = this.#memory;
    memory.lay(dst, layouts);
    for (let i = 0; i < layouts.length; i++) if (isHeldBy(layouts[i], memory.rank)) step(memory.limb(dst, i), i);
  }

  /** A linear map of single limbs: the result is where the operand is. `step` gets the operand's limb as well. */
  map(dst: Limbs, a: Limbs, step: (to: Limbs, from: Limbs, i: number) => void, unit = this.#memory.unit): void {
    this.create(dst, this.#memory.layouts(a, unit), (to, i) => step(to, this.#memory.limb(a, i, unit), i));
  }

  /** A linear map of two operands; `first` and `second` run where only one of them counts. */
  combine(
    dst: Limbs,
    a: readonly Layout[],
    b: readonly Layout[],
    steps: { readonly both: Step; readonly first: Step; readonly second: Step },
  ): void {
    const { rank, placement } = this.#memory;
    const homes = dst.moduli.map(placement.home);
    const layouts = homes.map((home, i) => sumLayout(a[i], b[i], home));
    this.create(dst, layouts, (to, i) => {
      const left = contributes(a[i], layouts[i], rank, homes[i]);
      const right = contributes(b[i], layouts[i], rank, homes[i]);
      (left ? (right ? steps.both : steps.first) : steps.second)(to, i);
    });
  }

  /**
   * Σ_t a[t]·b[t] into each of `sums`, or onto it. `run` gets the limbs of the terms that count on this
   * rank, for sums that have the same ones together.
   */
  products(
    sums: readonly ProductSum[],
    a: readonly Limbs[],
    unit: number,
    accumulate: boolean,
    run: (dst: readonly Limbs[], a: readonly Limbs[], b: readonly (readonly Limbs[])[], accumulate: boolean) => void,
  ): void {
    const memory = this.#memory;
    const first = a.map((limbs) => memory.layouts(limbs, unit));
    const plans = sums.map(({ dst, b }) => this.#plan(dst, first, b, accumulate));
    for (const [k, { dst }] of sums.entries()) memory.lay(dst, plans[k].layouts);
    for (const i of (sums[0] as ProductSum).dst.moduli.keys()) {
      const tasks = plans.map((plan, k) => ({ sum: sums[k], ...plan.tasks[i] }));
      const same = tasks.every(({ terms, onto }) => onto === tasks[0].onto && equal(terms, tasks[0].terms));
      for (const group of same ? [tasks] : tasks.map((task) => [task])) {
        const { terms, onto } = group[0];
        if (terms.length === 0) continue;
        run(
          group.map(({ sum }) => memory.limb(sum.dst, i)),
          terms.map((t) => memory.limb(a[t], i, unit)),
          group.map(({ sum }) => terms.map((t) => memory.limb(sum.b[t], i))),
          onto,
        );
      }
    }
  }

  /** Layout of each limb of a sum, and its terms on this rank. */
  #plan(
    dst: Limbs,
    first: readonly (readonly Layout[])[],
    b: readonly Limbs[],
    accumulate: boolean,
  ): { layouts: Layout[]; tasks: { terms: number[]; onto: boolean }[] } {
    const { rank, placement } = this.#memory;
    const second = b.map((limbs) => this.#memory.layouts(limbs));
    const before = accumulate ? this.#memory.layouts(dst) : [];
    const layouts: Layout[] = [];
    const tasks = dst.moduli.map((modulus, i) => {
      const home = placement.home(modulus);
      const factors: Layout[] = [];
      let layout = accumulate ? before[i] : unwritten;
      for (let t = 0; t < first.length; t++) {
        const factor = productLayout(first[t][i], second[t][i]);
        factors.push(factor);
        layout = layout === unwritten ? factor : sumLayout(layout, factor, home);
      }
      layouts.push(layout);
      const terms: number[] = [];
      for (let t = 0; t < factors.length; t++) if (contributes(factors[t], layout, rank, home)) terms.push(t);
      return { terms, onto: accumulate && contributes(before[i], layout, rank, home) };
    });
    return { layouts, tasks };
  }
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => value === b[i]));
}
