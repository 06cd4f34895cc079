// Uniform residues from a ChaCha20 key stream (RFC 8439), `lanes` blocks at a time.
#pragma once

namespace aegis {
namespace AEGIS_SET {

AEGIS_INLINE void quarterRound(Word& a, Word& b, Word& c, Word& d) {
  a = V::add(a, b), d = V::rotateLeft(V::bitXor(d, a), 16);
  c = V::add(c, d), b = V::rotateLeft(V::bitXor(b, c), 12);
  a = V::add(a, b), d = V::rotateLeft(V::bitXor(d, a), 8);
  c = V::add(c, d), b = V::rotateLeft(V::bitXor(b, c), 7);
}

/** Sixteen words of each of `lanes` blocks from number `counter` on, in the order of the stream. */
inline void streamBlocks(u32* words, const u32* state, u32 counter) {
  u32 counters[L];
  for (u32 i = 0; i < L; i++) counters[i] = counter + i;
  Word initial[16];
  const u32 sigma[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (int i = 0; i < 4; i++) initial[i] = V::splat(sigma[i]);
  for (int i = 0; i < 8; i++) initial[4 + i] = V::splat(state[i]);
  initial[12] = V::load(counters);
  for (int i = 0; i < 3; i++) initial[13 + i] = V::splat(state[8 + i]);
  Word x[16];
  for (int i = 0; i < 16; i++) x[i] = initial[i];
  for (int round = 0; round < 10; round++) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) quarterRound(x[i], x[4 + i], x[8 + i], x[12 + i]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) quarterRound(x[i], x[4 + (i + 1) % 4], x[8 + (i + 2) % 4], x[12 + (i + 3) % 4]);
  }
  for (int first = 0; first < 16; first += L) {
    Word part[L];
    for (int i = 0; i < L; i++) part[i] = V::add(x[first + i], initial[first + i]);
    V::transpose(part);
    for (int block = 0; block < L; block++) V::store(words + 16 * block + first, part[block]);
  }
}

/**
 * n residues uniform in [0, q) from block 0 of the stream on. Up to a vector behind the n words is
 * overwritten: limbs are padded.
 */
inline void uniform(u32* dst, std::size_t n, u32 q, const u32* state) {
  const Word qv = V::splat(q);
  const Constant one = constant(1, q);
  const u64 words = static_cast<u64>(1) << 32;
  const Word last = V::splat(static_cast<u32>(words / q * q - 1));
  u32 stream[16 * L];
  u32* const end = dst + n;
  for (u32 counter = 0; dst < end; counter += L) {
    streamBlocks(stream, state, counter);
    for (int i = 0; i < 16 * L && dst < end; i += L) {
      const Word x = V::load(stream + i);
      dst += V::storeKept(dst, reduceOnce(shoup(x, one, qv), qv), x, last);
    }
  }
}

}  // namespace AEGIS_SET
}  // namespace aegis
