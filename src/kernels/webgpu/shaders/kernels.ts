/** The kernels by number, and their WGSL. */
import { convert } from "./convert.ts";
import { type ElementwiseKernel, elementwise, elementwiseKernels } from "./elementwise.ts";
import { numbers } from "./numbers.ts";
import { prelude } from "./prelude.ts";
import { sums } from "./sums.ts";
import { makeTwiddles, transform } from "./transform.ts";

const others = {
  forwardNtt: (threads: number) => transform("forwardNtt", threads),
  inverseNtt: (threads: number) => transform("inverseNtt", threads),
  makeTwiddles: () => makeTwiddles,
  multiplySum: () => sums("multiplySum"),
  multiplySumPair: () => sums("multiplySumPair"),
  convert: () => convert,
  fromInt32: () => numbers("fromInt32"),
  fromDoubles: () => numbers("fromDoubles"),
} as const;

export type Kernel = ElementwiseKernel | keyof typeof others;

/** Names in the order of their numbers in commands. */
export const kernels: readonly Kernel[] = [...elementwiseKernels, ...(Object.keys(others) as (keyof typeof others)[])];

export const kernelNumbers = Object.fromEntries(kernels.map((name, i) => [name, i])) as Record<Kernel, number>;

/**
 * WGSL of a kernel over an arena of `chunks` buffers of 2^chunkLog words.
 *
 * @param threads of a workgroup where many threads work together
 */
export function source(kernel: Kernel, chunks: number, chunkLog: number, threads: number): string {
  const body =
    kernel in others ? others[kernel as keyof typeof others](threads) : elementwise(kernel as ElementwiseKernel);
  return prelude(chunks, chunkLog) + body;
}
