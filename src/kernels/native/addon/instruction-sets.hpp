// The kernels that were compiled in, and which of them this processor and system can run.
#pragma once
#include <vector>

#include "kernels.hpp"

namespace aegis {

/** Those that can run here, the best first; portable ones always. Found out once. */
const std::vector<const Kernels*>& availableKernels();

}  // namespace aegis
