#define AEGIS_SET portable
#include "vector-portable.hpp"
#include "kernels-of-set.hpp"

namespace aegis {
extern const Kernels portableKernels;
const Kernels portableKernels = portable::kernels();
}  // namespace aegis
