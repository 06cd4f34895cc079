// Base conversion with the tile registers of AMX: a product of matrices of bytes, then one reduction for each result.
//
// A word y is four bytes y_d, and a factor f times 2^8d modulo the target's prime is four bytes f_de again, so that
//   Σ_k y_k·f_k ≡ Σ_e 2^8e·s_e  with  s_e = Σ_k Σ_d y_kd·f_kde,
// and the s_e of 16 coefficients, four for each of four targets, are one tile: sums of 64 products of bytes for every
// 16 sources. Rows of words are the right-hand operand as they lie in memory. Sums need no folding: with the 25 terms of the
// largest conversion s_e is below 2^23, and all four together, below 25500·q, have a quotient that a float holds.
#pragma once
#include "conversion.hpp"

namespace aegis {
namespace AEGIS_SET {

/** Terms, which are words of a coefficient, that a tile holds: 64 bytes. */
constexpr std::size_t tileTerms = 16;
/** Targets whose sums fill the 16 rows of a tile. */
constexpr std::size_t tileTargets = 4;
/** Fewer sources than this are converted sooner without tiles. */
constexpr std::size_t leastTileSources = 7;

/** What LDTILECFG reads. */
struct TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t startRow = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t rowBytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

inline std::size_t termTiles(const Conversion& c) { return (c.sources.size() + tileTerms) / tileTerms; }

/** Tiles of factors: for each four targets as many as the terms, sources and v, take; a row for each target and byte e. */
inline void prepareTiles(Conversion& c) {
  if (c.sources.size() < leastTileSources) return;
  const std::size_t terms = c.sources.size() + 1;
  const std::size_t tiles = termTiles(c);
  const std::size_t groups = (c.targets.size() + tileTargets - 1) / tileTargets;
  c.tiles.assign(groups * tiles, {});
  for (std::size_t j = 0; j < c.targets.size(); j++) {
    const u32 q = c.targets[j].q;
    c.inverses.push_back(1.0f / static_cast<float>(q));
    for (std::size_t k = 0; k < terms; k++) {
      // Factors are in Montgomery form: the high word of m·q takes 2^32 out.
      const u32 m = c.factors[j * terms + k] * c.targets[j].qInverse;
      const u32 high = static_cast<u32>(static_cast<u64>(m) * q >> 32);
      u64 factor = high == 0 ? 0 : q - high;
      unsigned char* const tile = c.tiles[j / tileTargets * tiles + k / tileTerms].bytes;
      for (std::size_t d = 0; d < 4; d++, factor = factor * 256 % q) {
        for (std::size_t e = 0; e < 4; e++) {
          const std::size_t row = 4 * (j % tileTargets) + e;
          tile[64 * row + 4 * (k % tileTerms) + d] = static_cast<unsigned char>(factor >> (8 * e));
        }
      }
    }
  }
}

/** Of each word the two or three low bytes, one or two places up: shifts are done by one unit, shuffles by another. */
struct BytesUp {
  Word one = _mm512_broadcast_i32x4(_mm_setr_epi8(-1, 0, 1, 2, -1, 4, 5, 6, -1, 8, 9, 10, -1, 12, 13, 14));
  Word two = _mm512_broadcast_i32x4(_mm_setr_epi8(-1, -1, 0, 1, -1, -1, 4, 5, -1, -1, 8, 9, -1, -1, 12, 13));
};

/** Four rows of sums, Σ_e 2^8e·s_e modulo q. The nearest quotient is right up to 0.01: what is left lies in (−q, q). */
AEGIS_INLINE Word reduceBytes(const u32* sums, u32 q, float inverse, const BytesUp& up) {
  const Word low = V::add(V::load(sums), _mm512_shuffle_epi8(V::load(sums + 16), up.one));
  const Word high = V::add(V::load(sums + 32), _mm512_shuffle_epi8(V::load(sums + 48), up.one));
  const __m512 ofHigh = _mm512_mul_ps(_mm512_cvtepu32_ps(high), _mm512_set1_ps(65536.0f * inverse));
  const Word quotient = _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepu32_ps(low), _mm512_set1_ps(inverse), ofHigh));
  const Word qv = V::splat(q);
  const Word sum = V::add(low, _mm512_shuffle_epi8(high, up.two));
  return liftOnce(V::sub(sum, V::mulLow(quotient, qv)), qv);
}

/** All targets from the rows of a block, 32 coefficients at a time: while a tile is filled, the one before is reduced. */
template <int tiles>
void convertRows(u32* dst, std::size_t dstStride, const u32* rows, const Conversion& c, std::size_t n) {
  // Registers: 0, 1 sums of either 16 coefficients; 2, 3 factors; 4, 5 words of the first 16 terms; 6, 7 of the others.
  const std::size_t terms = c.sources.size() + 1;
  const std::size_t first = terms < tileTerms ? terms : tileTerms;
  const std::size_t rest = terms - first;
  TileShapes shapes;
  const auto shape = [&](int tile, std::size_t height, std::size_t bytes) {
    shapes.rows[tile] = static_cast<std::uint8_t>(height);
    shapes.rowBytes[tile] = static_cast<std::uint16_t>(bytes);
  };
  for (int side = 0; side < 2; side++) {
    shape(side, 16, 64);
    shape(4 + side, first, 64);
    if (tiles > 1) shape(6 + side, rest, 64);
  }
  shape(2, 16, 4 * first);
  if (tiles > 1) shape(3, 16, 4 * rest);
  _tile_loadconfig(&shapes);
  const BytesUp up;
  constexpr std::size_t rowBytes = conversionRow * sizeof(u32);
  const std::size_t targets = c.targets.size();
  const std::size_t groups = (targets + tileTargets - 1) / tileTargets;
  alignas(64) u32 sums[2][2][sizeof(Tile) / sizeof(u32)];
  for (std::size_t i = 0; i < n; i += 2 * L) {
    _tile_loadd(4, rows + i, rowBytes);
    _tile_loadd(5, rows + i + L, rowBytes);
    if constexpr (tiles > 1) {
      _tile_loadd(6, rows + tileTerms * conversionRow + i, rowBytes);
      _tile_loadd(7, rows + tileTerms * conversionRow + i + L, rowBytes);
    }
    const auto fill = [&](std::size_t group) AEGIS_LAMBDA {
      const Tile* const factors = c.tiles.data() + group * tiles;
      _tile_zero(0);
      _tile_zero(1);
      _tile_loadd(2, factors, 64);
      _tile_dpbuud(0, 2, 4);
      _tile_dpbuud(1, 2, 5);
      if constexpr (tiles > 1) {
        _tile_loadd(3, factors + 1, 64);
        _tile_dpbuud(0, 3, 6);
        _tile_dpbuud(1, 3, 7);
      }
      _tile_stored(0, sums[group % 2][0], 64);
      _tile_stored(1, sums[group % 2][1], 64);
    };
    const auto reduce = [&](std::size_t group, std::size_t count) AEGIS_LAMBDA {
      for (std::size_t j = 0; j < count; j++) {
        const std::size_t target = tileTargets * group + j;
        for (std::size_t side = 0; side < 2; side++) {
          const u32* const at = sums[group % 2][side] + 64 * j;
          V::store(dst + target * dstStride + i + side * L, reduceBytes(at, c.targets[target].q, c.inverses[target], up));
        }
      }
    };
    fill(0);
    for (std::size_t group = 1; group < groups; group++) {
      fill(group);
      reduce(group - 1, tileTargets);
    }
    reduce(groups - 1, targets - tileTargets * (groups - 1));
  }
  _tile_release();
}

/** As {@link convertBlock}. */
inline void convertBlockByTiles(u32* dst, std::size_t dstStride, const u32* src, std::size_t srcStride, const Conversion& c, u32* rows, std::size_t n) {
  // Whole pairs of vectors are written.
  if (c.tiles.empty() || n % (2 * L) != 0) return convertBlock(dst, dstStride, src, srcStride, c, rows, n);
  prepareBlock(rows, src, srcStride, c, n);
  if (termTiles(c) == 1) convertRows<1>(dst, dstStride, rows, c, n);
  else convertRows<2>(dst, dstStride, rows, c, n);
}

}  // namespace AEGIS_SET
}  // namespace aegis
