// Sums of products over many operands, lazy in 64 bits: key-switch products, linear transforms, tensor products.
#pragma once
#include "kernels.hpp"

namespace aegis {
namespace AEGIS_SET {

/** How a first operand is laid out: as it is, each word for 2 … lanes/2 coefficients, or for whole vectors. */
enum class Layout { plain, runs, splat };

template <Layout layout>
AEGIS_INLINE Word loadFirst(const u32* a, std::size_t i, int logRun, Word order) {
  if constexpr (layout == Layout::plain) return V::load(a + i);
  if constexpr (layout == Layout::runs) return V::permute(V::load(a + (i >> logRun)), order);
  return V::splat(a[i >> logRun]);
}

AEGIS_INLINE void accumulate(Sum& sum, Word a, Word oddA, Word b) {
  sum.even = V::multiplyAdd(sum.even, a, b);
  sum.odd = V::multiplyAdd(sum.odd, oddA, V::odd(b));
}

/** Words that operands are asked for ahead: further than processors read by themselves, and into other pages. */
constexpr std::size_t operandsAhead = 2048;

/** Once for every line. */
AEGIS_INLINE void askAhead(const u32* operand, std::size_t at) {
  if (L >= 16 || at % 16 == 0) __builtin_prefetch(operand + at + operandsAhead, 0, 2);
}

/** Two vectors of each result at a time, so that sums do not wait for each other. */
template <int results, Layout layout>
void sumLoop(const SumTask& task, std::size_t n, u32 q, u32 qInverse, int logRun) {
  const u64 residue = q - 1;
  const SumPlan plan = planSum(static_cast<u32>(task.count), residue * residue, q);
  const Reduction by = reduction(q, qInverse, plan);
  const Word qv = by.q;
  Word order = V::splat(0);
  if constexpr (layout == Layout::runs) {
    u32 lanes[L];
    for (int i = 0; i < L; i++) lanes[i] = static_cast<u32>(i) >> logRun;
    order = V::load(lanes);
  }
  const Constant lift = constant(task.lift, q);
  const Constant scale = constant(task.scale, q);
  const std::size_t step = n < 2 * L ? L : 2 * L;
  for (std::size_t i = 0; i < n; i += step) {
    Sum sums[2 * results];
    for (Sum& sum : sums) sum = {V::zero(), V::zero()};
    const u32* const* term = task.terms;
    std::size_t rest = task.count;
    while (true) {
      const std::size_t part = rest < plan.interval ? rest : plan.interval;
      for (const u32* const* end = term + part * (1 + results); term < end; term += 1 + results) {
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
          const std::size_t at = i + static_cast<std::size_t>(half) * (step - L);
          if constexpr (layout == Layout::plain) askAhead(term[0], at);
          const Word a = loadFirst<layout>(term[0], at, logRun, order);
          const Word oddA = layout == Layout::splat ? a : V::odd(a);
#pragma GCC unroll 2
          for (int k = 0; k < results; k++) {
            askAhead(term[1 + k], at);
            accumulate(sums[2 * k + half], a, oddA, V::load(term[1 + k] + at));
          }
        }
      }
      rest -= part;
      if (rest == 0) break;
      for (Sum& sum : sums) fold(sum, by.foldBy);
    }
#pragma GCC unroll 2
    for (int k = 0; k < results; k++) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; half++) {
        const std::size_t at = i + static_cast<std::size_t>(half) * (step - L);
        u32* const dst = task.dst[k] + at;
        Word r = reduceSum(sums[2 * k + half], by);
        if (task.scaled) r = reduceOnce(shoup(r, scale, qv), qv);
        if (task.lifted[k] != nullptr) r = reduceOnce(V::add(r, reduceOnce(shoup(V::load(task.lifted[k] + at), lift, qv), qv)), qv);
        if (k == 0 && task.added != nullptr) r = reduceOnce(V::add(r, V::load(task.added + at)), qv);
        // With a single vector both halves are the same one, and the sum is added once.
        if (task.accumulate && !(half == 1 && step == L)) r = reduceOnce(V::add(r, V::load(dst)), qv);
        if (!(half == 1 && step == L)) V::store(dst, r);
      }
    }
  }
}

template <int results>
void sumOf(const SumTask& task, std::size_t n, u32 q, u32 qInverse, int logRun) {
  if (logRun == 0) sumLoop<results, Layout::plain>(task, n, q, qInverse, logRun);
  else if (logRun < logL) sumLoop<results, Layout::runs>(task, n, q, qInverse, logRun);
  else sumLoop<results, Layout::splat>(task, n, q, qInverse, logRun);
}

inline void sum(const SumTask& task, std::size_t n, u32 q, u32 qInverse, int logRun) {
  if (task.results == 1) sumOf<1>(task, n, q, qInverse, logRun);
  else sumOf<2>(task, n, q, qInverse, logRun);
}

}  // namespace AEGIS_SET
}  // namespace aegis
