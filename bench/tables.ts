/** The results of the benchmarks as tables for people. */
import Table from "cli-table3";
import type { BootstrapResult } from "./bootstrap.ts";
import type { ComparisonRow } from "./compare.ts";
import type { KernelTiming } from "./kernels.ts";
import type { KeyCosts } from "./keys.ts";

type Align = "left" | "right";

export function table(title: string, head: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const built = new Table({
    head: [...head],
    colAligns: head.map((_, i): Align => (i < left ? "left" : "right")),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) built.push([...row]);
  return `${title}\n${built.toString()}`;
}

const milliseconds = (ms: number): string => (ms < 1 ? ms.toFixed(3) : ms < 100 ? ms.toFixed(2) : ms.toFixed(0));
const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

export function showComparison(rows: readonly ComparisonRow[]): string {
  return [...new Set(rows.map((row) => row.logN))]
    .map((logN) => {
      const group = rows.filter((row) => row.logN === logN);
      const first = group[0] as ComparisonRow;
      const title =
        `N = 2^${logN}, log Q = ${first.logQ}, one thread, median milliseconds; ` +
        `ours: log QP ${first.oursLogQP.toFixed(0)}, scale 2^${first.oursLogScale.toFixed(1)}, ${first.oursLevels} levels; ` +
        `${first.rival}: log QP ${first.rivalLogQP.toFixed(0)}, scale 2^${first.rivalLogScale}, ${first.rivalLevels} levels`;
      return table(
        title,
        ["operation", "ours", first.rival, "faster", "our bits", "their bits"],
        group.map((row) => [
          row.operation,
          milliseconds(row.oursMs),
          milliseconds(row.rivalMs),
          `${row.ratio.toFixed(2)}×`,
          row.oursBits.toFixed(1),
          row.rivalBits.toFixed(1),
        ]),
      );
    })
    .join("\n\n");
}

export function showKeys(keys: KeyCosts): string {
  return table(
    `rotation key of ${keys.preset}: N = 2^${keys.logN}, log QP = ${keys.logQP.toFixed(0)}, ${keys.digits} digits`,
    ["made in", "paged in", "stored"],
    [
      [
        `${milliseconds(keys.generateMs)} ms`,
        `${milliseconds(keys.loadMs)} ms`,
        `${(keys.bytes / 2 ** 20).toFixed(1)} MiB`,
      ],
    ],
    0,
  );
}

export function showKernels(kernels: readonly KernelTiming[]): string {
  return table(
    "kernels of the WebAssembly backend, one thread",
    ["kernel", "N", "µs, minimum", "µs, median", "ns a coefficient"],
    kernels.map((timing) => [
      timing.name,
      `2^${timing.logN}`,
      timing.microseconds.toFixed(1),
      timing.medianMicroseconds.toFixed(1),
      timing.nsPerCoefficient.toFixed(3),
    ]),
  );
}

export function showBootstrap(result: BootstrapResult): string {
  return table(
    `bootstrapping with ${result.preset}: N = 2^${result.logN}, log QP = ${result.logQP.toFixed(0)}, ${result.slots} slots`,
    ["seconds", "mean bits", "least bits", "levels left", "keys", "key bytes", "keys made in", "peak memory"],
    [
      [
        result.seconds.toFixed(2),
        result.meanBits.toFixed(1),
        result.minBits.toFixed(1),
        String(result.levelsAfter),
        String(result.keys),
        gibibytes(result.keyBytes),
        `${result.keySeconds.toFixed(1)} s`,
        gibibytes(result.peakBytes),
      ],
    ],
    0,
  );
}
