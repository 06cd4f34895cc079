// Four words in the vector extension of GCC and Clang: for processors without a set of their own here.
#pragma once
#include <cstring>

#include "words.hpp"

namespace aegis {
namespace AEGIS_SET {

#define AEGIS_INLINE inline __attribute__((always_inline))

struct V {
  static constexpr int log = 2;
  static constexpr int lanes = 4;
  static constexpr const char* name = "portable";
  typedef u32 Word __attribute__((vector_size(16)));
  /** Two 64-bit lanes: of the even, or of the odd words. */
  typedef u64 Wide __attribute__((vector_size(16)));

  static AEGIS_INLINE Word load(const u32* p) {
    Word x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static AEGIS_INLINE void store(u32* p, Word x) { std::memcpy(p, &x, sizeof x); }
  static AEGIS_INLINE Word splat(u32 x) { return Word{x, x, x, x}; }
  static AEGIS_INLINE Word add(Word a, Word b) { return a + b; }
  static AEGIS_INLINE Word sub(Word a, Word b) { return a - b; }
  static AEGIS_INLINE Word min(Word a, Word b) { return a < b ? a : b; }
  static AEGIS_INLINE Word mulLow(Word a, Word b) { return a * b; }
  static AEGIS_INLINE Word mulHigh(Word a, Word b) {
    Word r;
    for (int i = 0; i < 4; i++) r[i] = static_cast<u32>(static_cast<u64>(a[i]) * b[i] >> 32);
    return r;
  }
  static AEGIS_INLINE Word mulHighSplat(Word a, Word b) { return mulHigh(a, b); }
  static AEGIS_INLINE Word rotateLeft(Word x, int by) { return (x << by) | (x >> (32 - by)); }
  static AEGIS_INLINE Word bitXor(Word a, Word b) { return a ^ b; }
  /** The odd words in the even places. */
  static AEGIS_INLINE Word odd(Word x) { return Word{x[1], x[1], x[3], x[3]}; }

  static AEGIS_INLINE Wide zero() { return Wide{0, 0}; }
  static AEGIS_INLINE Wide splatWide(u64 x) { return Wide{x, x}; }
  /** acc + the products of the even words. */
  static AEGIS_INLINE Wide multiplyAdd(Wide acc, Word a, Word b) {
    return acc + Wide{static_cast<u64>(a[0]) * b[0], static_cast<u64>(a[2]) * b[2]};
  }
  /** High words that reach t lose it; `by` is t in the high words. */
  static AEGIS_INLINE Wide fold(Wide acc, Wide by) {
    const Wide less = acc - by;
    return acc < by ? acc : less;
  }
  static AEGIS_INLINE Word lows(Wide even, Wide odd) {
    return Word{static_cast<u32>(even[0]), static_cast<u32>(odd[0]), static_cast<u32>(even[1]), static_cast<u32>(odd[1])};
  }
  static AEGIS_INLINE Word highs(Wide even, Wide odd) {
    return Word{static_cast<u32>(even[0] >> 32), static_cast<u32>(odd[0] >> 32), static_cast<u32>(even[1] >> 32),
                static_cast<u32>(odd[1] >> 32)};
  }
  /** Each word divided by 2^24. */
  static AEGIS_INLINE Word shiftRight24(Word x) { return x >> 24; }

  static AEGIS_INLINE void transpose(Word (&x)[4]) {
    const Word a{x[0][0], x[1][0], x[2][0], x[3][0]}, b{x[0][1], x[1][1], x[2][1], x[3][1]};
    const Word c{x[0][2], x[1][2], x[2][2], x[3][2]}, d{x[0][3], x[1][3], x[2][3], x[3][3]};
    x[0] = a, x[1] = b, x[2] = c, x[3] = d;
  }
  /** Word i of the result is word order[i] of x. */
  static AEGIS_INLINE Word permute(Word x, Word order) { return Word{x[order[0]], x[order[1]], x[order[2]], x[order[3]]}; }
  /** Stores the words that are at most `last` at p, one after another; gives their number. May write a whole vector. */
  static AEGIS_INLINE u32 storeKept(u32* p, Word x, Word kept, Word last) {
    u32 count = 0;
    for (int i = 0; i < 4; i++) {
      p[count] = x[i];
      count += kept[i] <= last[i];
    }
    return count;
  }
};

}  // namespace AEGIS_SET
}  // namespace aegis
