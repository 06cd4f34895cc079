/**
 * What operations on ciphertexts that are cut take at least, from what the whole ones do: shardings that are far from
 * the best are not counted. Every rank runs the same program as one device alone, on its share.
 */
import type { Parameters } from "../ckks/index.ts";
import {
  type CountsByPrime,
  elementClasses,
  kernelNames,
  placement,
  RankShare,
  type ShardingName,
} from "../kernels/index.ts";
import type { Machine } from "./setting.ts";

/** Sums in doubles are a little off. */
const exactly = 1 - 1e-9;

/** Seconds of computing on the first device, and of sending on the one that sends most, no more than `CutCosts` counts. */
export function leastOfCut(
  counts: CountsByPrime,
  sharding: ShardingName,
  parameters: Parameters,
  devices: number,
  machine: Pick<Machine, "times" | "cutTimes" | "barrier">,
): number {
  const { times, cutTimes, barrier } = machine;
  const cut = cutTimes?.(devices) ?? times;
  // Seconds by prime are of the times on whole ciphertexts.
  const slowness = Math.min(...kernelNames.map((name) => (times[name] === 0 ? 1 : cut[name] / times[name])));
  if (sharding === "limb-oa") return 0;
  const share = new RankShare({ name: sharding, chain: parameters }, devices, 0);
  // Kernels run on the limbs that a rank holds, and on more where limbs are brought together.
  let compute = 0;
  for (const [modulus, seconds] of counts.seconds.entries()) compute += slowness * seconds * share.limbs([modulus]);
  if (devices === 1) return exactly * compute;
  const words = 4 * parameters.degree;
  let bytes = 0;
  let collectives = 0;
  if (sharding === "coefficient") {
    // Each transform is an all-to-all of its own at least; every limb is multiplied by the twiddles of N points, which
    // is more than the shorter transform saves.
    const saved = (parameters.degree / devices) * (Math.log2(devices) / 2) * cut.ntt;
    const twiddles = parameters.degree * Math.min(cut.multiplySum, cut.product);
    compute += counts.transformed * Math.max(0, twiddles - saved);
    collectives += counts.transforms;
    bytes += (counts.transformed * words * (devices - 1)) / devices ** 2;
    // Values stay on the first rank where the element is 1 modulo twice the ranks, or else leave it.
    const stays = (element: number): boolean => element % (2 * devices) === 1;
    for (let element = 1; element < elementClasses; element += 2) {
      if (stays(element)) continue;
      collectives += counts.turns[element] as number;
      bytes += ((counts.turned[element] as number) * words) / devices;
    }
  } else {
    // What is transformed back is converted, or raised: every rank needs what the others hold of it.
    const { home, stored } = placement({ name: sharding, chain: parameters }, devices);
    const byRank = new Float64Array(devices);
    for (const [modulus, limbs] of counts.inverses.entries())
      if (stored(modulus) > 0) byRank[home(modulus)] += limbs * words * (devices - 1);
    bytes = Math.max(...byRank);
    // The limbs of one conversion are transformed in two calls where some are modulo special primes.
    collectives = counts.conversions;
  }
  return exactly * (compute + collectives * barrier.latencySeconds + bytes / barrier.bytesPerSecond);
}
