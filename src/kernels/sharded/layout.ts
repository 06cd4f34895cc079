/**
 * Which ranks hold a limb, known to all of them alike: every rank runs the same kernels, so all
 * come to the same layouts without a word exchanged.
 *
 * A limb is *whole* (all ranks hold its values), or its value is the sum modulo its prime of what
 * some ranks hold: of one rank, its home, when it is *cut*; of any when it is *partial*. A rank
 * that holds nothing stands for zeros, so linear kernels run where their operands are.
 *
 * Encoding: −1 is whole; otherwise bit r says that rank r holds something, bit 30 that the limb is
 * partial. 0: nothing was written yet.
 */
import { invariant } from "../../base/validate.ts";

export type Layout = number;

export const unwritten: Layout = 0;
export const whole: Layout = -1;
export const maximumRanks = 30;
const partialBit = 2 ** 30;

/** The limb of one rank. */
export function cutAt(rank: number): Layout {
  return 1 << rank;
}

/** The same holders; a sum is partial even when one rank holds all of it. */
export function asPartial(layout: Layout): Layout {
  invariant(layout > 0, "a limb that all ranks hold is no partial sum");
  return layout | partialBit;
}

export function isPartial(layout: Layout): boolean {
  return layout > 0 && (layout & partialBit) !== 0;
}

export function isHeldBy(layout: Layout, rank: number): boolean {
  return layout === whole || ((layout >> rank) & 1) === 1;
}

/** The rank that alone holds a limb. */
export function holderOf(layout: Layout): number {
  const ranks = layout & ~partialBit;
  invariant(layout > 0 && (ranks & (ranks - 1)) === 0, "expected a limb that one rank holds");
  return 31 - Math.clz32(ranks);
}

/** Layout of a + b; what is whole counts where `home` is, unless all of it is whole. */
export function sumLayout(a: Layout, b: Layout, home: number): Layout {
  if (a === whole && b === whole) return whole;
  const union = (a === whole ? cutAt(home) : a) | (b === whole ? cutAt(home) : b);
  const ranks = union & ~partialBit;
  return (ranks & (ranks - 1)) === 0 ? union : union | partialBit;
}

/** Whether a rank adds its copy of a summand to a result of this layout. */
export function contributes(summand: Layout, result: Layout, rank: number, home: number): boolean {
  return summand === whole && result !== whole ? rank === home : isHeldBy(summand, rank);
}

/** Layout of a·b: one factor may be any sum if all ranks know the other. */
export function productLayout(a: Layout, b: Layout): Layout {
  if (a === whole) return b;
  if (b === whole) return a;
  invariant(holderOf(a) === holderOf(b), "product of limbs of different ranks");
  return a | b;
}
