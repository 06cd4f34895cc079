// Base conversion in coefficient domain (Halevi–Polyakov–Shoup, eprint 2018/117, §2), a block of coefficients at a time.
// The words y_i and v go to scratch that stays in the cache; each target is a lazy sum over them with
// factors in Montgomery form. v is one more source, whose factor is −Q.
#pragma once
#include "kernels.hpp"

namespace aegis {
namespace AEGIS_SET {

/** Rows y_i = x_i·inverse_i mod q_i and v of one block. */
inline void prepareBlock(u32* rows, const u32* src, std::size_t srcStride, const Conversion& c, std::size_t n) {
  const std::size_t sources = c.sources.size();
  const Wide half = V::splatWide(static_cast<u64>(1) << 55);
  for (std::size_t i = 0; i < n; i += L) {
    Sum v{half, half};
    for (std::size_t k = 0; k < sources; k++) {
      const ConversionSource& source = c.sources[k];
      const Word q = V::splat(source.q);
      const Constant inverse{V::splat(source.inverse), V::splat(source.quotient)};
      const Word fraction = V::splat(source.fraction);
      const Word y = reduceOnce(shoup(V::load(src + k * srcStride + i), inverse, q), q);
      V::store(rows + k * conversionRow + i, y);
      v.even = V::multiplyAdd(v.even, y, fraction);
      v.odd = V::multiplyAdd(v.odd, V::odd(y), fraction);
    }
    V::store(rows + sources * conversionRow + i, V::shiftRight24(V::highs(v.even, v.odd)));
  }
}

/** `targets` targets of one block together: they share the loads of the rows. */
template <int targets>
void convertTargets(u32* dst, std::size_t dstStride, const u32* rows, const Conversion& c, std::size_t first, std::size_t n) {
  const std::size_t terms = c.sources.size() + 1;
  u32 interval = static_cast<u32>(terms);
  for (int j = 0; j < targets; j++) {
    if (c.targets[first + j].plan.interval < interval) interval = c.targets[first + j].plan.interval;
  }
  const u32* const factors = c.factors.data() + first * terms;
  for (std::size_t i = 0; i < n; i += L) {
    Sum sums[targets];
    for (Sum& sum : sums) sum = {V::zero(), V::zero()};
    std::size_t k = 0;
    while (true) {
      const std::size_t end = terms - k < interval ? terms : k + interval;
      for (; k < end; k++) {
        const Word y = V::load(rows + k * conversionRow + i);
        const Word oddY = V::odd(y);
#pragma GCC unroll 8
        for (int j = 0; j < targets; j++) {
          const Word factor = V::splat(factors[j * terms + k]);
          sums[j].even = V::multiplyAdd(sums[j].even, y, factor);
          sums[j].odd = V::multiplyAdd(sums[j].odd, oddY, factor);
        }
      }
      if (k == terms) break;
      for (int j = 0; j < targets; j++) fold(sums[j], V::splatWide(static_cast<u64>(c.targets[first + j].plan.foldBy) << 32));
    }
#pragma GCC unroll 8
    for (int j = 0; j < targets; j++) {
      const ConversionTarget& target = c.targets[first + j];
      V::store(dst + (first + j) * dstStride + i, reduceSum(sums[j], reduction(target.q, target.qInverse, target.plan)));
    }
  }
}

/** As many targets as registers hold the sums of. */
constexpr std::size_t mostTargets = L == 16 ? 8 : 4;

template <int targets>
void convertSome(std::size_t count, u32* dst, std::size_t dstStride, const u32* rows, const Conversion& c, std::size_t first, std::size_t n) {
  if (count == targets) return convertTargets<targets>(dst, dstStride, rows, c, first, n);
  if constexpr (targets > 1) convertSome<targets - 1>(count, dst, dstStride, rows, c, first, n);
}

/** Coefficients `start` to `start + n` of a conversion, n at most {@link conversionBlock}; strides in words. */
inline void convertBlock(u32* dst, std::size_t dstStride, const u32* src, std::size_t srcStride, const Conversion& c, u32* rows, std::size_t n) {
  prepareBlock(rows, src, srcStride, c, n);
  // Groups of about the same size: the fewer targets share a load, the longer each takes.
  const std::size_t targets = c.targets.size();
  const std::size_t groups = (targets + mostTargets - 1) / mostTargets;
  for (std::size_t group = 0, first = 0; group < groups; group++) {
    const std::size_t count = (targets - first + groups - group - 1) / (groups - group);
    convertSome<mostTargets>(count, dst, dstStride, rows, c, first, n);
    first += count;
  }
}

}  // namespace AEGIS_SET
}  // namespace aegis
