/** The bench of devices as text for people. */
import Table from "cli-table3";
import type { DevicesBench } from "./devices.ts";

const style = { head: [], border: [], compact: true };
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Operations that lose most are shown. */
const mostOperations = 12;

export function showDevices(report: DevicesBench): string {
  const { layout, variants, operations } = report;
  const variantTable = new Table({
    head: ["", "seconds", "forecast", "faster", "efficiency", "exposed", "CPU", "bytes sent", "planned"],
    style,
  });
  const deviceTable = new Table({
    head: ["", "device", "set-up", "compute", "exposed", "peak", "work", "forecast", "of 1 device", "planned"].concat([
      "alive",
      "forecast",
      "of 1 device",
    ]),
    style,
  });
  for (const variant of variants) {
    variantTable.push([
      variant.name,
      variant.medianSeconds.toFixed(2),
      variant.forecastSeconds.toFixed(2),
      `${variant.speedup.toFixed(3)}×`,
      percent(variant.efficiency),
      percent(variant.exposedShare),
      percent(variant.cpuShare),
      String(variant.measuredBytes),
      String(variant.plannedBytes),
    ]);
    for (const [rank, device] of variant.perDevice.entries())
      deviceTable.push([
        rank === 0 ? variant.name : "",
        String(rank),
        `${device.setupSeconds.toFixed(2)} s`,
        `${device.computeSeconds.toFixed(2)} s`,
        `${device.exposedCommSeconds.toFixed(3)} s`,
        mebibytes(device.peakBytes),
        mebibytes(device.workBytes),
        mebibytes(device.forecastWorkBytes),
        percent(device.relativeWork),
        percent(device.relativePlanned),
        mebibytes(device.activationBytes),
        mebibytes(device.forecastActivationBytes),
        percent(device.relativeActivations),
      ]);
  }
  const operationTable = new Table({
    head: ["operation", "1 device", "of 2: device 0", "device 1", "computed twice", "uneven"],
    style,
  });
  const loss = ({ extra, uneven }: (typeof operations)[number]): number => extra / 2 + uneven;
  for (const one of [...operations].sort((a, b) => loss(b) - loss(a)).slice(0, mostOperations))
    operationTable.push([
      one.operation,
      ...[one.one, ...one.two, one.extra, one.uneven].map((seconds) => `${seconds.toFixed(2)} s`),
    ]);
  const security = report.securityBits > 0 ? `${report.securityBits}-bit security` : "WITHOUT SECURITY";
  return [
    `${report.model}, ${report.tokens} tokens, ${report.preset} (${security}, N = 2^${report.logN}): ${report.scoreCiphertexts} score ciphertexts (${layout.blocks} × ${layout.tokens} tokens of ${layout.lanes} lanes)`,
    `medians of ${report.repeats} runs in turns; ${report.machine.cores} cores, load ${report.machine.load.toFixed(2)} at the start; keys ${report.keySeconds.toFixed(1)} s apart; every run gave the same ciphertexts`,
    `in two threads at once this machine gives kernels alone ${report.ceiling.toFixed(3)}× the pace of one, two inferences of one device each ${report.separate.toFixed(3)}×`,
    variantTable.toString(),
    deviceTable.toString(),
    operationTable.toString(),
  ].join("\n");
}
