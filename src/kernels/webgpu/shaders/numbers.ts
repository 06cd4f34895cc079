/**
 * Residues of staged numbers, coefficient domain. Parameters: (dst, degree, stride, 0), 0, then for each limb
 * (q, q^-1 mod 2^32, 2^64 mod q, 0). Workgroups: blocks of values, limbs.
 */
import { blockThreads } from "./elementwise.ts";

const magnitudes = {
  /** Of a signed 32-bit integer. */
  fromInt32: `
  let word = stage[i];
  let negative = (word >> 31u) == 1u;
  let residue = select(word, 0u - word, negative) % q;`,
  /** Of a double that holds an integer below 2^62: its significand moved by its exponent. */
  fromDoubles: `
  let word = stage[2u * i + 1u];
  let negative = (word >> 31u) == 1u;
  let exponent = (word >> 20u) & 0x7ffu;
  var low = stage[2u * i];
  var high = (word & 0xfffffu) | 0x100000u;
  if (exponent < 1023u) {
    low = 0u;
    high = 0u;
  } else if (exponent >= 1075u) {
    let left = exponent - 1075u;
    // A shift by 32 is one by 0.
    if (left > 0u) { high = (high << left) | (low >> (32u - left)); }
    low = low << left;
  } else {
    let right = 1075u - exponent;
    if (right >= 32u) {
      low = high >> (right - 32u);
      high = 0u;
    } else {
      low = (low >> right) | (high << (32u - right));
      high = high >> right;
    }
  }
  let residue = addModulo(multiplyReduced(high % q, limb.z, q, limb.y), low % q, q);`,
} as const;

/** WGSL of a kernel, without the prelude. */
export function numbers(kernel: keyof typeof magnitudes): string {
  return `
@compute @workgroup_size(${blockThreads})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = parameters.words[0];
  let i = id.x;
  if (i >= head.y) { return; }
  let limb = parameters.words[2u + id.y];
  let q = limb.x;
${magnitudes[kernel]}
  put(head.x + id.y * head.z + i, select(residue, q - residue, negative && residue != 0u));
}
`;
}
