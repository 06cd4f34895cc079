// Sixteen words of AVX-512 (F, BW, DQ, VL).
#pragma once
#include <immintrin.h>

#include "words.hpp"

namespace aegis {
namespace AEGIS_SET {

#define AEGIS_INLINE inline __attribute__((always_inline))

struct V {
  static constexpr int log = 4;
  static constexpr int lanes = 16;
  static constexpr const char* name = "avx512";
  using Word = __m512i;
  /** Eight 64-bit lanes: of the even, or of the odd words. */
  using Wide = __m512i;
  static constexpr __mmask16 evenLanes = 0x5555;
  static constexpr __mmask16 oddLanes = 0xaaaa;

  static AEGIS_INLINE Word load(const u32* p) { return _mm512_loadu_si512(p); }
  static AEGIS_INLINE void store(u32* p, Word x) { _mm512_storeu_si512(p, x); }
  static AEGIS_INLINE Word splat(u32 x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static AEGIS_INLINE Word add(Word a, Word b) { return _mm512_add_epi32(a, b); }
  static AEGIS_INLINE Word sub(Word a, Word b) { return _mm512_sub_epi32(a, b); }
  static AEGIS_INLINE Word min(Word a, Word b) { return _mm512_min_epu32(a, b); }
  static AEGIS_INLINE Word mulLow(Word a, Word b) { return _mm512_mullo_epi32(a, b); }
  static AEGIS_INLINE Word mulHighSplat(Word a, Word b) {
    return highs(_mm512_mul_epu32(a, b), _mm512_mul_epu32(odd(a), b));
  }
  static AEGIS_INLINE Word mulHigh(Word a, Word b) {
    return highs(_mm512_mul_epu32(a, b), _mm512_mul_epu32(odd(a), odd(b)));
  }
  static AEGIS_INLINE Word rotateLeft(Word x, int by) { return _mm512_rolv_epi32(x, splat(static_cast<u32>(by))); }
  static AEGIS_INLINE Word bitXor(Word a, Word b) { return _mm512_xor_si512(a, b); }
  /** The odd words in the even places. */
  static AEGIS_INLINE Word odd(Word x) { return _mm512_shuffle_epi32(x, static_cast<_MM_PERM_ENUM>(0xf5)); }

  static AEGIS_INLINE Wide zero() { return _mm512_setzero_si512(); }
  static AEGIS_INLINE Wide splatWide(u64 x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
  /** acc + the products of the even words. */
  static AEGIS_INLINE Wide multiplyAdd(Wide acc, Word a, Word b) { return _mm512_add_epi64(acc, _mm512_mul_epu32(a, b)); }
  /** High words that reach t lose it; `by` is t in the high words. */
  static AEGIS_INLINE Wide fold(Wide acc, Wide by) { return _mm512_min_epu32(acc, _mm512_sub_epi32(acc, by)); }
  static AEGIS_INLINE Word lows(Wide even, Wide odd) {
    return _mm512_mask_shuffle_epi32(even, oddLanes, odd, static_cast<_MM_PERM_ENUM>(0xa0));
  }
  static AEGIS_INLINE Word highs(Wide even, Wide odd) {
    return _mm512_mask_shuffle_epi32(odd, evenLanes, even, static_cast<_MM_PERM_ENUM>(0xf5));
  }
  /** Each word divided by 2^24. */
  static AEGIS_INLINE Word shiftRight24(Word x) { return _mm512_srli_epi32(x, 24); }

  static AEGIS_INLINE void transpose(Word (&x)[16]) {
    Word y[16];
    for (int i = 0; i < 16; i += 2) {
      y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
      y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
      x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
      x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
      x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
      x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    // x[4i + j] holds in its quarter c the words 4c + j of rows 4i … 4i + 3: a 4 × 4 transpose of quarters is left.
    for (int j = 0; j < 4; j++) {
      y[j] = _mm512_shuffle_i32x4(x[j], x[j + 4], 0x88);
      y[j + 4] = _mm512_shuffle_i32x4(x[j], x[j + 4], 0xdd);
      y[j + 8] = _mm512_shuffle_i32x4(x[j + 8], x[j + 12], 0x88);
      y[j + 12] = _mm512_shuffle_i32x4(x[j + 8], x[j + 12], 0xdd);
    }
    for (int j = 0; j < 4; j++) {
      x[j] = _mm512_shuffle_i32x4(y[j], y[j + 8], 0x88);
      x[j + 8] = _mm512_shuffle_i32x4(y[j], y[j + 8], 0xdd);
      x[j + 4] = _mm512_shuffle_i32x4(y[j + 4], y[j + 12], 0x88);
      x[j + 12] = _mm512_shuffle_i32x4(y[j + 4], y[j + 12], 0xdd);
    }
  }
  /** Word i of the result is word order[i] of x. */
  static AEGIS_INLINE Word permute(Word x, Word order) { return _mm512_permutexvar_epi32(order, x); }
  /** Stores the words that are at most `last` at p, one after another; gives their number. May write a whole vector. */
  static AEGIS_INLINE u32 storeKept(u32* p, Word x, Word kept, Word last) {
    const __mmask16 mask = _mm512_cmple_epu32_mask(kept, last);
    // Compressing in a register and a whole store: the compressing store is microcoded on some processors.
    store(p, _mm512_maskz_compress_epi32(mask, x));
    return static_cast<u32>(__builtin_popcount(mask));
  }
};

}  // namespace AEGIS_SET
}  // namespace aegis
