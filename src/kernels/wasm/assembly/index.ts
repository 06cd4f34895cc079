// Entry of the WebAssembly module: everything exported here is callable from JavaScript.
// Addresses are byte addresses in the imported memory; nothing here allocates.
export {
  add,
  addScalar,
  copy,
  expand,
  multiply,
  multiplyScalar,
  multiplyScalarAdd,
  negate,
  subtract,
  subtractMultiplyScalar,
  zero,
} from "./elementwise";
export { uniform } from "./chacha";
export { biasDoubles, fromBiased, fromInt32 } from "./residues";
export { multiplySum, multiplySumPair } from "./sums";
export { convert, convertScratchBytes } from "./convert";
export { makePermutation, makeTwiddles, permute, twiddleBytes } from "./tables";
export { forwardNtt, inverseNtt } from "./ntt";

/** First byte of memory that the module itself does not use. */
export function heapBase(): usize {
  return __heap_base;
}
