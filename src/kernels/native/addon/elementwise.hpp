// Kernels that treat every coefficient alike: residues in [0, q) in and out. n is rounded up to whole vectors: limbs are padded.
#pragma once
#include <cstring>

namespace aegis {
namespace AEGIS_SET {

template <class Body>
AEGIS_INLINE void everyVector(std::size_t n, Body body) {
  for (std::size_t i = 0; i < n; i += L) body(i);
}

inline void add(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q) {
  const Word qv = V::splat(q);
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA { V::store(dst + i, reduceOnce(V::add(V::load(a + i), V::load(b + i)), qv)); });
}

inline void subtract(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q) {
  const Word qv = V::splat(q);
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA { V::store(dst + i, liftOnce(V::sub(V::load(a + i), V::load(b + i)), qv)); });
}

inline void negate(u32* dst, const u32* a, std::size_t n, u32 q) {
  const Word qv = V::splat(q);
  const Word none = V::splat(0);
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA { V::store(dst + i, liftOnce(V::sub(none, V::load(a + i)), qv)); });
}

/** Montgomery products: a·b·2^-32. */
inline void multiply(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q, u32 qInverse) {
  const Reduction by = reduction(q, qInverse, {});
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA {
    const Word x = V::load(a + i);
    const Word y = V::load(b + i);
    const Sum product{V::multiplyAdd(V::zero(), x, y), V::multiplyAdd(V::zero(), V::odd(x), V::odd(y))};
    V::store(dst + i, reduceSum(product, by));
  });
}

inline void multiplyScalar(u32* dst, const u32* a, std::size_t n, u32 q, u32 s) {
  const Word qv = V::splat(q);
  const Constant c = constant(s, q);
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA { V::store(dst + i, reduceOnce(shoup(V::load(a + i), c, qv), qv)); });
}

inline void multiplyScalarAdd(u32* dst, const u32* a, std::size_t n, u32 q, u32 s) {
  const Word qv = V::splat(q);
  const Constant c = constant(s, q);
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA {
    const Word product = reduceOnce(shoup(V::load(a + i), c, qv), qv);
    V::store(dst + i, reduceOnce(V::add(V::load(dst + i), product), qv));
  });
}

inline void addScalar(u32* dst, const u32* a, std::size_t n, u32 q, u32 s) {
  const Word qv = V::splat(q);
  const Word sv = V::splat(s);
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA { V::store(dst + i, reduceOnce(V::add(V::load(a + i), sv), qv)); });
}

inline void subtractMultiplyScalar(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q, u32 s) {
  const Word qv = V::splat(q);
  const Constant c = constant(s, q);
  everyVector(n, [&](std::size_t i) AEGIS_LAMBDA {
    // The difference plus q lies in (0, 2q); the product takes any word.
    const Word difference = V::add(V::sub(V::load(a + i), V::load(b + i)), qv);
    V::store(dst + i, reduceOnce(shoup(difference, c, qv), qv));
  });
}

/** Writes each of the n >> logRun words at `a` 2^logRun times. */
inline void expand(u32* dst, const u32* a, std::size_t n, int logRun) {
  const std::size_t run = static_cast<std::size_t>(1) << logRun;
  for (std::size_t i = 0; i < n >> logRun; i++) {
    for (std::size_t j = 0; j < run; j++) dst[i * run + j] = a[i];
  }
}

}  // namespace AEGIS_SET
}  // namespace aegis
