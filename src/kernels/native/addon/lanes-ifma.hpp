// Values modulo q < 2^30 in eight 64-bit lanes, multiplied 52 bits at a time (AVX-512 IFMA), and the transform's tables for them.
//
// A product with a constant w is two low and one high product, for any y below 2^52:
//   y·w − floor(y·w'/2^52)·q in [0, 2q),  w' = floor(w·2^52/q),
// Shoup's with 2^52 in place of 2^32. Sums of these may grow to 2^52 before they are reduced, so that butterflies have no
// conditional subtractions. What is above bit 52 of a lane is of no meaning: multiplications do not look at it.
#pragma once

namespace aegis {
namespace AEGIS_SET {
namespace ifma {

using Lanes = V::Wide;
constexpr int width = 8;

/** A prime as vectors want it. */
struct Modulus {
  Lanes q;
  /** 2^52 − q: products with it subtract. */
  Lanes minus;
  /** floor(2^52/q). */
  Lanes reciprocal;
  Lanes lowWords;
  Word word;
  u64 value;
};

AEGIS_INLINE Lanes splat(u64 x) { return V::splatWide(x); }
AEGIS_INLINE Lanes add(Lanes a, Lanes b) { return _mm512_add_epi64(a, b); }
AEGIS_INLINE Lanes subtract(Lanes a, Lanes b) { return _mm512_sub_epi64(a, b); }
/** sum + the low, or the high, 52 bits of a·b. */
AEGIS_INLINE Lanes addLow(Lanes sum, Lanes a, Lanes b) { return _mm512_madd52lo_epu64(sum, a, b); }
AEGIS_INLINE Lanes addHigh(Lanes sum, Lanes a, Lanes b) { return _mm512_madd52hi_epu64(sum, a, b); }

AEGIS_INLINE Modulus modulusOf(u32 q) {
  constexpr u64 radix = static_cast<u64>(1) << 52;
  return {splat(q), splat(radix - q), splat(radix / q), splat(0xffffffff), V::splat(q), q};
}

/** x modulo q in [0, 2q), for x below 2^52. */
AEGIS_INLINE Lanes reduce(Lanes x, const Modulus& m) { return addLow(x, addHigh(V::zero(), x, m.reciprocal), m.minus); }

/** A constant in every lane, or one in each. */
struct Factor {
  Lanes w;
  /** floor(w·2^52/q). */
  Lanes quotient;
};

/** sum + y·w mod q, the product in [0, 2q). */
AEGIS_INLINE Lanes addProduct(Lanes sum, Lanes y, const Factor& f, const Modulus& m) {
  return addLow(addLow(sum, y, f.w), addHigh(V::zero(), y, f.quotient), m.minus);
}

/** The even and the odd words of a vector. */
AEGIS_INLINE Lanes evenWords(Word x, const Modulus& m) { return _mm512_and_si512(x, m.lowWords); }
AEGIS_INLINE Lanes oddWords(Word x) { return _mm512_srli_epi64(x, 32); }

/** Words that a register pass takes at once, and the order in which its groups lie in the lanes of a transposed vector. */
constexpr std::size_t blockWords = 64;
constexpr int groupOfLane[width] = {0, 2, 1, 3, 4, 6, 5, 7};

/** Row r of the result has the lanes r of x. */
AEGIS_INLINE void transpose(Lanes* x) {
  Lanes y[width];
  for (int i = 0; i < width; i += 2) {
    y[i] = _mm512_unpacklo_epi64(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi64(x[i], x[i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    const Lanes a = _mm512_shuffle_i64x2(y[i], y[2 + i], 0x88);
    const Lanes b = _mm512_shuffle_i64x2(y[i], y[2 + i], 0xdd);
    const Lanes c = _mm512_shuffle_i64x2(y[4 + i], y[6 + i], 0x88);
    const Lanes d = _mm512_shuffle_i64x2(y[4 + i], y[6 + i], 0xdd);
    x[i] = _mm512_shuffle_i64x2(a, c, 0x88);
    x[4 + i] = _mm512_shuffle_i64x2(a, c, 0xdd);
    x[2 + i] = _mm512_shuffle_i64x2(b, d, 0x88);
    x[6 + i] = _mm512_shuffle_i64x2(b, d, 0xdd);
  }
}

// Twiddle table, in 64-bit words; W(k) as in `transform.hpp`.
//   head: W(k) and its quotient at 2k for k < n/8, the stages of distance 8 and more;
//   tail: for every block of 64 values, for each stage of distance 4, 2, 1 the quotients of the first twiddles of its eight
//   groups, lane l that of group groupOfLane[l]. The twiddle is the quotient times q, divided by 2^52 and rounded up.
constexpr std::size_t tailLength = 3 * width;

inline std::size_t headLength(int logN) { return static_cast<std::size_t>(2) << (logN - 3); }

inline std::size_t tableWords(int logN) {
  return 2 * (headLength(logN) + ((static_cast<std::size_t>(1) << logN) / blockWords) * tailLength);
}

inline u64 quotient52(u32 w, u32 q) {
  // In two steps of 26 bits: the remainder of the first is below q.
  const u64 shifted = static_cast<u64>(w) << 26;
  return ((shifted / q) << 26) + ((shifted % q) << 26) / q;
}

/** Fills the table for q and the primitive 2n-th root ψ. */
inline void makeTable(u32* table, int logN, u32 q, u32 psi) {
  const u32 n = 1u << logN;
  const Powers powers(logN, q, psi);
  u64* const head = reinterpret_cast<u64*>(table);
  head[0] = 1;
  for (u32 k = 1; k < n / width; k++) {
    const u32 w = powers.next(k, static_cast<u32>(head[2 * withoutHighestBit(k)]));
    head[2 * k] = w;
    head[2 * k + 1] = quotient52(w, q);
  }
  head[0] = head[1] = 0;
  u64* tail = head + headLength(logN);
  for (u32 block = 0; block < n / blockWords; block++) {
    for (int s = 0; s < 3; s++) {
      const u32 ofBlock = powers.at(n / blockWords + block, s + 3);
      for (const int group : groupOfLane) {
        *tail++ = quotient52(multiplyModulo(ofBlock, powers.at(static_cast<u32>(group), s), q), q);
      }
    }
  }
}

AEGIS_INLINE Factor headFactor(const u64* table, std::size_t k) { return {splat(table[2 * k]), splat(table[2 * k + 1])}; }

/** The twiddles of stage s of a block. */
AEGIS_INLINE Factor tailFactor(const u64* tail, int s, const Modulus& m) {
  const Lanes quotient = _mm512_loadu_si512(tail + width * s);
  return {addHigh(splat(1), quotient, m.q), quotient};
}

/** How far ahead is read, in blocks of the table and of the source, and in panels: found by trying. */
constexpr std::size_t tableAhead = 16;
constexpr std::size_t sourceAhead = 32;
constexpr std::size_t panelsAhead = 3;

/** Words of a part: what is transformed while it stays in the first cache, after stages over panels of columns. */
constexpr int logPart = 10;
constexpr std::size_t partWords = std::size_t{1} << logPart;

}  // namespace ifma
}  // namespace AEGIS_SET
}  // namespace aegis
