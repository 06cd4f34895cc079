// The transform of degrees too small for blocks of registers: W(k) as pairs of words at 2·k, one value after another.
#pragma once

#include "words.hpp"

namespace aegis {
namespace small {

inline std::size_t twiddleWords(int logN) { return static_cast<std::size_t>(2) << logN; }

inline void makeTwiddles(u32* table, int logN, u32 q, u32 psi) {
  table[0] = table[1] = 0;
  for (int s = 0; s < logN; s++) {
    u32 step = psi;
    for (int e = s + 1; e < logN; e++) step = multiplyModulo(step, step, q);
    for (u32 j = 0; j < 1u << s; j++) {
      const u32 w = multiplyModulo(j == 0 ? 1 : table[2 * j], step, q);
      const u32 k = (1u << s) + j;
      table[2 * k] = w;
      table[2 * k + 1] = quotient(w, q);
    }
  }
}

/** y·w mod q in [0, q). */
inline u32 times(u32 y, const u32* w, u32 q) {
  const u32 r = y * w[0] - static_cast<u32>(static_cast<u64>(y) * w[1] >> 32) * q;
  return r < q ? r : r - q;
}

inline void forwardTransform(u32* x, const u32* table, int logN, u32 q, const u32*) {
  const u32 n = 1u << logN;
  for (u32 m = 1, d = n / 2; m < n; m *= 2, d /= 2) {
    for (u32 i = 0; i < m; i++) {
      for (u32 *a = x + 2 * d * i, *end = a + d; a < end; a++) {
        const u32 t = times(a[d], table + 2 * (m + i), q);
        const u32 u = *a;
        *a = u + t < q ? u + t : u + t - q;
        a[d] = u < t ? u + q - t : u - t;
      }
    }
  }
}

inline void inverseTransform(u32* x, const u32* src, const u32* table, int logN, u32 q, u32 scale) {
  const u32 n = 1u << logN;
  for (u32 i = 0; i < n; i++) x[i] = src[i];
  for (u32 m = n / 2, d = 1; m > 0; m /= 2, d *= 2) {
    for (u32 i = 0; i < m; i++) {
      for (u32 *a = x + 2 * d * i, *end = a + d; a < end; a++) {
        const u32 u = *a;
        const u32 v = a[d];
        *a = u + v < q ? u + v : u + v - q;
        // ψ^-bitrev(m+i) = −ψ^bitrev(2m−1−i).
        a[d] = times(v + q - u, table + 2 * (2 * m - 1 - i), q);
      }
    }
  }
  for (u32 i = 0; i < n; i++) x[i] = multiplyModulo(x[i], scale, q);
}

}  // namespace small
}  // namespace aegis
