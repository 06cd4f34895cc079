// Uniform residues from a ChaCha20 key stream (RFC 8439), four blocks at a time: lane j of every
// vector belongs to block counter + j. The words of the stream are taken in order; those below
// the largest multiple of q that a word holds are kept, modulo q.
import { quotient, reduceOnce, shoup } from "./vector";

// @ts-ignore: decorator
@inline
function rotate16(x: v128): v128 {
  return v128.shuffle<u8>(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}
// @ts-ignore: decorator
@inline
function rotate12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20));
}
// @ts-ignore: decorator
@inline
function rotate8(x: v128): v128 {
  return v128.shuffle<u8>(x, x, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
}
// @ts-ignore: decorator
@inline
function rotate7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25));
}

/** For each mask of kept lanes the byte indices that bring them to the front. */
const packing: usize = memory.data<u8>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  4, 5, 6, 7, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  8, 9, 10, 11, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11, 12, 13, 14, 15,
  4, 5, 6, 7, 8, 9, 10, 11, 8, 9, 10, 11, 12, 13, 14, 15,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  12, 13, 14, 15, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15,
  4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15,
  0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15,
  8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15,
  0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 12, 13, 14, 15,
  4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 12, 13, 14, 15,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
]);

/** Words of four blocks, in the order of the stream. */
const stream: usize = memory.data(256, 16);

/** Transposes words w … w + 3 of the four blocks and adds the initial state to them. */
// @ts-ignore: decorator
@inline
function writeRows(w: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  const at = stream + (w << 2);
  v128.store(at, v128.shuffle<u64>(ab0, cd0, 0, 2));
  v128.store(at, v128.shuffle<u64>(ab0, cd0, 1, 3), 64);
  v128.store(at, v128.shuffle<u64>(ab1, cd1, 0, 2), 128);
  v128.store(at, v128.shuffle<u64>(ab1, cd1, 1, 3), 192);
}

/** Four blocks from block number `counter` on. `input`: eight key words and three nonce words. */
function fourBlocks(input: usize, counter: u32): void {
  const k0 = v128.load32_splat(input);
  const k1 = v128.load32_splat(input, 4);
  const k2 = v128.load32_splat(input, 8);
  const k3 = v128.load32_splat(input, 12);
  const k4 = v128.load32_splat(input, 16);
  const k5 = v128.load32_splat(input, 20);
  const k6 = v128.load32_splat(input, 24);
  const k7 = v128.load32_splat(input, 28);
  const blocks = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  let x0 = i32x4.splat(0x61707865);
  let x1 = i32x4.splat(0x3320646e);
  let x2 = i32x4.splat(0x79622d32);
  let x3 = i32x4.splat(0x6b206574);
  let x4 = k0;
  let x5 = k1;
  let x6 = k2;
  let x7 = k3;
  let x8 = k4;
  let x9 = k5;
  let x10 = k6;
  let x11 = k7;
  let x12 = blocks;
  let x13 = v128.load32_splat(input, 32);
  let x14 = v128.load32_splat(input, 36);
  let x15 = v128.load32_splat(input, 40);
  for (let round = 0; round < 10; round++) {
    // Columns, then diagonals; the four quarter rounds of each go side by side.
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7);
    x12 = rotate16(v128.xor(x12, x0)); x13 = rotate16(v128.xor(x13, x1)); x14 = rotate16(v128.xor(x14, x2)); x15 = rotate16(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15);
    x4 = rotate12(v128.xor(x4, x8)); x5 = rotate12(v128.xor(x5, x9)); x6 = rotate12(v128.xor(x6, x10)); x7 = rotate12(v128.xor(x7, x11));
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7);
    x12 = rotate8(v128.xor(x12, x0)); x13 = rotate8(v128.xor(x13, x1)); x14 = rotate8(v128.xor(x14, x2)); x15 = rotate8(v128.xor(x15, x3));
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15);
    x4 = rotate7(v128.xor(x4, x8)); x5 = rotate7(v128.xor(x5, x9)); x6 = rotate7(v128.xor(x6, x10)); x7 = rotate7(v128.xor(x7, x11));

    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4);
    x15 = rotate16(v128.xor(x15, x0)); x12 = rotate16(v128.xor(x12, x1)); x13 = rotate16(v128.xor(x13, x2)); x14 = rotate16(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14);
    x5 = rotate12(v128.xor(x5, x10)); x6 = rotate12(v128.xor(x6, x11)); x7 = rotate12(v128.xor(x7, x8)); x4 = rotate12(v128.xor(x4, x9));
    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4);
    x15 = rotate8(v128.xor(x15, x0)); x12 = rotate8(v128.xor(x12, x1)); x13 = rotate8(v128.xor(x13, x2)); x14 = rotate8(v128.xor(x14, x3));
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14);
    x5 = rotate7(v128.xor(x5, x10)); x6 = rotate7(v128.xor(x6, x11)); x7 = rotate7(v128.xor(x7, x8)); x4 = rotate7(v128.xor(x4, x9));
  }
  writeRows(
    0,
    i32x4.add(x0, i32x4.splat(0x61707865)),
    i32x4.add(x1, i32x4.splat(0x3320646e)),
    i32x4.add(x2, i32x4.splat(0x79622d32)),
    i32x4.add(x3, i32x4.splat(0x6b206574)),
  );
  writeRows(4, i32x4.add(x4, k0), i32x4.add(x5, k1), i32x4.add(x6, k2), i32x4.add(x7, k3));
  writeRows(8, i32x4.add(x8, k4), i32x4.add(x9, k5), i32x4.add(x10, k6), i32x4.add(x11, k7));
  writeRows(
    12,
    i32x4.add(x12, blocks),
    i32x4.add(x13, v128.load32_splat(input, 32)),
    i32x4.add(x14, v128.load32_splat(input, 36)),
    i32x4.add(x15, v128.load32_splat(input, 40)),
  );
}


/**
 * dst = n residues uniform in [0, q), from block 0 of the stream on. Up to 16 bytes after the n
 * words are overwritten: limbs are padded.
 */
export function uniform(dst: usize, n: u32, q: u32, input: usize): void {
  const qv = i32x4.splat(q);
  const one = i32x4.splat(1);
  const ws = i32x4.splat(quotient(1, q));
  const last = i32x4.splat(<u32>(((<u64>1 << 32) / (<u64>q)) * (<u64>q) - 1));
  const end = dst + (<usize>n << 2);
  let counter: u32 = 0;
  while (dst < end) {
    fourBlocks(input, counter);
    counter += 4;
    for (let at = stream; at < stream + 256 && dst < end; at += 16) {
      const x = v128.load(at);
      const kept = <u32>i32x4.bitmask(i32x4.le_u(x, last));
      const residues = reduceOnce(shoup(x, one, ws, qv), qv);
      v128.store(dst, i8x16.swizzle(residues, v128.load(packing + (kept << 4))));
      dst += <usize>popcnt(kept) << 2;
    }
  }
}
