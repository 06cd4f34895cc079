// The forward transform in 64-bit lanes: for processors on which the low half of a 32-bit product is slow.
//
// Values come and go as words in [0, q). Stages of distance 1024 and more go over panels of 16 columns, the others over
// parts of 1024 values, four stages over columns and six in registers; between both, values are words below 2q again.
#pragma once
#include "lanes-ifma.hpp"

namespace aegis {
namespace AEGIS_SET {
namespace ifma {

/** x + y·w and x − y·w. x is at least 2q for every stage that is still to come before it is reduced. */
AEGIS_INLINE void forwardButterfly(Lanes& x, Lanes& y, const Factor& w, const Modulus& m) {
  const Lanes twice = add(x, x);
  x = addProduct(x, y, w, m);
  y = subtract(twice, x);
}

/** `stages` stages on `sets` times 2^stages vectors; the first multiplies by W(k) of each set. */
template <int stages, int sets, int s = 0>
AEGIS_INLINE void forwardStages(Lanes* v, const u64* table, const std::size_t (&k)[sets], const Modulus& m) {
  if constexpr (s < stages) {
    constexpr int distance = 1 << (stages - 1 - s);
#pragma GCC unroll 2
    for (int set = 0; set < sets; set++) {
#pragma GCC unroll 16
      for (int j = 0; j < 1 << s; j++) {
        const Factor w = headFactor(table, (k[set] << s) + static_cast<std::size_t>(j));
#pragma GCC unroll 16
        for (int i = 0; i < distance; i++) {
          Lanes* const x = v + (set << stages) + 2 * distance * j + i;
          forwardButterfly(x[0], x[distance], w, m);
        }
      }
    }
    forwardStages<stages, sets, s + 1>(v, table, k, m);
  }
}

/** The stages of distance 4, 2 and 1 of two blocks, transposed: see `forwardTail` of `transform.hpp`. */
template <int s = 0>
AEGIS_INLINE void forwardTail(Lanes* v, const u64* table, const u64* tail, const Modulus& m) {
  if constexpr (s < 3) {
    constexpr int distance = 1 << (2 - s);
#pragma GCC unroll 2
    for (int set = 0; set < 2; set++) {
      const Factor w = tailFactor(tail + tailLength * static_cast<std::size_t>(set), s, m);
#pragma GCC unroll 8
      for (int j = 0; j < 1 << s; j++) {
#pragma GCC unroll 8
        for (int i = 0; i < distance; i++) {
          Lanes* const x = v + width * set + 2 * distance * j + i;
          if (j > 0) x[distance] = addProduct(V::zero(), x[distance], headFactor(table, static_cast<std::size_t>(j)), m);
          forwardButterfly(x[0], x[distance], w, m);
        }
      }
    }
    forwardTail<s + 1>(v, table, tail, m);
  }
}

/**
 * The first stages, first + second of them, of 2^(first+second) rows `stride` words apart, 16 columns at a time: both kinds of
 * words of a vector are transformed side by side.
 */
template <int first, int second>
void forwardPanels(u32* x, std::size_t stride, const u64* table, const Modulus& m) {
  constexpr std::size_t outer = std::size_t{1} << first;
  constexpr std::size_t inner = std::size_t{1} << second;
  const Lanes offset = splat(2 * m.value * (first + second));
  alignas(64) u64 panel[outer * inner][2][width];
  for (std::size_t c = 0; c < stride; c += L) {
    for (std::size_t i = 0; i < inner; i++) {
      Lanes v[2 * outer];
#pragma GCC unroll 16
      for (std::size_t r = 0; r < outer; r++) {
        const u32* const at = x + (r * inner + i) * stride + c;
        __builtin_prefetch(at + panelsAhead * L, 0, 2);
        v[r] = evenWords(V::load(at), m);
        v[outer + r] = oddWords(V::load(at));
        if (r >= outer / 2) continue;
        v[r] = add(v[r], offset);
        v[outer + r] = add(v[outer + r], offset);
      }
      forwardStages<first, 2>(v, table, {1, 1}, m);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < outer; r++) {
        if constexpr (second == 0) {
          V::store(x + r * stride + c, V::lows(reduce(v[r], m), reduce(v[outer + r], m)));
        } else {
          _mm512_store_si512(panel[r * inner + i][0], v[r]);
          _mm512_store_si512(panel[r * inner + i][1], v[outer + r]);
        }
      }
    }
    if constexpr (second > 0) {
      for (std::size_t r = 0; r < outer; r++) {
        Lanes v[2 * inner];
#pragma GCC unroll 16
        for (std::size_t i = 0; i < inner; i++) {
          v[i] = _mm512_load_si512(panel[r * inner + i][0]);
          v[inner + i] = _mm512_load_si512(panel[r * inner + i][1]);
        }
        forwardStages<second, 2>(v, table, {outer + r, outer + r}, m);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < inner; i++) {
          V::store(x + (r * inner + i) * stride + c, V::lows(reduce(v[i], m), reduce(v[inner + i], m)));
        }
      }
    }
  }
}

/** The last six stages of two blocks, to words; k and tail are those of the first. Two, so that neither waits for itself. */
template <class End>
AEGIS_INLINE void forwardBlocks(const u64* from, u32* x, const u64* table, std::size_t k, const u64* tail, const Modulus& m, const End& end) {
  Lanes v[2 * width];
#pragma GCC unroll 16
  for (int r = 0; r < 2 * width; r++) v[r] = _mm512_load_si512(from + width * r);
  forwardStages<3, 2>(v, table, {k, k + 1}, m);
  Lanes u[2 * width];
#pragma GCC unroll 16
  for (int r = 0; r < 2 * width; r++) u[r] = v[r / width * width + groupOfLane[r % width]];
  transpose(u);
  transpose(u + width);
  forwardTail(u, table, tail, m);
  const Lanes lower = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
  const Lanes upper = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
#pragma GCC unroll 2
  for (int set = 0; set < 2; set++, x += blockWords) {
    // Word pairs of every group, then whole groups.
    Word pairs[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      const Lanes* const at = u + width * set + 2 * i;
      pairs[i] = reduceOnce(V::lows(reduce(at[0], m), reduce(at[1], m)), m.word);
    }
    const Lanes a = _mm512_unpacklo_epi64(pairs[0], pairs[1]);
    const Lanes b = _mm512_unpackhi_epi64(pairs[0], pairs[1]);
    const Lanes c = _mm512_unpacklo_epi64(pairs[2], pairs[3]);
    const Lanes d = _mm512_unpackhi_epi64(pairs[2], pairs[3]);
    end.store(x, _mm512_permutex2var_epi64(a, lower, c));
    end.store(x + L, _mm512_permutex2var_epi64(b, lower, d));
    end.store(x + 2 * L, _mm512_permutex2var_epi64(a, upper, c));
    end.store(x + 3 * L, _mm512_permutex2var_epi64(b, upper, d));
  }
}

template <class End>
void forwardParts(u32* x, std::size_t n, const u64* table, const u64* tail, const Modulus& m, const End& end) {
  const std::size_t parts = n / partWords;
  constexpr std::size_t stride = partWords / 16;
  const Lanes offset = splat(2 * m.value * logPart);
  alignas(64) u64 values[partWords];
  for (std::size_t part = 0; part < parts; part++, x += partWords) {
    for (std::size_t c = 0; c < stride; c += width) {
      Lanes v[16];
#pragma GCC unroll 16
      for (std::size_t r = 0; r < 16; r++) {
        v[r] = _mm512_cvtepu32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + r * stride + c)));
        if (r < 8) v[r] = add(v[r], offset);
      }
      forwardStages<4, 1>(v, table, {parts + part}, m);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < 16; r++) _mm512_store_si512(values + r * stride + c, v[r]);
    }
    for (std::size_t i = 0; i < partWords; i += 2 * blockWords) {
      if (i % (L * L) == 0) end.prefetch(x + i);
      const std::size_t block = (part * partWords + i) / blockWords;
      for (std::size_t line = 0; line < 2 * tailLength; line += 8) __builtin_prefetch(tail + (block + tableAhead) * tailLength + line);
      forwardBlocks(values + i, x + i, table, n / blockWords + block, tail + block * tailLength, m, end);
    }
  }
}

template <class End>
void forwardInto(u32* x, const u32* words, int logN, u32 q, const End& end) {
  const Modulus m = modulusOf(q);
  const u64* const table = reinterpret_cast<const u64*>(words);
  const std::size_t n = std::size_t{1} << logN;
  switch (logN - logPart) {
    case 0: break;
    case 1: forwardPanels<1, 0>(x, partWords, table, m); break;
    case 2: forwardPanels<2, 0>(x, partWords, table, m); break;
    case 3: forwardPanels<3, 0>(x, partWords, table, m); break;
    case 4: forwardPanels<2, 2>(x, partWords, table, m); break;
    case 5: forwardPanels<3, 2>(x, partWords, table, m); break;
    case 6: forwardPanels<3, 3>(x, partWords, table, m); break;
    default: forwardPanels<3, 4>(x, partWords, table, m);
  }
  forwardParts(x, n, table, table + headLength(logN), m, end);
}

}  // namespace ifma
}  // namespace AEGIS_SET
}  // namespace aegis
