/** Paired timing: the contestants take turns in short rounds, so that both see the same machine. */
import { Bench } from "tinybench";

export interface Measured {
  /** Median over all samples, in milliseconds. */
  readonly median: number;
  /** The fastest sample, in milliseconds. */
  readonly minimum: number;
  readonly samples: number;
}

export interface MeasureOptions {
  /** Rounds in which the contestants take turns. Default 6. */
  readonly rounds?: number;
  /** Milliseconds for each contestant in each round. Default 90. */
  readonly roundMs?: number;
  /** Samples of each contestant in each round, at least. Default 3. */
  readonly iterations?: number;
}

/** Measures every function of `contestants`; results in the same order. */
export function measure(contestants: readonly (() => void)[], options: MeasureOptions = {}): Measured[] {
  const { rounds = 6, roundMs = 90, iterations = 3 } = options;
  const samples: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({
      time: roundMs,
      iterations,
      warmup: true,
      warmupTime: round === 0 ? roundMs / 2 : 0,
      warmupIterations: round === 0 ? 2 : 1,
      retainSamples: true,
      throws: true,
    });
    for (const [i, run] of contestants.entries()) bench.add(String(i), run);
    for (const [i, task] of bench.runSync().entries()) {
      const { result } = task;
      if (!("latency" in result)) throw new Error(`the measurement ended in state ${result.state}`);
      samples[i]?.push(...(result.latency.samples ?? []));
    }
  }
  return samples.map((times) => {
    times.sort((a, b) => a - b);
    return { median: times[times.length >> 1] as number, minimum: times[0] as number, samples: times.length };
  });
}

/** Time of one call in milliseconds and its result, for what is too long to repeat. */
export function once<Result>(run: () => Result): { readonly ms: number; readonly result: Result } {
  const started = performance.now();
  const result = run();
  return { ms: performance.now() - started, result };
}
