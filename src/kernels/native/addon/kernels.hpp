// The kernels of one instruction set, and what they work on. Lengths and strides are in words.
#pragma once
#include <vector>

#include "words.hpp"

namespace aegis {

/** Coefficients that a base conversion works through at a time, and the words of a row of scratch: one line of padding. */
constexpr std::size_t conversionBlock = 2048;
constexpr std::size_t conversionRow = conversionBlock + 16;

/** One sum, or two that share their first operands: dst[k] = [dst[k] +] Σ_t a_t·b_k,t·2^-32. */
struct SumTask {
  u32* dst[2];
  int results;
  /** For each term its first operand and then those of the results. */
  const u32* const* terms;
  std::size_t count;
  bool accumulate;
  /** Whether the sum is multiplied by a plain residue before it is added. */
  bool scaled;
  u32 scale;
  /** Where not null, `lift` times this is added to the result. */
  const u32* lifted[2];
  u32 lift;
  /** Where not null, this is added to the first result. */
  const u32* added;
};

struct ConversionSource {
  u32 q;
  u32 inverse;
  u32 quotient;
  u32 fraction;
};

struct ConversionTarget {
  u32 q;
  u32 qInverse;
  SumPlan plan;
};

/** Bytes of factors as tile registers take them. */
struct alignas(64) Tile {
  unsigned char bytes[1024] = {};
};

struct Conversion {
  std::vector<ConversionSource> sources;
  std::vector<ConversionTarget> targets;
  /** For each target those of the sources and of v, times 2^32. */
  std::vector<u32> factors;
  /** Made by `prepareConversion`, where a set has it: factors, and 1/q of each target. */
  std::vector<Tile> tiles;
  std::vector<float> inverses;
};

struct Kernels {
  const char* name;
  /** Least log2 of the degree that transforms, permutations and tables are for. */
  int leastLogN;
  std::size_t (*twiddleWords)(int logN);
  void (*makeTwiddles)(u32* table, int logN, u32 q, u32 psi);
  /** `next`: what will be transformed then, so that it can be read ahead; may be null. */
  void (*forwardTransform)(u32* x, const u32* table, int logN, u32 q, const u32* next);
  /** dst = (a − transform of x)·s. */
  void (*subtractTransform)(u32* dst, const u32* a, u32* x, const u32* table, int logN, u32 q, u32 s, const u32* next);
  /** Of `src` into x, which may be the same. */
  void (*inverseTransform)(u32* x, const u32* src, const u32* table, int logN, u32 q, u32 scale);
  int leastPermutedLogN;
  std::size_t (*permutationWords)(int logN);
  void (*makePermutation)(u32* table, int logN, u32 g);
  void (*permute)(u32* dst, const u32* a, const u32* table, std::size_t start, std::size_t n);
  /** As permute, added to dst. */
  void (*permuteAdd)(u32* dst, const u32* a, const u32* table, std::size_t start, std::size_t n, u32 q);
  void (*add)(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q);
  void (*subtract)(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q);
  void (*negate)(u32* dst, const u32* a, std::size_t n, u32 q);
  void (*multiply)(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q, u32 qInverse);
  void (*multiplyScalar)(u32* dst, const u32* a, std::size_t n, u32 q, u32 s);
  void (*multiplyScalarAdd)(u32* dst, const u32* a, std::size_t n, u32 q, u32 s);
  void (*addScalar)(u32* dst, const u32* a, std::size_t n, u32 q, u32 s);
  void (*subtractMultiplyScalar)(u32* dst, const u32* a, const u32* b, std::size_t n, u32 q, u32 s);
  void (*expand)(u32* dst, const u32* a, std::size_t n, int logRun);
  void (*sum)(const SumTask& task, std::size_t n, u32 q, u32 qInverse, int logRun);
  /** Makes what `convertBlock` wants besides; may be null. */
  void (*prepareConversion)(Conversion& c);
  void (*convertBlock)(u32* dst, std::size_t dstStride, const u32* src, std::size_t srcStride, const Conversion& c, u32* rows, std::size_t n);
  void (*uniform)(u32* dst, std::size_t n, u32 q, const u32* state);
  void (*fromInt32)(u32* dst, const u32* values, std::size_t n, u32 q);
  void (*fromDoubles)(u32* dst, const double* values, std::size_t n, u32 q, u32 qInverse);
};

}  // namespace aegis
