/**
 * What operations on ciphertexts that are cut take at least, from what the whole ones do: shardings that are far from
 * the best are not counted. Every rank runs the same program as one device alone, on its share.
 */
import type { Parameters } from "../ckks/index.ts";
import { type CountsByPrime, kernelNames, placement, RankShare, type ShardingName } from "../kernels/index.ts";
import type { Machine } from "./setting.ts";

/** Sums in doubles are a little off. */
const exactly = 1 - 1e-9;

/** Bounds under one sharding, for one number of devices. */
export class LeastCut {
  readonly #sharding: ShardingName;
  readonly #devices: number;
  readonly #degree: number;
  readonly #machine: Pick<Machine, "times" | "cutTimes" | "barrier">;
  /** Share of a limb modulo each prime that the first device holds. */
  readonly #shares: Float64Array;
  /** Who alone holds limbs modulo each prime; −1 where all do. */
  readonly #homes: Int32Array;

  constructor(
    sharding: ShardingName,
    parameters: Parameters,
    devices: number,
    machine: Pick<Machine, "times" | "cutTimes" | "barrier">,
  ) {
    this.#sharding = sharding;
    this.#devices = devices;
    this.#degree = parameters.degree;
    this.#machine = machine;
    const share = new RankShare({ name: sharding, chain: parameters }, devices, 0);
    this.#shares = Float64Array.from(parameters.primes, (_, modulus) => share.limbs([modulus]));
    const { home, stored } = placement({ name: sharding, chain: parameters }, devices);
    this.#homes = Int32Array.from(parameters.primes, (_, modulus) => (stored(modulus) > 0 ? home(modulus) : -1));
  }

  /** Seconds of computing on the first device and of sending on the one that sends most, no more than `CutCosts` counts. */
  of(counts: CountsByPrime): number {
    const devices = this.#devices;
    if (this.#sharding === "limb-oa") return 0;
    const { times, cutTimes, barrier } = this.#machine;
    const cut = cutTimes?.(devices) ?? times;
    // Seconds by prime are of the times on whole ciphertexts.
    const slowness = Math.min(...kernelNames.map((name) => (times[name] === 0 ? 1 : cut[name] / times[name])));
    // Kernels run on the limbs that a rank holds, and on more where limbs are brought together.
    let compute = 0;
    for (let m = 0; m < this.#shares.length; m++)
      compute += slowness * (counts.seconds[m] as number) * (this.#shares[m] as number);
    if (devices === 1) return exactly * compute;
    const words = 4 * this.#degree;
    let bytes = 0;
    let collectives = 0;
    if (this.#sharding === "coefficient") {
      // Each transform is an all-to-all of its own at least; every limb is multiplied by the twiddles of N points,
      // which is more than the shorter transform saves.
      const saved = (this.#degree / devices) * (Math.log2(devices) / 2) * cut.ntt;
      const twiddles = this.#degree * Math.min(cut.multiplySum, cut.product);
      compute += counts.transformed * Math.max(0, twiddles - saved);
      collectives += counts.transforms;
      bytes += (counts.transformed * words * (devices - 1)) / devices ** 2;
    } else {
      // What is transformed back is converted, or raised: every rank needs what the others hold of it.
      const byRank = new Float64Array(devices);
      for (const [m, home] of this.#homes.entries())
        if (home >= 0) byRank[home] = (byRank[home] as number) + (counts.inverses[m] as number) * words * (devices - 1);
      bytes = Math.max(...byRank);
      collectives = counts.conversions;
    }
    return exactly * (compute + collectives * barrier.latencySeconds + bytes / barrier.bytesPerSecond);
  }
}
