/**
 * What the WebAssembly module exports (`assembly/index.ts`). All arguments are 32-bit; addresses
 * may be passed as any number that is right modulo 2^32.
 */
export interface KernelExports {
  heapBase(): number;
  copy(dst: number, a: number, n: number): void;
  zero(dst: number, n: number): void;
  add(dst: number, a: number, b: number, n: number, q: number): void;
  subtract(dst: number, a: number, b: number, n: number, q: number): void;
  negate(dst: number, a: number, n: number, q: number): void;
  multiply(dst: number, a: number, b: number, n: number, q: number, qInverse: number): void;
  multiplyScalar(dst: number, a: number, n: number, q: number, s: number): void;
  multiplyScalarAdd(dst: number, a: number, n: number, q: number, s: number): void;
  addScalar(dst: number, a: number, n: number, q: number, s: number): void;
  subtractMultiplyScalar(dst: number, a: number, b: number, n: number, q: number, s: number): void;
  expand(dst: number, a: number, n: number, logRun: number): void;
  uniform(dst: number, n: number, q: number, state: number): void;
  fromInt32(dst: number, values: number, n: number, q: number): void;
  biasDoubles(values: number, n: number): void;
  fromBiased(dst: number, values: number, n: number, q: number, qInverse: number): void;
  multiplySum(
    dst: number,
    terms: number,
    count: number,
    n: number,
    q: number,
    qInverse: number,
    interval: number,
    foldBy: number,
    steps: number,
    accumulate: number,
    logRun: number,
  ): void;
  multiplySumPair(
    dst0: number,
    dst1: number,
    terms: number,
    count: number,
    n: number,
    q: number,
    qInverse: number,
    interval: number,
    foldBy: number,
    steps: number,
    accumulate: number,
    logRun: number,
    streamed: number,
  ): void;
  convertScratchBytes(sources: number): number;
  convert(
    dst: number,
    dstStride: number,
    src: number,
    srcStride: number,
    constants: number,
    sources: number,
    targets: number,
    n: number,
    scratch: number,
    kinds: number,
  ): void;
  twiddleBytes(logN: number): number;
  makeTwiddles(table: number, logN: number, q: number, psi: number): void;
  makePermutation(table: number, logN: number, galoisElement: number): void;
  permute(dst: number, a: number, n: number, table: number): void;
  forwardNtt(x: number, table: number, logN: number, q: number): void;
  inverseNtt(x: number, table: number, logN: number, q: number, scale: number): void;
}
