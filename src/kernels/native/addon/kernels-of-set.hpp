// All kernels for the instruction set AEGIS_SET, whose vector was included before.
#pragma once

#if defined(__clang__)
#define AEGIS_LAMBDA
#else
#define AEGIS_LAMBDA __attribute__((always_inline))
#endif

#include "vector-arithmetic.hpp"
#include "transform.hpp"
#include "elementwise.hpp"
#include "sums.hpp"
#include "conversion.hpp"
#include "permutation.hpp"
#include "stream.hpp"
#include "residues.hpp"

namespace aegis {
namespace AEGIS_SET {

constexpr Kernels kernels() {
  return {V::name,
          2 * logL,
          twiddleWords,
          makeTwiddles,
          forwardTransform,
          subtractTransform,
          inverseTransform,
          logL,
          permutationWords,
          makePermutation,
          permute,
          permuteAdd,
          add,
          subtract,
          negate,
          multiply,
          multiplyScalar,
          multiplyScalarAdd,
          addScalar,
          subtractMultiplyScalar,
          expand,
          sum,
          nullptr,
          convertBlock,
          uniform,
          fromInt32,
          fromDoubles};
}

}  // namespace AEGIS_SET
}  // namespace aegis
