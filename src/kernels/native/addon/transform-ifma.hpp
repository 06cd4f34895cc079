// Transforms of a set with 52-bit multiplication: in 64-bit lanes, and in words where the degree is small.
#pragma once
#include "forward-ifma.hpp"
#include "inverse-ifma.hpp"

namespace aegis {
namespace AEGIS_SET {
namespace ifma {

inline std::size_t twiddleWords(int logN) { return logN < logPart ? AEGIS_SET::twiddleWords(logN) : tableWords(logN); }

inline void makeTwiddles(u32* table, int logN, u32 q, u32 psi) {
  (logN < logPart ? AEGIS_SET::makeTwiddles : makeTable)(table, logN, q, psi);
}

inline void forwardTransform(u32* x, const u32* table, int logN, u32 q, const u32* next) {
  if (logN < logPart) return AEGIS_SET::forwardTransform(x, table, logN, q, next);
  ifma::forwardInto(x, table, logN, q, InPlace{x, {next}});
}

inline void subtractTransform(u32* dst, const u32* a, u32* x, const u32* table, int logN, u32 q, u32 s, const u32* next) {
  if (logN < logPart) return AEGIS_SET::subtractTransform(dst, a, x, table, logN, q, s, next);
  ifma::forwardInto(x, table, logN, q, SubtractFrom{x, a, dst, constant(s, q), V::splat(q), {next}});
}

inline void inverseTransform(u32* x, const u32* src, const u32* table, int logN, u32 q, u32 scale) {
  if (logN < logPart) return AEGIS_SET::inverseTransform(x, src, table, logN, q, scale);
  inverseInto(x, src, table, logN, q, scale);
}

/** The set's kernels with these transforms. */
constexpr Kernels kernels() {
  Kernels kernels = AEGIS_SET::kernels();
  kernels.twiddleWords = twiddleWords;
  kernels.makeTwiddles = makeTwiddles;
  kernels.forwardTransform = forwardTransform;
  kernels.subtractTransform = subtractTransform;
  kernels.inverseTransform = inverseTransform;
  return kernels;
}

}  // namespace ifma
}  // namespace AEGIS_SET
}  // namespace aegis
