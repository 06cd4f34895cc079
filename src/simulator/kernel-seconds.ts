/**
 * Seconds of kernel work on a GPU, for each kind of kernel: bytes over bandwidth and operations over throughput,
 * as in a roofline (Williams et al., CACM 2009) whose two sides add up, and the launch shared out over the limbs
 * of a polynomial that one launch takes. Published bootstraps on devices of different balance are met better by
 * the sum than by the larger of the two.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import type { Parameters } from "../ckks/index.ts";
import { type KernelName, kernelNames } from "../kernels/index.ts";
import { range } from "../program/index.ts";
import type { KernelTimes } from "../transformer/index.ts";
import type { Profile } from "./profile.ts";

const cost = z.strictObject({
  /** Of device memory, for a unit of work. */
  bytes: z.number().positive().max(1024),
  /** On 32-bit words. */
  operations: z.number().positive().max(1024),
  source: z.string().min(1).max(300),
});

const share = z.strictObject({ value: z.number().positive().max(1), unit: z.string(), source: z.string().min(1) });

const schema = z.strictObject({
  words: z.union([z.literal(32), z.literal(64)]),
  title: z.string(),
  kernels: z.strictObject(
    Object.fromEntries(kernelNames.map((name) => [name, cost])) as Record<KernelName, typeof cost>,
  ),
  /**
   * Share of the bytes counted here that reach device memory, since kernels are fused and caches hold some, and share
   * of a device's operations that kernels reach.
   */
  shares: z.strictObject({ traffic: share, operations: share }),
});

/** What kernels of an implementation cost, whatever the device; see `profiles/kernels`. */
export type KernelSetting = z.infer<typeof schema>;

/** Words of 32 bits, as our kernels have them, or of 64, as most implementations on GPUs. */
export type WordSize = KernelSetting["words"];

export const wordSizes: readonly WordSize[] = [32, 64];

export async function loadKernelSetting(words: WordSize = 32): Promise<KernelSetting> {
  const file = `word${words}.json`;
  const result = schema.safeParse(
    JSON.parse(await readFile(new URL(`../../profiles/kernels/${file}`, import.meta.url), "utf8")),
  );
  if (result.success) return result.data;
  throw new AegisError("internal", `profiles/kernels/${file}: ${result.error.issues[0]?.message ?? "not valid"}`);
}

/** What a launch takes at once. */
export interface LaunchShape {
  readonly logN: number;
  /** Limbs of a polynomial, on average; of a device's share where ciphertexts are cut. */
  readonly limbs: number;
  /** Gadget digits, on average. */
  readonly digits: number;
}

/** Launches of whole ciphertexts at the parameters' mean level. */
export function launchShape(parameters: Parameters): LaunchShape {
  const levels = range(parameters.maximumLevel + 1);
  const mean = (of: (level: number) => number): number =>
    levels.reduce((sum, level) => sum + of(level), 0) / levels.length;
  return {
    logN: parameters.logN,
    limbs: mean((level) => parameters.limbs(level) + parameters.specialCount),
    digits: mean((level) => parameters.digitsAt(level).length),
  };
}

/** Terms of a sum of products that are made in one launch. */
const termsAtOnce = 8;

/** Seconds of a unit of each kind of kernel work. */
export function kernelSeconds(profile: Profile, { kernels, shares }: KernelSetting, shape: LaunchShape): KernelTimes {
  if (profile.kind === "measured") return profile.kernels.seconds;
  const bandwidth = profile.bandwidth.value / shares.traffic.value;
  const throughput = profile.operations.value * shares.operations.value;
  const residues = shape.limbs * 2 ** shape.logN;
  const seconds = (name: KernelName): number => {
    const { bytes, operations } = kernels[name];
    return bytes / bandwidth + operations / throughput + profile.launch.value / (residues * unitsOf(name, shape));
  };
  return Object.fromEntries(kernelNames.map((name) => [name, seconds(name)])) as KernelTimes;
}

/** Units of work for a residue of the result. */
function unitsOf(name: KernelName, { logN, limbs, digits }: LaunchShape): number {
  switch (name) {
    case "ntt":
      return logN / 2;
    case "convert":
      return Math.max(1, limbs / digits);
    case "multiplySum":
    case "multiplySumPair":
      return digits;
    case "productSums":
    case "runSums":
      return 2 * termsAtOnce;
    default:
      return 1;
  }
}
