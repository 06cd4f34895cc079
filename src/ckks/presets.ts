/**
 * Named parameters. What each promises (levels, precision, failure probability, key bytes) is
 * stated here and held by tests.
 */
import { AegisError } from "../base/errors.ts";
import type { ParametersSpec } from "./parameters.ts";

/** A named parameter set and what it promises. */
export interface Preset {
  readonly spec: ParametersSpec;
  readonly summary: string;
  /** Mean bits of precision of bootstrapping with full slots, at least. */
  readonly bootstrappingBits?: number;
  /** log2 of the probability that a bootstrapping fails. */
  readonly logFailure?: number;
}

const repeat = (bits: number, count: number): number[] => new Array<number>(count).fill(bits);

/**
 * Sizes shared by all presets with bootstrapping, from level 1 upwards: slots → coefficients (its
 * dense factor at the lowest level has the finer plaintexts, and the change to the smaller scale of
 * `logMessageRatio`), what programs use, unpacking, EvalMod, coefficients → slots.
 *
 * With 15 special primes at N = 2^16: log2(QP) = 1742.9, three gadget digits, an evaluation key at the
 * highest level of 50 MB (seed-compressed) and 101 MB (in use). Bootstrapping takes 15 rotation keys at
 * full slots, 16 at a quarter of N. Measured with values uniform in [−1, 1]: 22.2 to 22.7 bits on
 * average, 18.3 for the worst of 32768 slots.
 */
function bootstrappingLevels(usable: number): number[] {
  return [50, 29, 29, ...repeat(50, usable), 29, ...repeat(56, 8), ...repeat(53, 3)];
}

const bootstrapping = {
  slotsToCoefficients: 3,
  coefficientsToSlots: 3,
  logMessageRatio: 13,
  range: 16,
  cosineDegree: 56,
  doubleAngles: 2,
  ephemeralWeight: 32,
} as const;

export const presets = {
  "bootstrap-16": {
    summary: "Encrypted Transformers: bootstrapping with 10 levels of 50 bits left",
    bootstrappingBits: 21.5,
    logFailure: -138.7,
    spec: {
      name: "bootstrap-16",
      logN: 16,
      logBase: 58,
      logLevels: bootstrappingLevels(10),
      logSpecial: repeat(29.4, 15),
      logScale: 50,
      secret: { kind: "ternary" },
      bootstrapping,
    },
  },
  "insecure-test": {
    summary: "Tests only: every operation and bootstrapping on a small ring without security",
    bootstrappingBits: 20,
    spec: {
      name: "insecure-test",
      logN: 11,
      logBase: 58,
      logLevels: bootstrappingLevels(10),
      logSpecial: repeat(29.4, 15),
      logScale: 50,
      secret: { kind: "ternary" },
      bootstrapping,
      insecure: true,
    },
  },
  "compute-13": {
    summary: "Small circuits without bootstrapping: 2 products of values at scale 2^40",
    spec: {
      name: "compute-13",
      logN: 13,
      logBase: 56,
      logLevels: [56, 28],
      logSpecial: [29, 29],
      logScale: 40,
      secret: { kind: "ternary" },
    },
  },
  "compute-14": {
    summary: "Circuits without bootstrapping: 6 levels of 53 bits",
    spec: {
      name: "compute-14",
      logN: 14,
      logBase: 59,
      logLevels: repeat(53.15, 6),
      logSpecial: [26, 26],
      logDigit: 59.5,
      logScale: 53.15,
      secret: { kind: "ternary" },
    },
  },
  "compute-15": {
    summary: "Deep circuits without bootstrapping: 13 levels of 58.5 bits; at level 0 values up to 0.7 fit",
    spec: {
      name: "compute-15",
      logN: 15,
      logBase: 58.95,
      logLevels: repeat(58.52, 13),
      logSpecial: [24.05, 24.18],
      logDigit: 59.2,
      logScale: 58.52,
      secret: { kind: "ternary" },
    },
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof presets;

/** The preset of that name; throws `argument` with the names there are. */
export function preset(name: string): Preset {
  const found = (presets as Record<string, Preset>)[name];
  if (found === undefined) {
    throw new AegisError(
      "argument",
      `preset: expected one of ${Object.keys(presets).join(", ")}, got ${JSON.stringify(name)}`,
    );
  }
  return found;
}
