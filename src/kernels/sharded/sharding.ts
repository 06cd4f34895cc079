/**
 * How polynomials are cut over n devices (ranks). In the limb shardings each limb has a *home*
 * rank; in the coefficient sharding every rank has a part of every limb. Sources: input broadcast
 * and output aggregation as in Cinnamon (Jayashankar et al., ASPLOS 2025).
 */
import { AegisError } from "../../base/errors.ts";
import { cutAt, type Layout, maximumRanks, whole } from "./layout.ts";

export const shardingNames = ["limb", "limb-ib", "limb-oa", "coefficient"] as const;

/**
 * - `limb`: limb i of the table of primes is at home on rank i mod n. Base conversions gather
 *   their source limbs.
 * - `limb-ib` (input broadcast): the same, but every rank holds and computes the limbs modulo the
 *   special primes, so that a division by them needs no communication.
 * - `limb-oa` (output aggregation): rank d mod n is the home of the limbs of gadget digit d. It
 *   raises that digit and multiplies it with the key by itself; sums over the digits stay sums over
 *   the ranks until after ModDown, when they are brought together.
 * - `coefficient`: rank r holds the coefficients i ≡ r mod n, or the r-th block of N/n NTT values.
 *   Transforms exchange all but the own part of a polynomial, conversions are local.
 */
export type ShardingName = (typeof shardingNames)[number];

/** What a sharding goes by; the parameters of a scheme are one. */
export interface PrimeChain {
  /** log2 of the degree of the ring whose polynomials are cut. */
  readonly logN: number;
  /** Special primes at the beginning of the table of primes. */
  readonly specialCount: number;
  /** Limb ranges [from, to) of the gadget digits, counted from the first prime that is not special. */
  readonly digits: readonly (readonly [number, number])[];
}

export interface Sharding {
  readonly name: ShardingName;
  readonly chain: PrimeChain;
}

/** Where a limb sharding puts limbs, by index into the table of primes. */
export interface Placement {
  readonly home: (modulus: number) => number;
  /** Limbs that are loaded, drawn or zero, and results of conversions from limbs that are cut. */
  readonly stored: (modulus: number) => Layout;
  /** Limbs of numbers that all ranks know, and results of conversions from limbs that all ranks hold. */
  readonly known: (modulus: number) => Layout;
  /** Whether sums over gadget digits are sums over ranks. */
  readonly aggregates: boolean;
  /** Mean share of a limb that a rank holds. */
  readonly share: number;
}

/** @throws AegisError `plan` for a number of ranks that the sharding cannot have */
export function checkRanks({ name, chain }: Sharding, size: number): void {
  if (!Number.isInteger(size) || size < 1 || size > maximumRanks) {
    throw new AegisError("plan", `sharding ${name}: expected 1 to ${maximumRanks} devices, got ${size}`, {
      hint: "use a strategy that leaves ciphertexts whole for more",
    });
  }
  const limbs = limbsOf(chain);
  if (name !== "coefficient" && limbs > 0 && size > limbs) {
    throw new AegisError("plan", `sharding ${name}: ${size} devices for ${limbs} limbs leave some without any`, {
      hint: `use at most ${limbs} devices`,
    });
  }
  if (name === "coefficient" && ((size & (size - 1)) !== 0 || Math.max(4, size) * size > 2 ** chain.logN)) {
    throw new AegisError(
      "plan",
      `sharding coefficient: expected a power of two of devices, at most the root of the degree 2^${chain.logN}, got ${size}`,
      { hint: "use a limb sharding for other numbers of devices" },
    );
  }
}

/** Limbs of polynomials over all primes. */
function limbsOf({ specialCount, digits }: PrimeChain): number {
  return specialCount + (digits.at(-1)?.[1] ?? 0);
}

/** Where a limb sharding puts what. */
export function placement({ name, chain }: Sharding, size: number): Placement {
  const special = (modulus: number): boolean => modulus < chain.specialCount;
  const roundRobin = (modulus: number): number => modulus % size;
  if (name === "limb-oa") {
    const homes = chain.digits.flatMap(([from, to], digit) => new Array<number>(to - from).fill(digit % size));
    const home = (modulus: number): number =>
      special(modulus) ? roundRobin(modulus) : (homes[modulus - chain.specialCount] ?? roundRobin(modulus));
    return {
      home,
      stored: (modulus) => (special(modulus) ? whole : cutAt(home(modulus))),
      known: () => whole,
      aggregates: true,
      share: 1 / size,
    };
  }
  const replicated = name === "limb-ib";
  const stored = (modulus: number): Layout => (replicated && special(modulus) ? whole : cutAt(roundRobin(modulus)));
  const limbs = limbsOf(chain);
  const everywhere = replicated ? chain.specialCount : 0;
  return {
    home: roundRobin,
    stored,
    known: stored,
    aggregates: false,
    share: limbs === 0 ? 1 / size : (everywhere + (limbs - everywhere) / size) / limbs,
  };
}
