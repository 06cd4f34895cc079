// Modular arithmetic on vectors of words; q < 2^30 throughout.
#pragma once
// Included after the vector of an instruction set.

namespace aegis {
namespace AEGIS_SET {

using Word = V::Word;
using Wide = V::Wide;

/** x in [0, 2c) to [0, c): the difference wraps to a larger word when x < c. Needs 2c ≤ 2^32. */
AEGIS_INLINE Word reduceOnce(Word x, Word c) { return V::min(x, V::sub(x, c)); }

/** x in (−c, c), as a wrapped word, to [0, c). */
AEGIS_INLINE Word liftOnce(Word x, Word c) { return V::min(x, V::add(x, c)); }

/** A constant modulo q with its Shoup quotient, in every lane. */
struct Constant {
  Word w;
  Word quotient;
};

AEGIS_INLINE Constant constant(u32 w, u32 q) { return {V::splat(w), V::splat(quotient(w, q))}; }

/**
 * y·w mod q in [0, 2q) for any word y, ws = floor(w·2^32/q)
 * (Harvey, "Faster arithmetic for number-theoretic transforms", §3).
 */
AEGIS_INLINE Word shoup(Word y, Word w, Word ws, Word q) {
  return V::sub(V::mulLow(y, w), V::mulLow(V::mulHigh(y, ws), q));
}
/** The same with one constant for all lanes. */
AEGIS_INLINE Word shoup(Word y, const Constant& c, Word q) {
  return V::sub(V::mulLow(y, c.w), V::mulLow(V::mulHighSplat(y, c.quotient), q));
}

/** Sums of products of the even and of the odd words. */
struct Sum {
  Wide even;
  Wide odd;
};

/** A prime as sums are reduced by it. */
struct Reduction {
  Word q;
  Word qInverse;
  Wide foldBy;
  int steps;
};

AEGIS_INLINE Reduction reduction(u32 q, u32 qInverse, const SumPlan& plan) {
  return {V::splat(q), V::splat(qInverse), V::splatWide(static_cast<u64>(plan.foldBy) << 32), plan.steps};
}

AEGIS_INLINE void fold(Sum& sum, Wide by) {
  sum.even = V::fold(sum.even, by);
  sum.odd = V::fold(sum.odd, by);
}

/** Sums below 2^steps·q·2^32, times 2^-32, in [0, q): high words are brought below q, then one Montgomery step. */
AEGIS_INLINE Word reduceSum(const Sum& sum, const Reduction& by) {
  Word high = V::highs(sum.even, sum.odd);
  const Word m = V::mulLow(V::lows(sum.even, sum.odd), by.qInverse);
  for (int step = by.steps; step > 1; step--) {
    Word c = by.q;
    for (int i = 1; i < step; i++) c = V::add(c, c);
    high = reduceOnce(high, c);
  }
  if (by.steps > 0) high = reduceOnce(high, by.q);
  return liftOnce(V::sub(high, V::mulHighSplat(m, by.q)), by.q);
}

}  // namespace AEGIS_SET
}  // namespace aegis
