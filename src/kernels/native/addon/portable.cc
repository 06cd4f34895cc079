#define AEGIS_SET portable
#include "vector-portable.hpp"
#include "kernels-of-set.hpp"

namespace aegis {
extern const Kernels portableKernels;
constexpr Kernels portableKernels = portable::kernels();
}  // namespace aegis
