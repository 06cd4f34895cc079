// Words, primes and scalar helpers that all instruction sets share.
#pragma once
#include <cstddef>
#include <cstdint>

namespace aegis {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

/** floor(w·2^32/q): the Shoup quotient of a constant w < q. */
inline u32 quotient(u32 w, u32 q) { return static_cast<u32>((static_cast<u64>(w) << 32) / q); }

inline u32 multiplyModulo(u32 a, u32 b, u32 q) { return static_cast<u32>(static_cast<u64>(a) * b % q); }

inline u32 withoutHighestBit(u32 k) { return k & ~(1u << (31 - __builtin_clz(k))); }

/** The lowest `bits` bits of x in reverse. */
inline u32 reverseBits(u32 x, int bits) {
  u32 reversed = 0;
  for (int bit = 0; bit < bits; bit++) reversed = (reversed << 1) | ((x >> bit) & 1);
  return reversed;
}

/**
 * How a sum of products is kept below 2^64 and brought below q at its end: high words that reach
 * `foldBy`, a multiple of q, lose it after every `interval` products; at the end `steps` conditional
 * subtractions of 2^j·q bring them below q. A fold leaves max(foldBy, 2^32 − foldBy) at most.
 */
struct SumPlan {
  u32 interval;
  u32 foldBy;
  int steps;
};

/** Plan of a sum of `terms` ≥ 1 products, each at most `largest` < 2^60, modulo q in (2^24, 2^30). */
inline SumPlan planSum(u32 terms, u64 largest, u32 q) {
  const u64 most = ~static_cast<u64>(0);
  SumPlan plan{};
  plan.foldBy = static_cast<u32>(((static_cast<u64>(1) << 31) + q / 2) / q * q);
  const bool single = largest == 0 || terms <= most / largest;
  const u64 complement = (static_cast<u64>(1) << 32) - plan.foldBy;
  const u64 folded = plan.foldBy > complement ? plan.foldBy : complement;
  plan.interval = single ? terms : static_cast<u32>((most - (folded << 32)) / largest);
  const u64 high = single ? (terms * largest) >> 32 : most >> 32;
  while ((static_cast<u64>(q) << plan.steps) <= high) plan.steps++;
  return plan;
}

}  // namespace aegis
