// Residues of signed integers: an offset makes them non-negative, its residue is subtracted at the end.
#pragma once

namespace aegis {
namespace AEGIS_SET {

/** Residues of n signed words. */
inline void fromInt32(u32* dst, const u32* values, std::size_t n, u32 q) {
  const Word qv = V::splat(q);
  const Constant one = constant(1, q);
  const u32 bias = 0x80000000u;
  const Word biasResidue = V::splat(bias % q);
  std::size_t i = 0;
  for (; i + L <= n; i += L) {
    const Word x = reduceOnce(shoup(V::add(V::load(values + i), V::splat(bias)), one, qv), qv);
    V::store(dst + i, liftOnce(V::sub(x, biasResidue), qv));
  }
  for (; i < n; i++) dst[i] = static_cast<u32>(((static_cast<u64>(values[i] + bias) + q) - bias % q) % q);
}

/** Residues of n doubles that hold integers x, |x| < 2^62: a Montgomery step and a product that undoes its factor. */
inline void fromDoubles(u32* dst, const double* values, std::size_t n, u32 q, u32 qInverse) {
  const u64 bias = static_cast<u64>(1) << 62;
  const u32 radix = static_cast<u32>((static_cast<u64>(1) << 32) % q);
  const u32 radixQuotient = quotient(radix, q);
  const u32 biasResidue = static_cast<u32>(bias % q);
  for (std::size_t i = 0; i < n; i++) {
    const u64 x = static_cast<u64>(static_cast<long long>(values[i])) + bias;
    const u32 m = static_cast<u32>(x) * qInverse;
    const u32 reduced = static_cast<u32>(x >> 32) + q - static_cast<u32>(static_cast<u64>(m) * q >> 32);
    u32 r = reduced * radix - static_cast<u32>(static_cast<u64>(reduced) * radixQuotient >> 32) * q;
    r = r < q ? r : r - q;
    dst[i] = r < biasResidue ? r + q - biasResidue : r - biasResidue;
  }
}

}  // namespace AEGIS_SET
}  // namespace aegis
