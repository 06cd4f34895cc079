// The inverse transform in 64-bit lanes; see `forward-ifma.hpp`.
//
// A butterfly makes x + y and (y − x)·W. Lanes have no sign, so y has to be at least as large as x may be: some values are
// read, or products begun, with a multiple of q more. Which ones is worked out by the compiler, for every set of stages.
#pragma once
#include "lanes-ifma.hpp"

namespace aegis {
namespace AEGIS_SET {
namespace ifma {

/** Multiples of q that are added to the rows of some stages, and the multiple of q that nothing reaches after them. */
template <int stages>
struct Offsets {
  /** To each row as it is read. */
  u64 read[1 << stages] = {};
  /** To the product that each stage, that of the least distance first, leaves in a row. */
  u64 product[stages][1 << stages] = {};
  u64 bound = 0;
};

/** For rows below `bound`·q. */
template <int stages>
constexpr Offsets<stages> offsetsFor(u64 bound) {
  constexpr int rows = 1 << stages;
  Offsets<stages> offsets{};
  while (true) {
    u64 least[rows] = {};
    u64 most[rows] = {};
    // What to raise when a row is too small: the last of the values that it is a sum of.
    u64* raises[rows] = {};
    for (int r = 0; r < rows; r++) {
      least[r] = offsets.read[r];
      most[r] = bound + offsets.read[r];
      raises[r] = offsets.read + r;
    }
    bool enough = true;
    for (int t = 0; t < stages && enough; t++) {
      for (int x = 0; x < rows && enough; x++) {
        const int y = x + (1 << t);
        if ((x >> t & 1) != 0) continue;
        if (least[y] < most[x]) {
          *raises[y] += most[x] - least[y];
          enough = false;
          continue;
        }
        least[x] += least[y];
        most[x] += most[y];
        raises[x] = raises[y];
        raises[y] = offsets.product[t] + y;
        least[y] = *raises[y];
        most[y] = *raises[y] + 2;
      }
    }
    if (!enough) continue;
    for (int r = 0; r < rows; r++) offsets.bound = most[r] > offsets.bound ? most[r] : offsets.bound;
    return offsets;
  }
}

template <int stages, u64 bound>
constexpr Offsets<stages> offsetsOf = offsetsFor<stages>(bound);

AEGIS_INLINE Lanes multipleOf(const Modulus& m, u64 times) { return times == 0 ? V::zero() : splat(m.value * times); }

/** A row as stages on values below bound·q want it. */
template <int stages, u64 bound>
AEGIS_INLINE Lanes withOffset(Lanes x, std::size_t row, const Modulus& m) {
  const u64 times = offsetsOf<stages, bound>.read[row];
  return times == 0 ? x : add(x, multipleOf(m, times));
}

AEGIS_INLINE void inverseButterfly(Lanes& x, Lanes& y, const Factor& w, u64 offset, const Modulus& m) {
  const Lanes difference = subtract(y, x);
  x = add(x, y);
  y = addProduct(multipleOf(m, offset), difference, w, m);
}

/**
 * As forwardStages, upwards; k are the mirrored indices of the sets at their coarsest stage. The results of the last of all
 * stages are scaled: by scales[0], and by scales[1], which is in place of the twiddle.
 */
template <int stages, u64 bound, int sets, bool last, int t = 0>
AEGIS_INLINE void inverseStages(Lanes* v, const u64* table, const std::size_t (&k)[sets], const Factor* scales, const Modulus& m) {
  if constexpr (t < stages) {
    constexpr int s = stages - 1 - t;
    constexpr int distance = 1 << t;
#pragma GCC unroll 2
    for (int set = 0; set < sets; set++) {
#pragma GCC unroll 16
      for (int j = 0; j < 1 << s; j++) {
        const Factor w = last && s == 0 ? scales[1] : headFactor(table, (k[set] << s) + static_cast<std::size_t>((1 << s) - 1 - j));
#pragma GCC unroll 16
        for (int i = 0; i < distance; i++) {
          const int row = 2 * distance * j + i;
          Lanes* const x = v + (set << stages) + row;
          const u64 offset = last && s == 0 ? 0 : offsetsOf<stages, bound>.product[t][row + distance];
          inverseButterfly(x[0], x[distance], w, offset, m);
          if constexpr (last && s == 0) x[0] = addProduct(V::zero(), x[0], scales[0], m);
        }
      }
    }
    inverseStages<stages, bound, sets, last, t + 1>(v, table, k, scales, m);
  }
}

/** As forwardTail, upwards, of values below q. */
template <int t = 0>
AEGIS_INLINE void inverseTail(Lanes* v, const u64* table, const u64* const (&tails)[2], const Modulus& m) {
  if constexpr (t < 3) {
    constexpr int s = 2 - t;
    constexpr int distance = 1 << t;
#pragma GCC unroll 2
    for (int set = 0; set < 2; set++) {
      const Factor w = tailFactor(tails[set], s, m);
#pragma GCC unroll 8
      for (int j = 0; j < 1 << s; j++) {
        const int mirrored = (1 << s) - 1 - j;
#pragma GCC unroll 8
        for (int i = 0; i < distance; i++) {
          const int row = 2 * distance * j + i;
          Lanes* const x = v + width * set + row;
          Lanes difference = subtract(x[distance], x[0]);
          x[0] = add(x[0], x[distance]);
          if (mirrored > 0) difference = addProduct(V::zero(), difference, headFactor(table, static_cast<std::size_t>(mirrored)), m);
          x[distance] = addProduct(multipleOf(m, offsetsOf<3, 1>.product[t][row + distance]), difference, w, m);
        }
      }
    }
    inverseTail<t + 1>(v, table, tails, m);
  }
}

/** What values are below, in multiples of q: after the first three stages, after six, and after all of a part. */
constexpr u64 tailBound = offsetsOf<3, 1>.bound;
constexpr u64 blockBound = offsetsOf<3, tailBound>.bound;
static_assert(offsetsOf<4, blockBound>.bound < u64{1} << 22, "values stay below 2^52");

/** The first six stages of two blocks; k and tails are mirrored: the lanes of a transposed vector go from the last group to the first. */
AEGIS_INLINE void inverseBlocks(u64* to, const u32* from, const u64* table, const std::size_t (&k)[2], const u64* const (&tails)[2], const Modulus& m) {
  Lanes v[2 * width];
#pragma GCC unroll 2
  for (int set = 0; set < 2; set++, from += blockWords) {
    const Word rows[4] = {V::load(from), V::load(from + L), V::load(from + 2 * L), V::load(from + 3 * L)};
    const Lanes a = _mm512_shuffle_i64x2(rows[3], rows[1], 0x22);
    const Lanes b = _mm512_shuffle_i64x2(rows[2], rows[0], 0x22);
    const Lanes c = _mm512_shuffle_i64x2(rows[3], rows[1], 0x77);
    const Lanes d = _mm512_shuffle_i64x2(rows[2], rows[0], 0x77);
    const Word pairs[4] = {_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), _mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d)};
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; i++) {
      Lanes* const at = v + width * set + 2 * i;
      at[0] = withOffset<3, 1>(evenWords(pairs[i], m), 2 * i, m);
      at[1] = withOffset<3, 1>(oddWords(pairs[i]), 2 * i + 1, m);
    }
  }
  inverseTail(v, table, tails, m);
  transpose(v);
  transpose(v + width);
  Lanes u[2 * width];
#pragma GCC unroll 16
  for (int r = 0; r < 2 * width; r++) {
    const int group = width - 1 - groupOfLane[r % width];
    u[r / width * width + group] = withOffset<3, tailBound>(v[r], static_cast<std::size_t>(group), m);
  }
  inverseStages<3, tailBound, 2, false>(u, table, k, nullptr, m);
#pragma GCC unroll 16
  for (int r = 0; r < 2 * width; r++) _mm512_store_si512(to + width * r, u[r]);
}

/** All stages of parts, from `src`, to words below 2q; with `last` below q. */
template <bool last>
void inverseParts(u32* x, const u32* src, std::size_t n, const u64* table, const u64* tail, const Factor* scales, const Modulus& m) {
  const std::size_t parts = n / partWords;
  const std::size_t blocks = n / blockWords;
  constexpr std::size_t stride = partWords / 16;
  const Word order = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  alignas(64) u64 values[partWords];
  alignas(64) u64 half[16][width];
  for (std::size_t part = 0; part < parts; part++, x += partWords, src += partWords) {
    for (std::size_t i = 0; i < partWords; i += 2 * blockWords) {
      const std::size_t mirrored = blocks - 1 - (part * partWords + i) / blockWords;
      const u64* const at = tail + mirrored * tailLength;
      for (std::size_t line = 0; line < 2 * tailLength; line += 8) __builtin_prefetch(at - (tableAhead + 1) * tailLength + line);
      for (std::size_t line = 0; line < 2 * blockWords; line += 16) __builtin_prefetch(src + i + sourceAhead * blockWords + line, 0, 2);
      inverseBlocks(values + i, src + i, table, {blocks + mirrored, blocks + mirrored - 1}, {at, at - tailLength}, m);
    }
    for (std::size_t c = 0; c < stride; c += L) {
#pragma GCC unroll 2
      for (std::size_t side = 0; side < 2; side++) {
        Lanes v[16];
#pragma GCC unroll 16
        for (std::size_t r = 0; r < 16; r++) v[r] = withOffset<4, blockBound>(_mm512_load_si512(values + r * stride + c + side * width), r, m);
        inverseStages<4, blockBound, 1, last>(v, table, {2 * parts - 1 - part}, scales, m);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < 16; r++) {
          if constexpr (!last) v[r] = reduce(v[r], m);
          if (side == 0) {
            _mm512_store_si512(half[r], v[r]);
          } else {
            const Word both = _mm512_permutex2var_epi32(_mm512_load_si512(half[r]), order, v[r]);
            V::store(x + r * stride + c, last ? reduceOnce(both, m.word) : both);
          }
        }
      }
    }
  }
}

/** The last stages, as forwardPanels upwards, of words below 2q. */
template <int first, int second>
void inversePanels(u32* x, std::size_t stride, const u64* table, const Factor* scales, const Modulus& m) {
  constexpr std::size_t outer = std::size_t{1} << first;
  constexpr std::size_t inner = std::size_t{1} << second;
  constexpr u64 bound = second > 0 ? offsetsFor<second>(2).bound : 2;
  static_assert(offsetsOf<first, bound>.bound < u64{1} << 22, "values stay below 2^52");
  alignas(64) u64 panel[outer * inner][2][width];
  for (std::size_t c = 0; c < stride; c += L) {
    if constexpr (second > 0) {
      for (std::size_t r = 0; r < outer; r++) {
        Lanes v[2 * inner];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < inner; i++) {
          const u32* const at = x + (r * inner + i) * stride + c;
          __builtin_prefetch(at + panelsAhead * L, 0, 2);
          v[i] = withOffset<second, 2>(evenWords(V::load(at), m), i, m);
          v[inner + i] = withOffset<second, 2>(oddWords(V::load(at)), i, m);
        }
        inverseStages<second, 2, 2, false>(v, table, {2 * outer - 1 - r, 2 * outer - 1 - r}, scales, m);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < inner; i++) {
          _mm512_store_si512(panel[r * inner + i][0], v[i]);
          _mm512_store_si512(panel[r * inner + i][1], v[inner + i]);
        }
      }
    }
    for (std::size_t i = 0; i < inner; i++) {
      Lanes v[2 * outer];
#pragma GCC unroll 16
      for (std::size_t r = 0; r < outer; r++) {
        const std::size_t row = r * inner + i;
        const Word words = second > 0 ? V::zero() : V::load(x + row * stride + c);
        v[r] = withOffset<first, bound>(second > 0 ? _mm512_load_si512(panel[row][0]) : evenWords(words, m), r, m);
        v[outer + r] = withOffset<first, bound>(second > 0 ? _mm512_load_si512(panel[row][1]) : oddWords(words), r, m);
      }
      inverseStages<first, bound, 2, true>(v, table, {1, 1}, scales, m);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < outer; r++) {
        V::store(x + (r * inner + i) * stride + c, reduceOnce(V::lows(v[r], v[outer + r]), m.word));
      }
    }
  }
}

inline void inverseInto(u32* x, const u32* src, const u32* words, int logN, u32 q, u32 scale) {
  const Modulus m = modulusOf(q);
  const u64* const table = reinterpret_cast<const u64*>(words);
  const u64* const tail = table + headLength(logN);
  const std::size_t n = std::size_t{1} << logN;
  const u32 turned = multiplyModulo(scale, static_cast<u32>(table[2]), q);
  const Factor scales[2] = {{splat(scale), splat(quotient52(scale, q))}, {splat(turned), splat(quotient52(turned, q))}};
  if (logN == logPart) return inverseParts<true>(x, src, n, table, tail, scales, m);
  inverseParts<false>(x, src, n, table, tail, scales, m);
  switch (logN - logPart) {
    case 1: return inversePanels<1, 0>(x, partWords, table, scales, m);
    case 2: return inversePanels<2, 0>(x, partWords, table, scales, m);
    case 3: return inversePanels<3, 0>(x, partWords, table, scales, m);
    case 4: return inversePanels<2, 2>(x, partWords, table, scales, m);
    case 5: return inversePanels<3, 2>(x, partWords, table, scales, m);
    case 6: return inversePanels<3, 3>(x, partWords, table, scales, m);
    default: return inversePanels<3, 4>(x, partWords, table, scales, m);
  }
}

}  // namespace ifma
}  // namespace AEGIS_SET
}  // namespace aegis
