// AVX-512, with transforms by 52-bit multiplication.
#define AEGIS_SET avx512ifma
#include "vector-avx512.hpp"
#include "kernels-of-set.hpp"
#include "transform-ifma.hpp"

namespace aegis {

namespace {

constexpr Kernels ifmaSet() {
  Kernels kernels = avx512ifma::ifma::kernels();
  kernels.name = "avx512ifma";
  return kernels;
}

}  // namespace

extern const Kernels avx512ifmaKernels;
constexpr Kernels avx512ifmaKernels = ifmaSet();

}  // namespace aegis
