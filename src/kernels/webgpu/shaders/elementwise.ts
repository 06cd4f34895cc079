/**
 * Kernels that work on one value at a time, any domain, canonical residues.
 *
 * Parameters: (dst, a, b, degree), (stride of dst, stride of a, logRun or log N, Galois element),
 * then for each limb (q, q^-1 mod 2^32, scalar s, floor(s·2^32/q)). Workgroups: blocks of
 * {@link blockThreads} values, limbs.
 */

/** Values of a limb that one workgroup works on. */
export const blockThreads = 256;

/** What is stored, of x = a[i], y = b[i], z = dst[i]; only what a formula names is loaded. */
const formulas = {
  copy: "x",
  zero: "0u",
  add: "addModulo(x, y, q)",
  subtract: "subtractModulo(x, y, q)",
  negate: "select(q - x, 0u, x == 0u)",
  multiply: "multiplyReduced(x, y, q, qInverse)",
  multiplyScalar: "reduceOnce(multiplyConstant(x, s, quotient, q), q)",
  multiplyScalarAdd: "addModulo(z, reduceOnce(multiplyConstant(x, s, quotient, q), q), q)",
  addScalar: "addModulo(x, s, q)",
  subtractMultiplyScalar: "reduceOnce(multiplyConstant(x - y + q, s, quotient, q), q)",
} as const;

/** Where in a the value i of the result lies, for kernels that move values. */
const movements = {
  expand: "(i >> shape.z)",
  // The value of a(X^g) at the point 2·bitrev(i) + 1 is that of a at g times it; products modulo 2^32 are right modulo 2N.
  automorphism: "reverse((((2u * reverse(i, shape.z) + 1u) * shape.w) & (2u * degree - 1u)) >> 1u, shape.z)",
} as const;

export type ElementwiseKernel = keyof typeof formulas | keyof typeof movements;
export const elementwiseKernels = [...Object.keys(formulas), ...Object.keys(movements)] as ElementwiseKernel[];

/** WGSL of a kernel, without the prelude. */
export function elementwise(kernel: ElementwiseKernel): string {
  const moved = kernel in movements;
  const formula = moved ? "x" : formulas[kernel as keyof typeof formulas];
  const place = moved ? movements[kernel as keyof typeof movements] : "i";
  const load = (name: string, word: string): string =>
    new RegExp(`\\b${name}\\b`).test(formula) ? `let ${name} = fetch(${word});` : "";
  return `
fn reverse(i: u32, bits: u32) -> u32 { return reverseBits(i) >> (32u - bits); }

@compute @workgroup_size(${blockThreads})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = parameters.words[0];
  let shape = parameters.words[1];
  let i = id.x;
  let degree = head.w;
  if (i >= degree) { return; }
  let limb = parameters.words[2u + id.y];
  let q = limb.x;
  let qInverse = limb.y;
  let s = limb.z;
  let quotient = limb.w;
  let at = id.y * shape.x + i;
  ${load("x", `head.y + id.y * shape.y + ${place}`)}
  ${load("y", "head.z + at")}
  ${load("z", "head.x + at")}
  put(head.x + at, ${formula});
}
`;
}
