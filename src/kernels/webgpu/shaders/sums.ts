/**
 * Sums of products as lazy 64-bit sums of two words: folded as `planSum` of `../../modulus.ts` says,
 * reduced once.
 *
 * Parameters: (degree, stride, stride of the first operands, logRun), (limbs, accumulate, 0, 0), for each limb
 * (q, q^-1 mod 2^32, interval + steps·2^16, foldBy), for each sum (dst0, dst1, first term's row among the
 * parameters, terms), then the terms, a row each: addresses (a, b) or (a, b0, b1). Workgroups: blocks of values, limbs, sums.
 */
import { blockThreads } from "./elementwise.ts";

const wide = `
fn accumulate(sum: ptr<function, Wide>, a: u32, b: u32) {
  let product = multiplyWide(a, b);
  let low = (*sum).low + product.low;
  (*sum).high += product.high + select(0u, 1u, low < product.low);
  (*sum).low = low;
}
// Takes multiples of q from the high word until it is below q, then divides by 2^32.
fn reduceSum(sum: Wide, q: u32, qInverse: u32, steps: u32) -> u32 {
  var high = sum.high;
  for (var step = steps; step > 0u; step--) { high = reduceOnce(high, q << (step - 1u)); }
  return reduceWide(sum.low, high, q, qInverse);
}
`;

/** Lazy sums for other kernels. */
export const lazySums = wide;

/** WGSL of a kernel, without the prelude. */
export function sums(kernel: "multiplySum" | "multiplySumPair"): string {
  const results = kernel === "multiplySum" ? [0] : [0, 1];
  const each = (line: (k: number) => string): string => results.map(line).join("\n");
  return `${wide}
@compute @workgroup_size(${blockThreads})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = parameters.words[0];
  let shape = parameters.words[1];
  let i = id.x;
  if (i >= head.x) { return; }
  let limb = parameters.words[2u + id.y];
  let q = limb.x;
  let qInverse = limb.y;
  let interval = limb.z & 0xffffu;
  let steps = limb.z >> 16u;
  let sum = parameters.words[2u + shape.x + id.z];
  let at = id.y * head.y + i;
  let run = id.y * head.z + (i >> head.w);
${each((k) => `  var sum${k} = Wide(0u, 0u);`)}
  var rest = interval;
  for (var t = 0u; t < sum.w; t++) {
    if (rest == 0u) {
      rest = interval;
${each((k) => `      sum${k}.high = min(sum${k}.high, sum${k}.high - limb.w);`)}
    }
    rest--;
    let term = parameters.words[sum.z + t];
    let a = fetch(term.x + run);
${each((k) => `    accumulate(&sum${k}, a, fetch(term.${"yz"[k]} + at));`)}
  }
${each(
  (k) => `  var value${k} = reduceSum(sum${k}, q, qInverse, steps);
  if (shape.y == 1u) { value${k} = addModulo(value${k}, fetch(sum.${"xy"[k]} + at), q); }
  put(sum.${"xy"[k]} + at, value${k});`,
)}
}
`;
}
