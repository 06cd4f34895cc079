#define AEGIS_SET avx512
#include "vector-avx512.hpp"
#include "kernels-of-set.hpp"

namespace aegis {
extern const Kernels avx512Kernels;
constexpr Kernels avx512Kernels = avx512::kernels();
}  // namespace aegis
