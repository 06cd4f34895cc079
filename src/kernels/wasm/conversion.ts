/**
 * Lays a base conversion table out for the module: `assembly/convert.ts` says how. Factors are
 * in Montgomery form; where all primes concerned are below 2^29 they may be split into digits.
 * Centring y_i by −q_i then counts as one less of v, since (Q/q_i)·q_i = Q.
 */
import { AegisError } from "../../base/errors.ts";
import type { ConversionTable } from "../backend.ts";
import { type ModulusConstants, multiplyModulo, planSum } from "../modulus.ts";

/** Most sources of a conversion: their number bounds the sums of both ways. */
export const maximumSources = 24;
/** Primes below this are converted by digits. */
const narrowLimit = 2 ** 29;

interface Digits {
  readonly low: number;
  readonly high: number;
}

/** The two 15-bit digits of a residue centred modulo q. */
function digits(residue: number, q: number): Digits {
  const centred = residue > q / 2 ? residue - q : residue;
  const high = Math.round(centred / 2 ** 15);
  return { low: centred - high * 2 ** 15, high };
}

/** Two signed 16-bit values in one word. */
function packed(first: number, second: number): number {
  return ((first & 0xffff) | (second << 16)) >>> 0;
}

/**
 * Pairs of sources that may be added between two carries: the digits of a centred y are at most
 * 2^14 and 2^13 in size, and sums stay below 2^31 also with what earlier carries left behind.
 */
function carryInterval(factors: readonly Digits[]): number {
  const room = 2 ** 31 - 2 ** 18;
  const pairs = factors.length / 2;
  const fits = (interval: number): boolean => {
    for (let first = 0; first < pairs; first += interval) {
      let [low, middle] = [0, 0];
      for (const factor of factors.slice(2 * first, 2 * (first + interval))) {
        low += 2 ** 14 * Math.abs(factor.low);
        middle += 2 ** 14 * Math.abs(factor.high) + 2 ** 13 * Math.abs(factor.low);
      }
      if (low > room || middle > room) return false;
    }
    return true;
  };
  let interval = pairs;
  while (!fits(interval)) interval--;

  return interval;
}

/**
 * Whether digits are faster: they cost more for each source and each target and less for each
 * product. The figures are nanoseconds for a coefficient as measured on one machine (Zen 5).
 */
function digitsPay(sources: number, targets: number): boolean {
  const narrow = 0.65 * sources + targets * (0.55 + 0.078 * sources);
  const wide = 0.35 * sources + targets * (0.37 + 0.125 * sources);
  return narrow < wide;
}

export interface ConversionConstants {
  readonly words: readonly number[];
  /** 1: there are narrow targets, 2: wide ones, 3: both. */
  readonly kinds: number;
}

export function conversionConstants(table: ConversionTable, moduli: readonly ModulusConstants[]): ConversionConstants {
  const sources = table.from.length;
  if (sources > maximumSources) {
    throw new AegisError(
      "internal",
      `a base conversion of ${sources} sources: at most ${maximumSources} are supported`,
    );
  }
  const words: number[] = [];
  table.from.forEach((m, i) => {
    const { q } = moduli[m];
    const inverse = table.inverses[i];
    words.push(q, inverse, Number((BigInt(inverse) << 32n) / BigInt(q)), table.fractions[i]);
  });
  const largest = Math.max(...table.from.map((m) => moduli[m].q)) - 1;
  const preferDigits = largest < narrowLimit && digitsPay(sources, table.to.length);
  let kinds = 0;
  table.to.forEach((m, j) => {
    const { q, qInverse, radix } = moduli[m];
    const factors: number[] = [];
    for (let i = 0; i < sources; i++) factors.push(multiplyModulo(table.factors[j * sources + i], radix, q));
    // v, at most `sources`, is the last of the terms and smaller than any residue may be.
    factors.push(multiplyModulo((q - table.products[j]) % q, radix, q));
    if (factors.length % 2 === 1) factors.push(0);
    if (preferDigits && q < narrowLimit) {
      kinds |= 1;
      const split = factors.map((factor) => digits(factor, q));
      words.push(q, qInverse, 0, carryInterval(split), 0);
      for (let i = 0; i < split.length; i += 2) {
        words.push(packed(split[i].low, split[i + 1].low), packed(split[i].high, split[i + 1].high));
      }
    } else {
      kinds |= 2;
      const { interval, foldBy, steps } = planSum(sources + 1, largest * (q - 1), q);
      words.push(q, qInverse, interval, foldBy, steps, ...factors);
    }
  });
  return { words, kinds };
}
