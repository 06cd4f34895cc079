/**
 * Ranges of activations: the record that comes with a checkpoint (ranges.json), and a recorder
 * that makes one from the observer of the reference model.
 */
import { z } from "zod";
import { readLimited } from "./files.ts";
import { fileError, firstIssue, parseJson } from "./issues.ts";
import type { Observer } from "./reference.ts";

/** Extremes and quantiles of one activation. */
export interface ActivationRange {
  readonly min: number;
  readonly "p0.1": number;
  readonly p50: number;
  readonly "p99.9": number;
  readonly max: number;
  /** What was subtracted before exp, for `softmax_row_…_after_constant`. */
  readonly constant?: number | undefined;
}

/** Ranges by activation name, as in {@link Observer}. */
export type RangeTable = Readonly<Record<string, ActivationRange>>;

const range = z.object({
  min: z.number(),
  "p0.1": z.number(),
  p50: z.number(),
  "p99.9": z.number(),
  max: z.number(),
  constant: z.number().optional(),
});
const schema = z.object({ train: z.record(z.string(), range), test: z.record(z.string(), range) });

/**
 * The ranges stored next to a checkpoint, of the training and the test part. Throws an `io`
 * error when there is no ranges.json, `format` when it is not one.
 */
export async function loadRanges(
  directory: string,
): Promise<{ readonly train: RangeTable; readonly test: RangeTable }> {
  const parsed = schema.safeParse(parseJson(await readLimited(directory, "ranges.json", 2 ** 24), "ranges.json"));
  if (!parsed.success) throw fileError("format", "ranges.json", firstIssue(parsed.error));
  return parsed.data;
}

/** Bins of a histogram; positive and negative values have their own, a factor 1.01 apart. */
const ratio = Math.log(1.01);
const smallest = 1e-6;
const half = Math.ceil(Math.log(1e6 / smallest) / ratio);

class Histogram {
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  count = 0;
  /** Bin `half` holds what is within ±1e-6, the ones beside it grow to ±1e6. */
  readonly bins = new Float64Array(2 * half + 1);

  add(values: Float64Array): void {
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value < this.min) this.min = value;
      if (value > this.max) this.max = value;
      const magnitude = Math.abs(value);
      const step = magnitude < smallest ? 0 : Math.min(half, 1 + Math.floor(Math.log(magnitude / smallest) / ratio));
      this.bins[value < 0 ? half - step : half + step]++;
    }
    this.count += values.length;
  }

  quantile(share: number): number {
    let seen = 0;
    for (let bin = 0; bin < this.bins.length; bin++) {
      seen += this.bins[bin];
      if (seen < share * this.count) continue;
      const step = Math.abs(bin - half);
      const value = step === 0 ? 0 : Math.sign(bin - half) * smallest * Math.exp((step - 0.5) * ratio);
      return Math.min(this.max, Math.max(this.min, value));
    }
    return this.max;
  }
}

/**
 * Collects ranges over any number of forward passes. Extremes are exact, quantiles within 1 %
 * of the value. Pass {@link RangeRecorder.observe} as the observer.
 */
export class RangeRecorder {
  readonly #histograms = new Map<string, Histogram>();
  readonly #wanted: (name: string) => boolean;

  /** `wanted` chooses activations by name; all of them by default. */
  constructor(wanted: (name: string) => boolean = () => true) {
    this.#wanted = wanted;
  }

  readonly observe: Observer = (name, values) => {
    if (!this.#wanted(name) || values.length === 0) return;
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      histogram = new Histogram();
      this.#histograms.set(name, histogram);
    }
    histogram.add(values);
  };

  /** What was recorded so far, by name. */
  ranges(): RangeTable {
    const sorted = [...this.#histograms].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      sorted.map(([name, h]) => [
        name,
        { min: h.min, "p0.1": h.quantile(0.001), p50: h.quantile(0.5), "p99.9": h.quantile(0.999), max: h.max },
      ]),
    );
  }
}
