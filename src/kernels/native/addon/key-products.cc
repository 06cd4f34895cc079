// Key-switch products, limb by limb.
#include "call.hpp"

namespace aegis {

namespace {

/** A product as it lies in the list of {@link Code::keyProducts}. */
struct Product {
  /** For each digit its address, those of the key's halves b and a, and its own limbs, from and to. */
  const double* digits;
  /** Words from one limb of b to the next. */
  std::size_t strideOfB;
  /** −1: digits have their own limbs. */
  double source;
  bool transforms;
  const double* lifted;
  double added;
  u32 element;
  double table;
  bool accumulates;
  const double* dst;

  static constexpr std::size_t perDigit = 5;
  static constexpr std::size_t perProduct = 11;

  Product(const double* list, std::size_t index, std::size_t count) : digits(list + index * (perDigit * count + perProduct)) {
    const double* const at = digits + perDigit * count;
    strideOfB = static_cast<std::size_t>(at[0]);
    source = at[1];
    transforms = at[2] != 0;
    lifted = at + 3;
    added = at[5];
    element = static_cast<u32>(at[6]);
    table = at[7];
    accumulates = at[8] != 0;
    dst = at + 9;
  }

  double digit(std::size_t d) const { return digits[perDigit * d]; }
  double b(std::size_t d) const { return digits[perDigit * d + 1]; }
  double a(std::size_t d) const { return digits[perDigit * d + 2]; }
  /** Whether this limb of Q is the digit's own, and so in the source. */
  bool owns(std::size_t d, std::size_t limb) const {
    return source >= 0 && limb >= static_cast<std::size_t>(digits[perDigit * d + 3]) && limb < static_cast<std::size_t>(digits[perDigit * d + 4]);
  }
};

/** Where X → X^element takes the block that begins at `start`: aligned blocks go to such blocks. */
std::size_t movedBlock(std::size_t start, std::size_t words, u32 element, int logN) {
  // Its inverse modulo powers of two: right to 3, 6, 12, 24 bits.
  u32 inverse = element;
  for (int step = 0; step < 3; step++) inverse *= 2 - element * inverse;
  const u32 power = (2 * reverseBits(static_cast<u32>(start), logN) + 1) * inverse;
  return reverseBits((power >> 1) & ((1u << logN) - 1), logN) & ~(words - 1);
}

}  // namespace

/**
 * Operands: products, digits, special primes. The numbers for limbs are P modulo each prime of Q; the list has the
 * products. A thread takes a limb through all steps: digits are transformed, then multiplied, lifted, moved and added a
 * block at a time, so that products which follow one another find the digits or the key that they share in its cache.
 */
void Machine::keyProducts(const Call& call) {
  const std::size_t products = static_cast<std::size_t>(call.operands[0]);
  const std::size_t digits = static_cast<std::size_t>(call.operands[1]);
  const std::size_t special = static_cast<std::size_t>(call.operands[2]);
  const std::size_t words = call.n < blockWords ? call.n : blockWords;
  reserveScratch(2 * call.stride);
  workers.run(call.limbs, [&](std::size_t limb, int thread) {
    const Prime& prime = primes[static_cast<std::size_t>(call.primes[limb])];
    const std::size_t offset = limb * call.stride;
    // Of no digit where it is a special prime.
    const std::size_t own = limb - special;
    u32* const scratch = scratch_[static_cast<std::size_t>(thread)].data();
    thread_local std::vector<const u32*> terms;
    /** `then` is the product whose digits are transformed next, of this limb or of one to come. */
    const auto transform = [&](const Product& product, const Product& then, std::size_t limbThen) {
      for (std::size_t d = 0; d < digits; d++) {
        if (product.owns(d, own)) continue;
        const bool last = d + 1 == digits;
        const std::size_t ahead = last ? limbThen : limb;
        const u32* const next = arena.words(last ? then.digit(0) : product.digit(d + 1)) + ahead * call.stride;
        forwardLimb(arena.words(product.digit(d)) + offset, prime, call.logN, ahead < call.limbs ? next : nullptr);
      }
    };
    const auto multiply = [&](const Product& product, std::size_t start) {
      terms.clear();
      for (std::size_t d = 0; d < digits; d++) {
        const bool mine = product.owns(d, own);
        terms.push_back(arena.words(mine ? product.source : product.digit(d)) + (mine ? own * call.stride : offset) + start);
        terms.push_back(arena.words(product.b(d)) + limb * product.strideOfB + start);
        terms.push_back(arena.words(product.a(d)) + offset + start);
      }
      const bool moves = product.element != 1;
      u32* const dst[2] = {arena.words(product.dst[0]) + offset, arena.words(product.dst[1]) + offset};
      SumTask task{};
      task.results = 2;
      task.count = digits;
      task.terms = terms.data();
      task.accumulate = !moves && product.accumulates;
      task.added = product.added < 0 ? nullptr : arena.words(product.added) + offset + start;
      for (std::size_t k = 0; k < 2; k++) {
        task.dst[k] = (moves ? scratch + k * call.stride : dst[k]) + start;
        task.lifted[k] = product.lifted[k] < 0 || limb < special ? nullptr : arena.words(product.lifted[k]) + own * call.stride + start;
      }
      if (limb >= special) task.lift = call.scalar(own);
      runSum(task, words, prime, 0);
      if (!moves) return;
      const u32* const table = arena.words(product.table);
      const std::size_t moved = movedBlock(start, words, product.element, call.logN);
      for (std::size_t k = 0; k < 2; k++) {
        const u32* const from = scratch + k * call.stride;
        if (product.accumulates) kernels_.permuteAdd(dst[k], from, table, moved, words, prime.q);
        else kernels_.permute(dst[k], from, table, moved, words);
      }
    };
    for (std::size_t first = 0, end; first < products; first = end) {
      const Product leader(call.list, first, digits);
      // Those that share its key, and those on digits that are transformed by then.
      const auto joins = [&](const Product& product) { return !product.transforms || product.b(0) == leader.b(0); };
      end = first + 1;
      while (end < products && joins(Product(call.list, end, digits))) end++;
      for (std::size_t p = first; p < end; p++) {
        const Product product(call.list, p, digits);
        if (!product.transforms) continue;
        const bool last = p + 1 == end;
        transform(product, Product(call.list, last ? first : p + 1, digits), last ? limbAhead(limb) : limb);
      }
      for (std::size_t start = 0; start < call.n; start += words)
        for (std::size_t p = first; p < end; p++) multiply(Product(call.list, p, digits), start);
    }
  });
}

}  // namespace aegis
