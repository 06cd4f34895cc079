/** What kernel work takes: seconds per unit of each kind. */
import { type KernelWork, kernelNames } from "../../kernels/index.ts";

/** Seconds per unit of each kind of kernel work. */
export type KernelTimes = KernelWork;

/**
 * Times of one core of a 2024 server processor (AMD Zen 5, 4 GHz, WebAssembly). Schedules are made
 * with these, whatever the machine, so that a model compiles to the same program everywhere.
 */
export const referenceTimes: KernelTimes = {
  ntt: 0.26e-9,
  elementwise: 0.11e-9,
  product: 0.36e-9,
  scalarProduct: 0.25e-9,
  multiplySum: 0.35e-9,
  multiplySumPair: 0.42e-9,
  productSums: 0.23e-9,
  runSums: 0.16e-9,
  automorphism: 0.16e-9,
  convert: 0.15e-9,
  upload: 0.5e-9,
};

/** Σ work · times. */
export function secondsOf(work: KernelWork, times: KernelTimes): number {
  return kernelNames.reduce((sum, name) => sum + work[name] * times[name], 0);
}
