// The negacyclic number-theoretic transform and its inverse (Harvey's lazy butterflies), n ≥ lanes².
//
// A block is lanes² values: lanes vectors that stay in registers for the last 2·log(lanes) stages.
// Earlier stages go over columns, log(lanes) of them at a time, depth first, so that what a pass
// over a part leaves in the cache is where the next pass begins.
//
// Twiddle table. W(k) is the pair of words (ψ^bitrev(k), its Shoup quotient), k in [1, n).
//   head: W(k) at 2·k words for k < n/lanes, the stages of distance `lanes` and more;
//   tail: for every block, for each stage of distance lanes/2, …, 1 a vector of w and a vector of
//   quotients, lane l being the first twiddle of group l of the block (a group: `lanes` values).
// Stage s of a group has 2^s twiddles, W(2^s·m + j) = W(2^s·m)·W(j): the others are the first one times
// constants. A product more for each of these is cheaper than to read tables four times as large: the
// tables of all primes of a chain together are larger than a cache.
// The inverse needs ψ^-bitrev(m+i) = −ψ^bitrev(2m−1−i) and reads the same table backwards: blocks
// from the last, groups of a block from the last, so that lanes agree.
#pragma once

namespace aegis {
namespace AEGIS_SET {

constexpr int L = V::lanes;
constexpr int logL = V::log;

/** Words of the tail of one block. */
constexpr std::size_t tailWords = 2 * logL * L;

inline std::size_t headWords(int logN) { return static_cast<std::size_t>(2) << (logN - logL); }

inline std::size_t twiddleWords(int logN) { return headWords(logN) + (static_cast<std::size_t>(1) << (logN - 2 * logL)) * tailWords; }

/** The powers W(k) of the primitive 2n-th root ψ. */
class Powers {
 public:
  Powers(int logN, u32 q, u32 psi) : q_(q) {
    u32 power = psi;
    for (int bit = logN - 1; bit >= 0; bit--, power = multiplyModulo(power, power, q)) ofBit_[bit] = power;
  }

  /** W(k) from W of k without its highest bit, which is 1 where nothing is left of it. */
  u32 next(u32 k, u32 ofRest) const { return multiplyModulo(ofRest, ofBit_[31 - __builtin_clz(k)], q_); }

  /** W(k·2^shift). */
  u32 at(u32 k, int shift) const {
    u32 w = 1;
    for (int bit = 0; k >> bit != 0; bit++) {
      if ((k >> bit & 1) != 0) w = multiplyModulo(w, ofBit_[bit + shift], q_);
    }
    return w;
  }

 private:
  u32 q_;
  /** What each bit of an index contributes: bit s contributes ψ^(n/2^(s+1)). */
  u32 ofBit_[32] = {};
};

/** Fills the table for q and the primitive 2n-th root ψ. */
inline void makeTwiddles(u32* table, int logN, u32 q, u32 psi) {
  const u32 n = 1u << logN;
  const Powers powers(logN, q, psi);
  table[0] = 1;
  for (u32 k = 1; k < n >> logL; k++) {
    table[2 * k] = powers.next(k, table[2 * withoutHighestBit(k)]);
    table[2 * k + 1] = quotient(table[2 * k], q);
  }
  table[0] = table[1] = 0;
  u32* tail = table + headWords(logN);
  for (u32 block = 0; block < n >> (2 * logL); block++, tail += tailWords) {
    for (int s = 0; s < logL; s++) {
      const u32 ofBlock = powers.at((n >> (2 * logL)) + block, s + logL);
      for (u32 lane = 0; lane < L; lane++) {
        const u32 w = multiplyModulo(ofBlock, powers.at(lane, s), q);
        tail[2 * L * s + lane] = w;
        tail[2 * L * s + L + lane] = quotient(w, q);
      }
    }
  }
}

/** Multiples of q in every lane. */
struct Bounds {
  Word q;
  Word twice;
  Word four;
};

AEGIS_INLINE Bounds boundsOf(u32 q) { return {V::splat(q), V::splat(2 * q), V::splat(4 * q)}; }

/**
 * x + y·w and x − y·w. With `narrow`, q < 2^29: x below 8q, brought below 4q by every second stage
 * (`reduce`), the others let it grow from 6q to 8q. Otherwise x below 4q, brought below 2q.
 */
template <bool narrow, bool reduce>
AEGIS_INLINE void forwardButterfly(Word& x, Word& y, Word t, const Bounds& b) {
  if constexpr (!narrow) x = reduceOnce(x, b.twice);
  if constexpr (narrow && reduce) x = reduceOnce(x, b.four);
  y = V::sub(V::add(x, b.twice), t);
  x = V::add(x, t);
}

AEGIS_INLINE Constant headTwiddle(const u32* table, std::size_t k) {
  return {V::splat(table[2 * k]), V::splat(table[2 * k + 1])};
}

/** 2^stages vectors through as many stages; the first multiplies by W(k). */
template <int stages, bool narrow, int s = 0>
AEGIS_INLINE void forwardStages(Word* v, const u32* table, std::size_t k, const Bounds& b) {
  if constexpr (s < stages) {
    constexpr int distance = 1 << (stages - 1 - s);
#pragma GCC unroll 16
    for (int j = 0; j < 1 << s; j++) {
      const Constant w = headTwiddle(table, (k << s) + j);
#pragma GCC unroll 16
      for (int i = 0; i < distance; i++) {
        Word& x = v[2 * distance * j + i];
        Word& y = v[2 * distance * j + i + distance];
        forwardButterfly<narrow, s % 2 == 0>(x, y, shoup(y, w, b.q), b);
      }
    }
    forwardStages<stages, narrow, s + 1>(v, table, k, b);
  }
}

/** The stages of distance lanes/2 … 1 on transposed vectors; `twiddles` is the tail of the block. */
template <bool narrow, int s = 0>
AEGIS_INLINE void forwardTail(Word* v, const u32* table, const u32* twiddles, const Bounds& b) {
  if constexpr (s < logL) {
    constexpr int distance = 1 << (logL - 1 - s);
    const Word w = V::load(twiddles + 2 * L * s);
    const Word ws = V::load(twiddles + 2 * L * s + L);
#pragma GCC unroll 16
    for (int j = 0; j < 1 << s; j++) {
      const Constant constant = headTwiddle(table, j);
#pragma GCC unroll 16
      for (int i = 0; i < distance; i++) {
        Word& x = v[2 * distance * j + i];
        Word& y = v[2 * distance * j + i + distance];
        const Word factor = j == 0 ? y : shoup(y, constant, b.q);
        forwardButterfly<narrow, s % 2 == 0>(x, y, shoup(factor, w, ws, b.q), b);
      }
    }
    forwardTail<narrow, s + 1>(v, table, twiddles, b);
  }
}

template <int stages, bool narrow>
void forwardColumns(u32* x, std::size_t length, const u32* table, std::size_t k, const Bounds& b) {
  constexpr int rows = 1 << stages;
  const std::size_t stride = length >> stages;
  for (std::size_t c = 0; c < stride; c += L) {
    Word v[rows];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
      v[r] = V::load(x + r * stride + c);
    }
    forwardStages<stages, narrow>(v, table, k, b);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) V::store(x + r * stride + c, v[r]);
  }
}

/** Words that are wanted next, brought into the second cache while the last stages need no memory; null for none. */
struct Next {
  const u32* words;

  /** Those of a block, `offset` words on. */
  AEGIS_INLINE void prefetch(std::ptrdiff_t offset) const {
    if (words == nullptr) return;
    for (int i = 0; i < L * L; i += 16) __builtin_prefetch(words + offset + i, 0, 2);
  }
};

/** What a forward transform ends in: its values stay where they are. `prefetch` is called for every block. */
struct InPlace {
  const u32* x;
  Next next;

  AEGIS_INLINE void prefetch(const u32* at) const { next.prefetch(at - x); }
  AEGIS_INLINE void store(u32* at, Word value) const { V::store(at, value); }
};

/** (a − value)·s, to dst: while other blocks are transformed, memory brings a. */
struct SubtractFrom {
  const u32* x;
  const u32* a;
  u32* dst;
  Constant scalar;
  Word q;
  Next next;

  AEGIS_INLINE void prefetch(const u32* at) const {
    for (int i = 0; i < L * L; i += 16) __builtin_prefetch(a + (at - x) + L * L + i);
    next.prefetch(at - x);
  }
  AEGIS_INLINE void store(u32* at, Word value) const {
    const std::size_t i = static_cast<std::size_t>(at - x);
    const Word difference = V::sub(V::add(V::load(a + i), q), value);
    V::store(dst + i, reduceOnce(shoup(difference, scalar, q), q));
  }
};

template <bool narrow, class End>
void forwardBlock(u32* x, const u32* table, std::size_t k, const u32* tail, const Bounds& b, const End& end) {
  end.prefetch(x);
  for (std::size_t i = 0; i < tailWords; i += 16) __builtin_prefetch(tail + 2 * tailWords + i);
  Word v[L];
#pragma GCC unroll 16
  for (int r = 0; r < L; r++) v[r] = V::load(x + r * L);
  forwardStages<logL, narrow>(v, table, k, b);
  V::transpose(v);
  forwardTail<narrow>(v, table, tail, b);
#pragma GCC unroll 16
  for (int r = 0; r < L; r++) {
    if constexpr (narrow) v[r] = reduceOnce(v[r], b.four);
    v[r] = reduceOnce(reduceOnce(v[r], b.twice), b.q);
  }
  V::transpose(v);
#pragma GCC unroll 16
  for (int r = 0; r < L; r++) end.store(x + r * L, v[r]);
}

/** Part k − m of the m parts of n/m values that earlier stages left; `tail` is that of its first block. */
template <bool narrow, class End>
void forwardPart(u32* x, int logLength, const u32* table, std::size_t k, const u32* tail, const Bounds& b, const End& end) {
  if (logLength == 2 * logL) return forwardBlock<narrow>(x, table, k, tail, b, end);
  const int above = logLength - 2 * logL;
  const int stages = above % logL == 0 ? logL : above % logL;
  const std::size_t length = static_cast<std::size_t>(1) << logLength;
  if (stages == logL) {
    forwardColumns<logL, narrow>(x, length, table, k, b);
  } else {
    if (stages == 1) forwardColumns<1, narrow>(x, length, table, k, b);
    if constexpr (logL > 2)
      if (stages == 2) forwardColumns<2, narrow>(x, length, table, k, b);
    if constexpr (logL > 3)
      if (stages == 3) forwardColumns<3, narrow>(x, length, table, k, b);
  }
  const std::size_t part = length >> stages;
  for (std::size_t r = 0; r < static_cast<std::size_t>(1) << stages; r++) {
    forwardPart<narrow>(x + r * part, logLength - stages, table, (k << stages) + r, tail + r * (part >> (2 * logL)) * tailWords, b, end);
  }
}

template <class End>
void forwardInto(u32* x, const u32* table, int logN, u32 q, const End& end) {
  const Bounds b = boundsOf(q);
  const u32* tail = table + headWords(logN);
  if (q < 1u << 29) forwardPart<true>(x, logN, table, 1, tail, b, end);
  else forwardPart<false>(x, logN, table, 1, tail, b, end);
}

/** Forward transform in place: coefficients in natural order, values in bit-reversed order, all in [0, q). */
inline void forwardTransform(u32* x, const u32* table, int logN, u32 q, const u32* next) {
  forwardInto(x, table, logN, q, InPlace{x, {next}});
}

/** dst = (a − transform of x)·s, all in [0, q); x is of no use afterwards, dst may be a or x. */
inline void subtractTransform(u32* dst, const u32* a, u32* x, const u32* table, int logN, u32 q, u32 s, const u32* next) {
  forwardInto(x, table, logN, q, SubtractFrom{x, a, dst, constant(s, q), V::splat(q), {next}});
}

/** x + y and (y − x)·W of values below 2q, below 2q; W is that of the mirrored index. */
AEGIS_INLINE void sumAndDifference(Word& x, Word& y, const Bounds& b) {
  const Word difference = V::sub(V::add(y, b.twice), x);
  x = reduceOnce(V::add(x, y), b.twice);
  y = difference;
}

/** As forwardTail, upwards. */
template <int s = logL - 1>
AEGIS_INLINE void inverseTail(Word* v, const u32* table, const u32* twiddles, const Bounds& b) {
  constexpr int distance = 1 << (logL - 1 - s);
  const Word w = V::load(twiddles + 2 * L * s);
  const Word ws = V::load(twiddles + 2 * L * s + L);
#pragma GCC unroll 16
  for (int j = 0; j < 1 << s; j++) {
    const int mirrored = (1 << s) - 1 - j;
    const Constant constant = headTwiddle(table, mirrored);
#pragma GCC unroll 16
    for (int i = 0; i < distance; i++) {
      Word& x = v[2 * distance * j + i];
      Word& y = v[2 * distance * j + i + distance];
      sumAndDifference(x, y, b);
      y = shoup(mirrored == 0 ? y : shoup(y, constant, b.q), w, ws, b.q);
    }
  }
  if constexpr (s > 0) inverseTail<s - 1>(v, table, twiddles, b);
}

/**
 * As forwardStages, upwards; `k` is the mirrored index of the part at its coarsest stage, `last`
 * scales the results of the last of all stages.
 */
template <int stages, bool last, int s = stages - 1>
AEGIS_INLINE void inverseStages(Word* v, const u32* table, std::size_t k, const Bounds& b, const Constant* scales) {
  constexpr int distance = 1 << (stages - 1 - s);
#pragma GCC unroll 16
  for (int j = 0; j < 1 << s; j++) {
    const Constant w = last && s == 0 ? scales[1] : headTwiddle(table, (k << s) + ((1 << s) - 1 - j));
#pragma GCC unroll 16
    for (int i = 0; i < distance; i++) {
      Word& x = v[2 * distance * j + i];
      Word& y = v[2 * distance * j + i + distance];
      sumAndDifference(x, y, b);
      y = shoup(y, w, b.q);
      if constexpr (last && s == 0) {
        x = reduceOnce(shoup(x, scales[0], b.q), b.q);
        y = reduceOnce(y, b.q);
      }
    }
  }
  if constexpr (s > 0) inverseStages<stages, last, s - 1>(v, table, k, b, scales);
}

template <int stages, bool last>
void inverseColumns(u32* x, std::size_t length, const u32* table, std::size_t k, const Bounds& b, const Constant* scales) {
  constexpr int rows = 1 << stages;
  const std::size_t stride = length >> stages;
  for (std::size_t c = 0; c < stride; c += L) {
    Word v[rows];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) v[r] = V::load(x + r * stride + c);
    inverseStages<stages, last>(v, table, k, b, scales);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) V::store(x + r * stride + c, v[r]);
  }
}

/** Vectors are taken from the last: lane l of the transposed ones then is that of the mirrored group. */
template <bool last>
void inverseBlock(u32* x, const u32* src, const u32* table, std::size_t k, const u32* tail, const Bounds& b, const Constant* scales) {
  // Of the blocks that come next: nothing else is read ahead here.
  for (int i = 0; i < L * L; i += 16) __builtin_prefetch(src + 2 * L * L + i);
  for (std::size_t i = 0; i < tailWords; i += 16) __builtin_prefetch(tail - 2 * tailWords + i);
  Word v[L];
#pragma GCC unroll 16
  for (int r = 0; r < L; r++) v[r] = V::load(src + (L - 1 - r) * L);
  V::transpose(v);
  inverseTail(v, table, tail, b);
  V::transpose(v);
  Word u[L];
#pragma GCC unroll 16
  for (int r = 0; r < L; r++) u[r] = v[L - 1 - r];
  inverseStages<logL, last>(u, table, k, b, scales);
#pragma GCC unroll 16
  for (int r = 0; r < L; r++) V::store(x + r * L, u[r]);
}

/** `k` and `tail` are those of the mirrored part: the last block of this part reads the first tail. */
template <bool last>
void inversePart(u32* x, const u32* src, int logLength, const u32* table, std::size_t k, const u32* tail, const Bounds& b, const Constant* scales) {
  if (logLength == 2 * logL) return inverseBlock<last>(x, src, table, k, tail, b, scales);
  const int above = logLength - 2 * logL;
  const int stages = above % logL == 0 ? logL : above % logL;
  const std::size_t length = static_cast<std::size_t>(1) << logLength;
  const std::size_t part = length >> stages;
  const std::size_t parts = static_cast<std::size_t>(1) << stages;
  for (std::size_t r = 0; r < parts; r++) {
    const std::size_t mirrored = parts - 1 - r;
    inversePart<false>(x + r * part, src + r * part, logLength - stages, table, (k << stages) + mirrored,
                       tail + mirrored * (part >> (2 * logL)) * tailWords, b, scales);
  }
  if (stages == logL) {
    inverseColumns<logL, last>(x, length, table, k, b, scales);
  } else {
    if (stages == 1) inverseColumns<1, last>(x, length, table, k, b, scales);
    if constexpr (logL > 2)
      if (stages == 2) inverseColumns<2, last>(x, length, table, k, b, scales);
    if constexpr (logL > 3)
      if (stages == 3) inverseColumns<3, last>(x, length, table, k, b, scales);
  }
}

/** Inverse transform of `src` into x, which may be the same: values in bit-reversed order, coefficients in natural order; `scale` is 1/n mod q. */
inline void inverseTransform(u32* x, const u32* src, const u32* table, int logN, u32 q, u32 scale) {
  const Bounds b = boundsOf(q);
  const Constant scales[2] = {constant(scale, q), constant(multiplyModulo(scale, table[2], q), q)};
  inversePart<true>(x, src, logN, table, 1, table + headWords(logN), b, scales);
}

}  // namespace AEGIS_SET
}  // namespace aegis
