// X → X^g in NTT domain. Value i is taken at the odd power 2·bitrev(i)+1. Within an aligned block of
// `lanes` values the powers differ by multiples of 2n/lanes, which g keeps: blocks go to blocks in one of
// `lanes` orders, named by the highest bits of the first source position before its reversal.
#pragma once

namespace aegis {
namespace AEGIS_SET {

/** Words of a table: the orders, then for each block the first word of its source block plus its order. */
inline std::size_t permutationWords(int logN) { return L * L + (static_cast<std::size_t>(1) << logN >> logL); }

inline void makePermutation(u32* table, int logN, u32 g) {
  for (u32 t = 0; t < L; t++) {
    for (u32 k = 0; k < L; k++) table[t * L + k] = reverseBits((t + g * reverseBits(k, logL)) & (L - 1), logL);
  }
  const u32 n = 1u << logN;
  for (u32 block = 0; block < n >> logL; block++) {
    const u32 power = 2 * reverseBits(block << logL, logN) + 1;
    const u32 source = ((power * g) >> 1) & (n - 1);
    table[L * L + block] = (reverseBits(source, logN) & ~static_cast<u32>(L - 1)) | (source >> (logN - logL));
  }
}

/** Values `start` to `start + n` of dst, n a multiple of `lanes`. */
inline void permute(u32* dst, const u32* a, const u32* table, std::size_t start, std::size_t n) {
  const u32* entry = table + L * L + (start >> logL);
  for (std::size_t i = start; i < start + n; i += L) {
    const u32 e = *entry++;
    const u32 order = e & (L - 1);
    V::store(dst + i, V::permute(V::load(a + (e - order)), V::load(table + L * order)));
  }
}

/** As {@link permute}, added to dst modulo q. */
inline void permuteAdd(u32* dst, const u32* a, const u32* table, std::size_t start, std::size_t n, u32 q) {
  const Word qv = V::splat(q);
  const u32* entry = table + L * L + (start >> logL);
  for (std::size_t i = start; i < start + n; i += L) {
    const u32 e = *entry++;
    const u32 order = e & (L - 1);
    const Word moved = V::permute(V::load(a + (e - order)), V::load(table + L * order));
    V::store(dst + i, reduceOnce(V::add(V::load(dst + i), moved), qv));
  }
}

}  // namespace AEGIS_SET
}  // namespace aegis
