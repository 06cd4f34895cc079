// What JavaScript asks for: a code and its numbers in a mailbox that both sides see, then one call.
#pragma once
#include <memory>
#include <vector>

#include "arena.hpp"
#include "kernels.hpp"
#include "workers.hpp"

namespace aegis {

/** Codes of commands; `../commands.ts` has the same. */
enum class Code : int {
  forwardTransform,
  inverseTransform,
  copy,
  zero,
  add,
  subtract,
  negate,
  multiply,
  multiplyScalar,
  multiplyScalarAdd,
  addScalar,
  subtractMultiplyScalar,
  sums,
  expand,
  permute,
  convert,
  uniform,
  keyProducts,
  subtractTransformed,
};

/**
 * The mailbox, in doubles: code, log2 of the degree, number of limbs, up to {@link operandCount} numbers that depend on
 * the command (addresses in bytes and parameters), then for each limb the number of its prime, then, for some,
 * one more number for each limb, or a list.
 */
constexpr std::size_t operandsAt = 3;
constexpr std::size_t operandCount = 5;
constexpr std::size_t limbsAt = operandsAt + operandCount;
/** Most limbs of a polynomial in one command. */
constexpr std::size_t maximumLimbs = 512;
constexpr std::size_t listAt = limbsAt + 2 * maximumLimbs;
constexpr std::size_t mailboxLength = std::size_t{1} << 16;

/** Words of the state of a key stream: eight of the key, three of the nonce. */
constexpr std::size_t streamStateWords = 11;

/** Bytes behind every limb. */
constexpr std::size_t limbPadding = 64;

/** Degrees are 2^2 … 2^17. */
constexpr int maximumLogN = 17;

struct Prime {
  u32 q;
  u32 qInverse;
  /** By log2 of the degree. */
  u32* twiddles[maximumLogN + 1] = {};
  u32 scales[maximumLogN + 1] = {};
};

/** One backend: its memory, its tables and its threads. */
class Machine {
 public:
  Machine(std::size_t bytes, const Kernels& kernels, int threads) : arena(bytes), workers(threads), kernels_(kernels) {}

  /** Takes the command that lies in the mailbox. */
  void run();

  std::size_t twiddleWords(int logN) const;
  void prepareTransform(std::size_t prime, int logN, double address, u32 psi, u32 scale);
  std::size_t permutationWords(int logN) const;
  void makePermutation(int logN, double address, u32 g);
  void addConversion(std::unique_ptr<Conversion> conversion);
  /** Words of limbs, one after another, to limbs from an address on. */
  void write(double dst, const u32* words, std::size_t count, int logN);
  void fromInt32(double dst, const u32* values, int logN, const u32* primes, std::size_t limbs);
  void fromDoubles(double dst, const double* values, int logN, const u32* primes, std::size_t limbs);

  Arena arena;
  Workers workers;
  double* mailbox = nullptr;
  std::vector<Prime> primes;
  std::vector<std::unique_ptr<Conversion>> conversions;

 private:
  struct Call;
  template <class Body>
  void everyPiece(const Call& call, Body body);
  void transform(const Call& call, bool forward);
  void sums(const Call& call);
  void convert(const Call& call);
  void permute(const Call& call);
  void keyProducts(const Call& call);
  void subtractTransformed(const Call& call);
  void runSum(SumTask task, std::size_t words, const Prime& prime, int logRun);
  void reserveScratch(std::size_t words);
  /** The limb that a thread will probably come to after this one. */
  std::size_t limbAhead(std::size_t limb) const { return limb + static_cast<std::size_t>(workers.count()); }
  void forwardLimb(u32* x, const Prime& prime, int logN, const u32* next) const;

  const Kernels& kernels_;
  std::vector<std::vector<u32>> scratch_;
};

}  // namespace aegis
