// AVX-512, with base conversions on the tile registers of AMX.
#define AEGIS_SET amx
#include "vector-avx512.hpp"
#include "kernels-of-set.hpp"
#include "conversion-amx.hpp"

namespace aegis {

namespace {

constexpr Kernels amxSet() {
  Kernels kernels = amx::kernels();
  kernels.name = "amx";
  kernels.prepareConversion = amx::prepareTiles;
  kernels.convertBlock = amx::convertBlockByTiles;
  return kernels;
}

}  // namespace

extern const Kernels amxKernels;
constexpr Kernels amxKernels = amxSet();

}  // namespace aegis
