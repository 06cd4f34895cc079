// The memory of a backend: one range of addresses, reserved at once, given pages by the system as they are touched.
#pragma once
#include <sys/mman.h>

#include "words.hpp"

namespace aegis {

class Arena {
 public:
  /** Reserves `bytes`; `valid()` is false when the system refuses. */
  explicit Arena(std::size_t bytes) : bytes_(bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return;
    base_ = static_cast<unsigned char*>(at);
#ifdef MADV_HUGEPAGE
    // Kernels read many streams at once, more than there are entries for small pages.
    madvise(base_, bytes, MADV_HUGEPAGE);
#endif
  }
  ~Arena() { release(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void release() {
    if (base_ != nullptr) munmap(base_, bytes_);
    base_ = nullptr;
  }
  bool valid() const { return base_ != nullptr; }
  /** Addresses count from the base on; those of other memory of the process may be negative. */
  u32* words(double address) const { return reinterpret_cast<u32*>(base_ + static_cast<std::ptrdiff_t>(address)); }
  /** The address of any memory of the process: a double holds every difference of two pointers. */
  double address(const void* at) const { return static_cast<double>(static_cast<const unsigned char*>(at) - base_); }

 private:
  unsigned char* base_ = nullptr;
  std::size_t bytes_;
};

}  // namespace aegis
