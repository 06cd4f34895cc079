#include "instruction-sets.hpp"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace aegis {

extern const Kernels portableKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;
#if defined(AEGIS_IFMA)
extern const Kernels avx512ifmaKernels;
#endif
#if defined(AEGIS_AMX)
extern const Kernels amxKernels;
#endif
#endif

namespace {

#if defined(__x86_64__)
bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#endif

#if defined(AEGIS_AMX)
/** Whether there are tile registers of bytes and the system lets this process use them, all its threads from now on. */
bool hasTiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned tileRegisters = 1u << 24;
  constexpr unsigned tileBytes = 1u << 25;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & tileRegisters) == 0 || (d & tileBytes) == 0) return false;
  // ARCH_REQ_XCOMP_PERM of XFEATURE_XTILEDATA (Linux, Documentation/arch/x86/xstate.rst): tiles are off until asked for.
  constexpr long requestPermission = 0x1023;
  constexpr long tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
  return false;
#endif
}
#endif

#if defined(AEGIS_IFMA)
bool hasIfma() { return hasAvx512() && __builtin_cpu_supports("avx512ifma"); }

/** Seconds of a transform, the least of some. */
double transformSeconds(const Kernels& kernels) {
  constexpr int logN = 12;
  constexpr u32 q = 1073479681;  // 2^30 − 2^18 + 1
  std::vector<u32> table(kernels.twiddleWords(logN) + 64);
  std::vector<u32> values(std::size_t{1} << logN, 1);
  // Any root will do: a transform takes as long for every value.
  kernels.makeTwiddles(table.data(), logN, q, 7);
  double least = 1;
  for (int i = 0; i < 20; i++) {
    const auto start = std::chrono::steady_clock::now();
    kernels.forwardTransform(values.data(), table.data(), logN, q, nullptr);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    least = std::min(least, took.count());
  }
  return least;
}
#endif

std::vector<const Kernels*> findAvailable() {
  std::vector<const Kernels*> available;
#if defined(__x86_64__)
  __builtin_cpu_init();
#if defined(AEGIS_AMX)
  if (hasIfma() && hasTiles()) available.push_back(&amxKernels);
#endif
  if (hasAvx512()) available.push_back(&avx512Kernels);
#if defined(AEGIS_IFMA)
  // Processors differ in how fast either of the two multiplies: the faster one comes first.
  if (hasIfma()) {
    const bool faster = transformSeconds(avx512ifmaKernels) < transformSeconds(avx512Kernels);
    available.insert(faster ? available.end() - 1 : available.end(), &avx512ifmaKernels);
  }
#endif
  if (__builtin_cpu_supports("avx2")) available.push_back(&avx2Kernels);
#endif
  available.push_back(&portableKernels);
  return available;
}

}  // namespace

const std::vector<const Kernels*>& availableKernels() {
  static const std::vector<const Kernels*> available = findAvailable();
  return available;
}

}  // namespace aegis
