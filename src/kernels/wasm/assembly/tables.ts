// Twiddle and permutation tables.
//
// Twiddle table of one prime, for n = 2^logN ≥ 16. W(k) stands for the pair of words
// (ψ^bitrev(k), its Shoup quotient), k in [1, n).
//   head: W(k) at 8·k for k < n/16, the stages of distance 16 and more (4·n/8 bytes);
//   tail: 128 bytes for every 16 coefficients B at n/2 + 128·B:
//     W(n/16 + B) · W(n/8 + 2B) · W(n/8 + 2B + 1) · 8 bytes unused   — distances 8 and 4
//     vectors w, ws over l = 0..3 of W(n/4 + 4B + l)                  — distance 2
//     vectors w, ws of W(n/2 + 8B + 2l), then of W(n/2 + 8B + 2l + 1) — distance 1
// For n < 16 the table is W(k) at 8·k for k < n.
//
// The inverse transform needs ψ^-bitrev(m+i) = −ψ^bitrev(2m−1−i) for i < m and reads the same
// table backwards.
import { quotient } from "./vector";

// @ts-ignore: decorator
@inline
function place(table: usize, k: u32, logN: u32): usize {
  const n: u32 = 1 << logN;
  if (n < 16 || k < n >> 4) return table + (<usize>k << 3);
  const tail = table + (<usize>n >> 1);
  if (k < n >> 3) return tail + (<usize>(k - (n >> 4)) << 7);
  if (k < n >> 2) {
    const i = k - (n >> 3);
    return tail + (<usize>(i >> 1) << 7) + 8 + (<usize>(i & 1) << 3);
  }
  if (k < n >> 1) {
    const i = k - (n >> 2);
    return tail + (<usize>(i >> 2) << 7) + 32 + (<usize>(i & 3) << 2);
  }
  const i = k - (n >> 1);
  return tail + (<usize>(i >> 3) << 7) + 64 + (<usize>(i & 1) << 5) + (<usize>((i >> 1) & 3) << 2);
}

/** Bytes from a twiddle to its quotient: pairs are adjacent, packed vectors lie 16 bytes apart. */
// @ts-ignore: decorator
@inline
function quotientOffset(k: u32, logN: u32): usize {
  const n: u32 = 1 << logN;
  return n >= 16 && k >= n >> 2 ? 16 : 4;
}

export function twiddleBytes(logN: u32): u32 {
  const n: u32 = 1 << logN;
  return n < 16 ? n << 3 : (n >> 1) + (n << 3);
}

/** Fills the table for q and the primitive 2n-th root ψ. */
export function makeTwiddles(table: usize, logN: u32, q: u32, psi: u32): void {
  // W(2^s + j) = W(j)·ψ^(n/2^(s+1)): bitrev(2^s + j) = bitrev(j) + n/2^(s+1).
  const n: u32 = 1 << logN;
  if (n < 16) memory.fill(table, 0, <usize>n << 3);
  for (let s: u32 = 0; s < logN; s++) {
    let step = psi;
    for (let e: u32 = s + 1; e < logN; e++) step = <u32>((<u64>step * <u64>step) % <u64>q);
    const size: u32 = 1 << s;
    for (let j: u32 = 0; j < size; j++) {
      const base: u32 = j == 0 ? 1 : load<u32>(place(table, j, logN));
      const w = <u32>((<u64>base * <u64>step) % <u64>q);
      const at = place(table, size + j, logN);
      store<u32>(at, w);
      store<u32>(at + quotientOffset(size + j, logN), quotient(w, q));
    }
  }
}

// @ts-ignore: decorator
@inline
function reverseBits(x: u32, bits: u32): u32 {
  x = ((x >> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  return bswap<u32>(x) >> (32 - bits);
}

/**
 * Permutation table of X → X^g, by aligned blocks of four values. Value i is taken at the odd
 * power 2·bitrev(i)+1; within a block the powers differ by multiples of n/2, g keeps such
 * multiples, so blocks go to blocks and only four orders occur: one for each value of the two
 * highest bits of the first source position.
 *   64 bytes: swizzle masks for the four orders;
 *   then for each block its source block's byte offset plus the number of its order.
 */
export function makePermutation(table: usize, logN: u32, g: u32): void {
  const n: u32 = 1 << logN;
  for (let t: u32 = 0; t < 4; t++) {
    for (let k: u32 = 0; k < 4; k++) {
      const lane = reverseBits((t + g * reverseBits(k, 2)) & 3, 2);
      for (let byte: u32 = 0; byte < 4; byte++) {
        store<u8>(table + <usize>(t * 16 + k * 4 + byte), <u8>(lane * 4 + byte));
      }
    }
  }
  for (let block: u32 = 0; block < n >> 2; block++) {
    const power = 2 * reverseBits(block << 2, logN) + 1;
    const source = ((power * g) >> 1) & (n - 1); // bit-reversed position of the source value
    const order = source >> (logN - 2);
    store<u32>(table + 64 + (<usize>block << 2), ((reverseBits(source, logN) & ~3) << 2) | order);
  }
}

/** dst = a in the order of a table of {@link makePermutation}. NTT domain. */
export function permute(dst: usize, a: usize, n: u32, table: usize): void {
  let entry = table + 64;
  for (let i: u32 = 0; i < n; i += 4) {
    const e = load<u32>(entry);
    const order = e & 3;
    v128.store(dst, i8x16.swizzle(v128.load(a + <usize>(e - order)), v128.load(table + (<usize>order << 4))));
    dst += 16;
    entry += 4;
  }
}
