#define AEGIS_SET avx2
#include "vector-avx2.hpp"
#include "kernels-of-set.hpp"

namespace aegis {
extern const Kernels avx2Kernels;
constexpr Kernels avx2Kernels = avx2::kernels();
}  // namespace aegis
