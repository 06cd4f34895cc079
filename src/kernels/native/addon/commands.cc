#include <cstring>

#include "call.hpp"
#include "transform-small.hpp"

namespace aegis {

namespace {

/** Words that a thread takes at a time: some microseconds of work. */
constexpr std::size_t pieceWords = 8192;
/**
 * Operands that are read at once: processors read ahead in about a dozen streams, and memory gives twice as much
 * to those as to four times as many.
 */
constexpr std::size_t streams = 12;

}  // namespace

/** body(limb, prime, first word, words) for pieces of every limb. */
template <class Body>
void Machine::everyPiece(const Call& call, Body body) {
  const std::size_t words = call.n < pieceWords ? call.n : pieceWords;
  const std::size_t pieces = call.n / words;
  workers.run(call.limbs * pieces, [&](std::size_t task, int) {
    const std::size_t limb = task / pieces;
    body(limb, primes[static_cast<std::size_t>(call.primes[limb])], (task % pieces) * words, words);
  });
}

void Machine::forwardLimb(u32* x, const Prime& prime, int logN, const u32* next) const {
  (logN < kernels_.leastLogN ? small::forwardTransform : kernels_.forwardTransform)(x, prime.twiddles[logN], logN, prime.q, next);
}

void Machine::transform(const Call& call, bool forward) {
  u32* const x = arena.words(call.operands[0]);
  const u32* const src = arena.words(call.operands[1]);
  const bool small = call.logN < kernels_.leastLogN;
  workers.run(call.limbs, [&](std::size_t limb, int) {
    const Prime& prime = primes[static_cast<std::size_t>(call.primes[limb])];
    u32* const at = x + limb * call.stride;
    const u32* const from = src + limb * call.stride;
    const u32* const twiddles = prime.twiddles[call.logN];
    const std::size_t ahead = limbAhead(limb);
    if (forward) forwardLimb(at, prime, call.logN, ahead < call.limbs ? x + ahead * call.stride : nullptr);
    else (small ? small::inverseTransform : kernels_.inverseTransform)(at, from, twiddles, call.logN, prime.q, prime.scales[call.logN]);
  });
}

/**
 * Operands: whether results are added to, logRun, number of sums, whether they are multiplied by the numbers for limbs.
 * The list has for each sum the number of results, that of terms, the results, and for each term its operands.
 */
void Machine::sums(const Call& call) {
  const bool accumulate = call.operands[0] != 0;
  const int logRun = static_cast<int>(call.operands[1]);
  const std::size_t count = static_cast<std::size_t>(call.operands[2]);
  // Sums that share operands find them in the cache when pieces are small.
  const std::size_t most = count == 1 ? blockWords : pieceWords;
  const std::size_t words = call.n < most ? call.n : most;
  const std::size_t pieces = call.n / words;
  const std::size_t compactStride = strideWords(call.logN - logRun);
  workers.run(call.limbs * pieces, [&](std::size_t piece, int) {
    const std::size_t limb = piece / pieces;
    const std::size_t start = (piece % pieces) * words;
    const Prime& prime = primes[static_cast<std::size_t>(call.primes[limb])];
    const std::size_t offset = limb * call.stride + start;
    const std::size_t compact = limb * compactStride + (start >> logRun);
    thread_local std::vector<const u32*> terms;
    const double* at = call.list;
    for (std::size_t s = 0; s < count; s++) {
      SumTask task{};
      task.results = static_cast<int>(*at++);
      task.count = static_cast<std::size_t>(*at++);
      task.accumulate = accumulate;
      task.scaled = call.operands[3] != 0;
      if (task.scaled) task.scale = call.scalar(limb);
      for (int k = 0; k < task.results; k++) task.dst[k] = arena.words(*at++) + offset;
      terms.clear();
      for (std::size_t t = 0; t < task.count; t++) {
        terms.push_back(arena.words(*at++) + compact);
        for (int k = 0; k < task.results; k++) terms.push_back(arena.words(*at++) + offset);
      }
      task.terms = terms.data();
      runSum(task, words, prime, logRun);
    }
  });
}

/** A sum over the first `words` coefficients that its pointers point to. */
void Machine::runSum(SumTask task, std::size_t words, const Prime& prime, int logRun) {
  const std::size_t operands = static_cast<std::size_t>(1 + task.results);
  const std::size_t most = streams / operands;
  const std::size_t groups = task.count == 0 ? 1 : (task.count + most - 1) / most;
  thread_local std::vector<const u32*> terms;
  terms.assign(task.terms, task.terms + task.count * operands);
  const SumTask all = task;
  for (std::size_t start = 0; start < words; start += blockWords) {
    const std::size_t block = words - start < blockWords ? words - start : blockWords;
    task.terms = terms.data();
    for (std::size_t group = 0, rest = all.count; group < groups; group++) {
      task.count = (rest + groups - group - 1) / (groups - group);
      rest -= task.count;
      task.accumulate = all.accumulate || group > 0;
      const bool last = group + 1 == groups;
      for (int k = 0; k < task.results; k++) {
        task.dst[k] = all.dst[k] + start;
        task.lifted[k] = last && all.lifted[k] != nullptr ? all.lifted[k] + start : nullptr;
      }
      task.added = last && all.added != nullptr ? all.added + start : nullptr;
      kernels_.sum(task, block, prime.q, prime.qInverse, logRun);
      task.terms += task.count * operands;
    }
    for (std::size_t i = 0; i < terms.size(); i++) terms[i] += i % operands == 0 ? block >> logRun : block;
  }
}

/** Operands: result, minuend, subtrahend in coefficient domain. */
void Machine::subtractTransformed(const Call& call) {
  workers.run(call.limbs, [&](std::size_t limb, int) {
    const Prime& prime = primes[static_cast<std::size_t>(call.primes[limb])];
    const std::size_t offset = limb * call.stride;
    u32* const dst = arena.words(call.operands[0]) + offset;
    const u32* const a = arena.words(call.operands[1]) + offset;
    u32* const b = arena.words(call.operands[2]) + offset;
    if (call.logN >= kernels_.leastLogN) {
      const std::size_t ahead = limbAhead(limb);
      const u32* const next = ahead < call.limbs ? arena.words(call.operands[2]) + ahead * call.stride : nullptr;
      kernels_.subtractTransform(dst, a, b, prime.twiddles[call.logN], call.logN, prime.q, call.scalar(limb), next);
      return;
    }
    forwardLimb(b, prime, call.logN, nullptr);
    kernels_.subtractMultiplyScalar(dst, a, b, call.n, prime.q, call.scalar(limb));
  });
}

void Machine::reserveScratch(std::size_t words) {
  scratch_.resize(static_cast<std::size_t>(workers.count()));
  for (std::vector<u32>& part : scratch_) {
    if (part.size() < words) part.resize(words);
  }
}

/** Operands: result, source, number of the conversion, limbs of the result. */
void Machine::convert(const Call& call) {
  u32* const dst = arena.words(call.operands[0]);
  const u32* const src = arena.words(call.operands[1]);
  const Conversion& conversion = *conversions[static_cast<std::size_t>(call.operands[2])];
  const std::size_t words = call.n < conversionBlock ? call.n : conversionBlock;
  reserveScratch((conversion.sources.size() + 1) * conversionRow);
  workers.run(call.n / words, [&](std::size_t block, int thread) {
    const std::size_t start = block * words;
    kernels_.convertBlock(dst + start, call.stride, src + start, call.stride, conversion,
                          scratch_[static_cast<std::size_t>(thread)].data(), words);
  });
}

/** Operands: result, source, address of the table, Galois element. */
void Machine::permute(const Call& call) {
  u32* const dst = arena.words(call.operands[0]);
  const u32* const src = arena.words(call.operands[1]);
  if (call.logN < kernels_.leastPermutedLogN) {
    const u32 g = static_cast<u32>(call.operands[3]);
    for (std::size_t limb = 0; limb < call.limbs; limb++) {
      for (u32 i = 0; i < call.n; i++) {
        const u32 power = (2 * reverseBits(i, call.logN) + 1) * g;
        dst[limb * call.stride + i] = src[limb * call.stride + reverseBits((power >> 1) & (call.n - 1), call.logN)];
      }
    }
    return;
  }
  const u32* const table = arena.words(call.operands[2]);
  everyPiece(call, [&](std::size_t limb, const Prime&, std::size_t start, std::size_t words) {
    kernels_.permute(dst + limb * call.stride, src + limb * call.stride, table, start, words);
  });
}

void Machine::run() {
  const Call call(mailbox);
  u32* const dst = arena.words(call.operands[0]);
  const u32* const a = arena.words(call.operands[1]);
  const u32* const b = arena.words(call.operands[2]);
  const auto at = [&](std::size_t limb, std::size_t start) { return limb * call.stride + start; };
  switch (call.code) {
    case Code::forwardTransform:
      return transform(call, true);
    case Code::inverseTransform:
      return transform(call, false);
    case Code::copy:
      return everyPiece(call, [&](std::size_t limb, const Prime&, std::size_t start, std::size_t n) {
        std::memmove(dst + at(limb, start), a + at(limb, start), n * sizeof(u32));
      });
    case Code::zero:
      return everyPiece(call, [&](std::size_t limb, const Prime&, std::size_t start, std::size_t n) {
        std::memset(dst + at(limb, start), 0, n * sizeof(u32));
      });
    case Code::add:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.add(dst + at(limb, start), a + at(limb, start), b + at(limb, start), n, p.q);
      });
    case Code::subtract:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.subtract(dst + at(limb, start), a + at(limb, start), b + at(limb, start), n, p.q);
      });
    case Code::negate:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.negate(dst + at(limb, start), a + at(limb, start), n, p.q);
      });
    case Code::multiply:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.multiply(dst + at(limb, start), a + at(limb, start), b + at(limb, start), n, p.q, p.qInverse);
      });
    case Code::multiplyScalar:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.multiplyScalar(dst + at(limb, start), a + at(limb, start), n, p.q, call.scalar(limb));
      });
    case Code::multiplyScalarAdd:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.multiplyScalarAdd(dst + at(limb, start), a + at(limb, start), n, p.q, call.scalar(limb));
      });
    case Code::addScalar:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.addScalar(dst + at(limb, start), a + at(limb, start), n, p.q, call.scalar(limb));
      });
    case Code::subtractMultiplyScalar:
      return everyPiece(call, [&](std::size_t limb, const Prime& p, std::size_t start, std::size_t n) {
        kernels_.subtractMultiplyScalar(dst + at(limb, start), a + at(limb, start), b + at(limb, start), n, p.q,
                                        call.scalar(limb));
      });
    case Code::sums:
      return sums(call);
    case Code::expand: {
      const int logRun = static_cast<int>(call.operands[2]);
      const std::size_t compact = strideWords(call.logN - logRun);
      return workers.run(call.limbs, [&](std::size_t limb, int) {
        kernels_.expand(dst + limb * call.stride, a + limb * compact, call.n, logRun);
      });
    }
    case Code::permute:
      return permute(call);
    case Code::convert:
      return convert(call);
    case Code::keyProducts:
      return keyProducts(call);
    case Code::subtractTransformed:
      return subtractTransformed(call);
    case Code::uniform:
      // The list has the states of the limbs.
      return workers.run(call.limbs, [&](std::size_t limb, int) {
        u32 state[streamStateWords];
        for (std::size_t i = 0; i < streamStateWords; i++) state[i] = static_cast<u32>(call.list[streamStateWords * limb + i]);
        kernels_.uniform(dst + at(limb, 0), call.n, primes[static_cast<std::size_t>(call.primes[limb])].q, state);
      });
  }
}

std::size_t Machine::twiddleWords(int logN) const {
  return logN < kernels_.leastLogN ? small::twiddleWords(logN) : kernels_.twiddleWords(logN);
}

void Machine::prepareTransform(std::size_t index, int logN, double address, u32 psi, u32 scale) {
  Prime& prime = primes[index];
  prime.twiddles[logN] = arena.words(address);
  prime.scales[logN] = scale;
  (logN < kernels_.leastLogN ? small::makeTwiddles : kernels_.makeTwiddles)(prime.twiddles[logN], logN, prime.q, psi);
}

std::size_t Machine::permutationWords(int logN) const {
  return logN < kernels_.leastPermutedLogN ? 0 : kernels_.permutationWords(logN);
}

void Machine::makePermutation(int logN, double address, u32 g) {
  if (logN >= kernels_.leastPermutedLogN) kernels_.makePermutation(arena.words(address), logN, g);
}

void Machine::addConversion(std::unique_ptr<Conversion> conversion) {
  if (kernels_.prepareConversion != nullptr) kernels_.prepareConversion(*conversion);
  conversions.push_back(std::move(conversion));
}

void Machine::write(double address, const u32* words, std::size_t count, int logN) {
  u32* const dst = arena.words(address);
  const std::size_t n = static_cast<std::size_t>(1) << logN;
  workers.run((count + n - 1) / n, [&](std::size_t limb, int) {
    const std::size_t rest = count - limb * n;
    std::memcpy(dst + limb * strideWords(logN), words + limb * n, (rest < n ? rest : n) * sizeof(u32));
  });
}

void Machine::fromInt32(double address, const u32* values, int logN, const u32* numbers, std::size_t limbs) {
  u32* const dst = arena.words(address);
  workers.run(limbs, [&](std::size_t limb, int) {
    kernels_.fromInt32(dst + limb * strideWords(logN), values, static_cast<std::size_t>(1) << logN, primes[numbers[limb]].q);
  });
}

void Machine::fromDoubles(double address, const double* values, int logN, const u32* numbers, std::size_t limbs) {
  u32* const dst = arena.words(address);
  workers.run(limbs, [&](std::size_t limb, int) {
    const Prime& prime = primes[numbers[limb]];
    kernels_.fromDoubles(dst + limb * strideWords(logN), values, static_cast<std::size_t>(1) << logN, prime.q, prime.qInverse);
  });
}

}  // namespace aegis
