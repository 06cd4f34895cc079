// A command of the mailbox, and sizes that commands share.
#pragma once
#include "commands.hpp"

namespace aegis {

/** Coefficients that sums go through at a time: the results stay in the cache, and operands of more than one sum. */
constexpr std::size_t blockWords = 16384;

inline std::size_t strideWords(int logN) { return (static_cast<std::size_t>(1) << logN) + limbPadding / sizeof(u32); }

/** A command as it lies in the mailbox. */
struct Machine::Call {
  explicit Call(const double* mailbox)
      : code(static_cast<Code>(static_cast<int>(mailbox[0]))),
        logN(static_cast<int>(mailbox[1])),
        limbs(static_cast<std::size_t>(mailbox[2])),
        operands(mailbox + operandsAt),
        primes(mailbox + limbsAt),
        perLimb(mailbox + limbsAt + maximumLimbs),
        list(mailbox + listAt),
        n(static_cast<std::size_t>(1) << logN),
        stride(strideWords(logN)) {}

  u32 scalar(std::size_t limb) const { return static_cast<u32>(perLimb[limb]); }

  Code code;
  int logN;
  std::size_t limbs;
  const double* operands;
  const double* primes;
  const double* perLimb;
  const double* list;
  std::size_t n;
  /** Words from one limb to the next. */
  std::size_t stride;
};

}  // namespace aegis
