/**
 * Parameters for a wanted depth and precision, with the reasons. The smallest ring whose 128-bit
 * limit holds the chain wins: every operation costs in proportion to it.
 */
import { AegisError } from "../base/errors.ts";
import type { ParametersSpec } from "./parameters.ts";
import { maximumLogQP } from "./security.ts";

export interface Suggestion {
  readonly name: string;
  readonly spec: ParametersSpec | undefined;
  readonly reasons: readonly string[];
}

/** Room above the message at level 0, in bits. */
const headroom = 8;

/**
 * log2 of the noise of one product in slots, fresh rescale of a dense ternary secret:
 * √N (the embedding) · √(N/18) (rounding times secret), two bits for the key switch.
 */
function logNoise(logN: number): number {
  return logN - 2 + 2;
}

/** @param depth products in a row @param precision bits after all of them */
export function suggestParameters(depth: number, precision: number): Suggestion {
  const tried: string[] = [];
  for (let logN = 12; logN <= 16; logN++) {
    const wanted = precision + logNoise(logN) + Math.ceil(Math.log2(depth + 1) / 2);
    const level = representable(wanted);
    if (level === undefined) {
      tried.push(`a scale of 2^${wanted} for ${precision} bits at N = 2^${logN} is more than two primes of 29 bits`);
      continue;
    }
    const base = representable(level + headroom) ?? 87;
    const logQ = base + depth * level;
    const limit = maximumLogQP(logN, { kind: "ternary" });
    for (const digits of [1, 2, 3, 4, 6, 8]) {
      const specials = Math.max(1, Math.ceil(logQ / digits / 28.5));
      if (logQ + specials * 29 > limit) continue;
      return {
        name: `N = 2^${logN}, log Q = ${logQ}, log P = ${specials * 29}`,
        spec: {
          name: `custom-${logN}`,
          logN,
          logBase: base,
          logLevels: new Array<number>(depth).fill(level),
          logSpecial: new Array<number>(specials).fill(29),
          logScale: level,
          secret: { kind: "ternary" },
        },
        reasons: [
          ...tried,
          `each product leaves noise of about 2^${logNoise(logN)} in the slots, so ${precision} bits after ${depth} products ask for a scale of 2^${level}`,
          `${base} bits at level 0 (${headroom} above the scale) and ${depth} levels of ${level} bits: log Q = ${logQ}`,
          `${specials} special prime${specials === 1 ? "" : "s"} make ${digits} key-switching digit${digits === 1 ? "" : "s"}: log QP = ${logQ + specials * 29}, the limit for 128 bits at N = 2^${logN} is ${limit}`,
        ],
      };
    }
    tried.push(`N = 2^${logN} holds log QP ≤ ${limit}, log Q alone is ${logQ}`);
  }
  if (precision > 20) {
    throw new AegisError("parameters", `no parameters up to N = 2^16 give ${precision} bits after ${depth} products`, {
      hint: "lower the precision or the depth",
    });
  }
  return {
    name: "bootstrap-16",
    spec: undefined,
    reasons: [
      ...tried,
      "no ring up to N = 2^16 holds that depth without bootstrapping; bootstrap-16 refreshes levels as often as needed",
    ],
  };
}

/** The smallest size at or above `bits` that primes of 25 to 29 bits can make up. */
function representable(bits: number): number | undefined {
  if (bits <= 25) return 25;
  if (bits <= 29) return bits;
  if (bits <= 50) return 50;
  return bits <= 58 ? bits : undefined;
}
