/** Bootstrappings by device: pairs are never parted. */
import { bootstrapPairs, type Tensor } from "../program/index.ts";
import { contiguous, type Paces } from "./shares.ts";

/** Numbers of each tensor's ciphertexts by device: [tensor][device]. */
export function bootstrapShares(tensors: readonly Tensor[], paces: Paces): number[][][] {
  const pairs = bootstrapPairs(tensors);
  const shares = tensors.map(() => paces.map((): number[] => []));
  for (const [device, mine] of contiguous(pairs.length, paces).entries()) {
    for (const { tensor, index } of mine.flatMap((i) => pairs[i] as (typeof pairs)[number]))
      shares[tensor]?.[device]?.push(index);
  }
  return shares.map((byDevice) => byDevice.map((indices) => indices.sort((a, b) => a - b)));
}
