/** Bootstrappings by device: pairs are never parted. */
import { bootstrapPairs, type Tensor } from "../program/index.ts";
import { contiguous } from "./shares.ts";

/** Numbers of each tensor's ciphertexts by device: [tensor][device]. */
export function bootstrapShares(tensors: readonly Tensor[], devices: number): number[][][] {
  const pairs = bootstrapPairs(tensors);
  const shares = tensors.map(() => Array.from({ length: devices }, () => [] as number[]));
  for (const [device, mine] of contiguous(pairs.length, devices).entries()) {
    for (const { tensor, index } of mine.flatMap((i) => pairs[i] as (typeof pairs)[number]))
      shares[tensor]?.[device]?.push(index);
  }
  return shares.map((byDevice) => byDevice.map((indices) => indices.sort((a, b) => a - b)));
}
