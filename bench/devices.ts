/**
 * `npm run bench:devices [-- --json]`: one inference of the long model on one and on two thread devices, in
 * turns in one process, so that all see the same machine; with and without overlap.
 */
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type DevicesOptions, type DevicesReport, runDevices } from "./devices-runs.ts";
import { showDevices } from "./devices-tables.ts";

/** What `--json` prints. */
export interface DevicesBench extends DevicesReport {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly load: number; readonly node: string };
}

const help = `npm run bench:devices -- [--tokens N] [--repeats N] [--preset NAME] [--ring LOG_N] [--strategy NAME] [--json]

  --tokens N       tokens of the text (default 512)
  --repeats N      runs of each variant (default 1)
  --preset NAME    encryption parameters (default insecure-test, WITHOUT SECURITY, for a bench of minutes;
                   bootstrap-16 has 128-bit security and takes tens of minutes a run)
  --ring LOG_N     log2 of the ring of insecure-test (default 12)
  --strategy NAME  strategy of the plans on two devices (default aegis)`;

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "512" },
    repeats: { type: "string", default: "1" },
    preset: { type: "string", default: "insecure-test" },
    ring: { type: "string", default: "12" },
    strategy: { type: "string", default: "aegis" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  console.error(`--${name}: expected ${least} to ${most}, got ${JSON.stringify(text)}\n\n${help}`);
  process.exit(2);
}

const options: DevicesOptions = {
  tokens: integer("tokens", values.tokens, 2, 2048),
  repeats: integer("repeats", values.repeats, 1, 100),
  preset: values.preset,
  logN: integer("ring", values.ring, 11, 16),
  strategy: values.strategy,
};
const report: DevicesBench = {
  machine: {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    load: loadavg()[0] as number,
    node: process.version,
  },
  ...(await runDevices(options, (what) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
  })),
};
if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
console.log(values.json ? JSON.stringify(report, null, 2) : showDevices(report));
