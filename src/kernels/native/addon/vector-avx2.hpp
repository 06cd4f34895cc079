// Eight words of AVX2.
#pragma once
#include <immintrin.h>

#include "words.hpp"

namespace aegis {
namespace AEGIS_SET {

#define AEGIS_INLINE inline __attribute__((always_inline))

struct V {
  static constexpr int log = 3;
  static constexpr int lanes = 8;
  static constexpr const char* name = "avx2";
  using Word = __m256i;
  /** Four 64-bit lanes: of the even, or of the odd words. */
  using Wide = __m256i;

  static AEGIS_INLINE Word load(const u32* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static AEGIS_INLINE void store(u32* p, Word x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static AEGIS_INLINE Word splat(u32 x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static AEGIS_INLINE Word add(Word a, Word b) { return _mm256_add_epi32(a, b); }
  static AEGIS_INLINE Word sub(Word a, Word b) { return _mm256_sub_epi32(a, b); }
  static AEGIS_INLINE Word min(Word a, Word b) { return _mm256_min_epu32(a, b); }
  static AEGIS_INLINE Word mulLow(Word a, Word b) { return _mm256_mullo_epi32(a, b); }
  static AEGIS_INLINE Word mulHighSplat(Word a, Word b) {
    return highs(_mm256_mul_epu32(a, b), _mm256_mul_epu32(odd(a), b));
  }
  static AEGIS_INLINE Word mulHigh(Word a, Word b) {
    return highs(_mm256_mul_epu32(a, b), _mm256_mul_epu32(odd(a), odd(b)));
  }
  static AEGIS_INLINE Word rotateLeft(Word x, int by) {
    return _mm256_or_si256(_mm256_slli_epi32(x, by), _mm256_srli_epi32(x, 32 - by));
  }
  static AEGIS_INLINE Word bitXor(Word a, Word b) { return _mm256_xor_si256(a, b); }
  /** The odd words in the even places. */
  static AEGIS_INLINE Word odd(Word x) { return _mm256_shuffle_epi32(x, 0xf5); }

  static AEGIS_INLINE Wide zero() { return _mm256_setzero_si256(); }
  static AEGIS_INLINE Wide splatWide(u64 x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  /** acc + the products of the even words. */
  static AEGIS_INLINE Wide multiplyAdd(Wide acc, Word a, Word b) { return _mm256_add_epi64(acc, _mm256_mul_epu32(a, b)); }
  /** High words that reach t lose it; `by` is t in the high words. */
  static AEGIS_INLINE Wide fold(Wide acc, Wide by) { return _mm256_min_epu32(acc, _mm256_sub_epi32(acc, by)); }
  static AEGIS_INLINE Word lows(Wide even, Wide odd) { return _mm256_blend_epi32(even, _mm256_shuffle_epi32(odd, 0xa0), 0xaa); }
  static AEGIS_INLINE Word highs(Wide even, Wide odd) { return _mm256_blend_epi32(_mm256_shuffle_epi32(even, 0xf5), odd, 0xaa); }
  /** Each word divided by 2^24. */
  static AEGIS_INLINE Word shiftRight24(Word x) { return _mm256_srli_epi32(x, 24); }

  static AEGIS_INLINE void transpose(Word (&x)[8]) {
    Word y[8];
    for (int i = 0; i < 8; i += 2) {
      y[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
      y[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      x[i] = _mm256_unpacklo_epi64(y[i], y[i + 2]);
      x[i + 1] = _mm256_unpackhi_epi64(y[i], y[i + 2]);
      x[i + 2] = _mm256_unpacklo_epi64(y[i + 1], y[i + 3]);
      x[i + 3] = _mm256_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
      y[i] = _mm256_permute2x128_si256(x[i], x[i + 4], 0x20);
      y[i + 4] = _mm256_permute2x128_si256(x[i], x[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++) x[i] = y[i];
  }
  /** Word i of the result is word order[i] of x. */
  static AEGIS_INLINE Word permute(Word x, Word order) { return _mm256_permutevar8x32_epi32(x, order); }
  /** Stores the words that are at most `last` at p, one after another; gives their number. May write a whole vector. */
  static AEGIS_INLINE u32 storeKept(u32* p, Word x, Word kept, Word last) {
    alignas(32) u32 words[8], test[8], bound[8];
    store(words, x), store(test, kept), store(bound, last);
    u32 count = 0;
    for (int i = 0; i < 8; i++) {
      p[count] = words[i];
      count += test[i] <= bound[i];
    }
    return count;
  }
};

}  // namespace AEGIS_SET
}  // namespace aegis
