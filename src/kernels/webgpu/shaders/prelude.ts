/**
 * What every WGSL kernel starts from: the arena behind one address space, parameters, and
 * arithmetic modulo primes below 2^30 on u32. Addresses are word indices; the arena is made of
 * chunks of 2^chunkLog words, each a buffer of its own.
 */
import { parameterWords } from "../protocol.ts";

/** Bindings: parameters, staged numbers, then the chunks. */
export const bindings = { parameters: 0, stage: 1, chunks: 2 } as const;

function arena(chunks: number, chunkLog: number): string {
  const each = Array.from({ length: chunks }, (_, i) => i);
  const declared = each.map(
    (i) => `@group(0) @binding(${bindings.chunks + i}) var<storage, read_write> chunk${i}: array<u32>;`,
  );
  if (chunks === 1) {
    return `${declared[0]}
fn fetch(w: u32) -> u32 { return chunk0[w]; }
fn put(w: u32, value: u32) { chunk0[w] = value; }`;
  }
  const [index, offset] = [`w >> ${chunkLog}u`, `w & ${2 ** chunkLog - 1}u`];
  // The last chunk is the default: every path of a function must return.
  const label = (i: number): string => (i === chunks - 1 ? "default" : `case ${i}u`);
  return `${declared.join("\n")}
fn fetch(w: u32) -> u32 {
  switch ${index} {
${each.map((i) => `    ${label(i)}: { return chunk${i}[${offset}]; }`).join("\n")}
  }
}
fn put(w: u32, value: u32) {
  switch ${index} {
${each.map((i) => `    ${label(i)}: { chunk${i}[${offset}] = value; }`).join("\n")}
  }
}`;
}

const arithmetic = `
struct Wide { low: u32, high: u32 }

// The 64-bit product by 16-bit halves; no sum below passes 2^32.
fn multiplyWide(a: u32, b: u32) -> Wide {
  let al = a & 0xffffu; let ah = a >> 16u;
  let bl = b & 0xffffu; let bh = b >> 16u;
  let first = al * bh + ((al * bl) >> 16u);
  let second = ah * bl + (first & 0xffffu);
  return Wide(a * b, ah * bh + (first >> 16u) + (second >> 16u));
}
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u;
  let bl = b & 0xffffu; let bh = b >> 16u;
  let first = al * bh + ((al * bl) >> 16u);
  let second = ah * bl + (first & 0xffffu);
  return ah * bh + (first >> 16u) + (second >> 16u);
}
// x in [0, 2q) to [0, q): of x and x - q modulo 2^32, the smaller.
fn reduceOnce(x: u32, q: u32) -> u32 { return min(x, x - q); }
fn addModulo(a: u32, b: u32, q: u32) -> u32 { return reduceOnce(a + b, q); }
fn subtractModulo(a: u32, b: u32, q: u32) -> u32 { return min(a - b, a - b + q); }
// (high * 2^32 + low) * 2^-32 mod q for high < q.
fn reduceWide(low: u32, high: u32, q: u32, qInverse: u32) -> u32 {
  return subtractModulo(high, multiplyHigh(low * qInverse, q), q);
}
// a * b * 2^-32 mod q for a * b < q * 2^32 (Montgomery).
fn multiplyReduced(a: u32, b: u32, q: u32, qInverse: u32) -> u32 {
  let product = multiplyWide(a, b);
  return reduceWide(product.low, product.high, q, qInverse);
}
// x * w in [0, 2q) for any x, with the quotient floor(w * 2^32 / q) (Shoup).
fn multiplyConstant(x: u32, w: u32, quotient: u32, q: u32) -> u32 {
  return x * w - multiplyHigh(x, quotient) * q;
}
`;

/**
 * @param chunks number of buffers that the arena consists of
 * @param chunkLog log2 of their words
 */
export function prelude(chunks: number, chunkLog: number): string {
  return `
struct Parameters { words: array<vec4<u32>, ${parameterWords / 4}> }
@group(0) @binding(${bindings.parameters}) var<uniform> parameters: Parameters;
@group(0) @binding(${bindings.stage}) var<storage, read> stage: array<u32>;
${arena(chunks, chunkLog)}
// Word i of the parameters.
fn parameter(i: u32) -> u32 { return parameters.words[i >> 2u][i & 3u]; }
${arithmetic}`;
}
