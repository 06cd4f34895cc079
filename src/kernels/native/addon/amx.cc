// AVX-512, with transforms by 52-bit multiplication and base conversions on the tile registers of AMX.
#define AEGIS_SET amx
#include "vector-avx512.hpp"
#include "kernels-of-set.hpp"
#include "conversion-amx.hpp"
#include "transform-ifma.hpp"

namespace aegis {

namespace {

constexpr Kernels amxSet() {
  Kernels kernels = amx::ifma::kernels();
  kernels.name = "amx";
  kernels.prepareConversion = amx::prepareTiles;
  kernels.convertBlock = amx::convertBlockByTiles;
  return kernels;
}

}  // namespace

extern const Kernels amxKernels;
constexpr Kernels amxKernels = amxSet();

}  // namespace aegis
