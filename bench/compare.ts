/** This library and node-seal side by side in one process, at the same ring and the same log2 Q. */
import { aegisSide } from "./aegis-side.ts";
import { measure } from "./measure.ts";
import { sealSide } from "./seal-side.ts";
import { correctBits, type Operation, operations } from "./sides.ts";

export interface ComparisonRow {
  readonly operation: Operation;
  readonly logN: number;
  /** log2 of the ciphertext modulus, to the nearest bit the same on both sides. */
  readonly logQ: number;
  /** Median milliseconds. */
  readonly oursMs: number;
  readonly rival: string;
  readonly rivalMs: number;
  /** rivalMs / oursMs: above 1 we are faster. */
  readonly ratio: number;
  /** Correct bits of the worst slot of the result, on each side. */
  readonly oursBits: number;
  readonly rivalBits: number;
  /** log2 of the modulus with special primes: what security depends on. */
  readonly oursLogQP: number;
  readonly rivalLogQP: number;
  /** Products in sequence, and log2 of the scale. */
  readonly oursLevels: number;
  readonly rivalLevels: number;
  readonly oursLogScale: number;
  readonly rivalLogScale: number;
}

/** Below this many correct bits a result counts as wrong. */
const minimumBits = 18;

/** @param report told what is being measured */
export async function compare(
  sizes: readonly number[] = [13, 14, 15],
  report: (what: string) => void = () => {},
): Promise<ComparisonRow[]> {
  const rows: ComparisonRow[] = [];
  for (const logN of sizes) {
    report(`keys at N = 2^${logN}`);
    const ours = await aegisSide(logN);
    const rival = await sealSide(logN);
    if (Math.round(ours.logQ) !== Math.round(rival.logQ)) {
      throw new Error(`N = 2^${logN}: log Q differs, ${ours.logQ.toFixed(1)} and ${rival.logQ.toFixed(1)}`);
    }
    for (const operation of operations) {
      report(`${operation} at N = 2^${logN}`);
      const oursBits = correctBits(operation, ours.result(operation));
      const rivalBits = correctBits(operation, rival.result(operation));
      if (!(oursBits > minimumBits && rivalBits > minimumBits)) {
        throw new Error(
          `${operation} at N = 2^${logN} is wrong: ${oursBits.toFixed(1)} and ${rivalBits.toFixed(1)} bits`,
        );
      }
      const [our, their] = measure([() => ours.run(operation), () => rival.run(operation)]);
      if (our === undefined || their === undefined) throw new Error("a measurement is missing");
      rows.push({
        operation,
        logN,
        logQ: Math.round(ours.logQ),
        oursMs: our.median,
        rival: rival.name,
        rivalMs: their.median,
        ratio: their.median / our.median,
        oursBits,
        rivalBits,
        oursLogQP: ours.logQP,
        rivalLogQP: rival.logQP,
        oursLevels: ours.levels,
        rivalLevels: rival.levels,
        oursLogScale: ours.logScale,
        rivalLogScale: rival.logScale,
      });
    }
    ours.dispose();
    rival.dispose();
  }
  return rows;
}
