/**
 * `npm run bench [-- part …] [--json]`: the parts below in order, all of them by default; with `--backends
 * wasm,native` those backends beside each other. Tables
 * for people, one JSON object with `--json`; progress goes to stderr when it is a terminal.
 */
import { availableParallelism, cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { type BackendPart, type BackendsReport, backendParts, benchBackends, showBackends } from "./backends.ts";
import { type BertResult, benchBert, showBert } from "./bert.ts";
import type { BootstrapResult } from "./bootstrap.ts";
import type { ComparisonRow } from "./compare.ts";
import type { KernelTiming } from "./kernels.ts";
import type { KeyCosts } from "./keys.ts";
import { benchProfile, type ProfileResult, showProfile } from "./profile.ts";
import { benchRotation, type RotationResult, showRotation } from "./rotation.ts";
import { showBootstrap, showComparison, showKernels, showKeys } from "./tables.ts";

/** What `--json` prints; parts that were not asked for are missing. */
export interface BenchReport {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly node: string;
  };
  rows?: ComparisonRow[];
  keys?: KeyCosts;
  kernels?: KernelTiming[];
  bootstrap?: BootstrapResult;
  bert?: BertResult;
  rotation?: RotationResult;
  profile?: ProfileResult[];
  backends?: BackendsReport;
}

type Progress = (what: string) => void;

interface Part {
  readonly summary: string;
  run(report: BenchReport, progress: Progress): Promise<void>;
  show(report: BenchReport): string;
}

const parts: Readonly<Record<string, Part>> = {
  ckks: {
    summary: "this library and node-seal, operation by operation",
    async run(report, progress) {
      const { compare } = await import("./compare.ts");
      report.rows = await compare([13, 14, 15], progress);
    },
    show: ({ rows = [] }) => showComparison(rows),
  },
  keys: {
    summary: "a rotation key of the bootstrapping parameters",
    async run(report, progress) {
      const { benchKeys } = await import("./keys.ts");
      report.keys = await benchKeys(progress);
    },
    show: ({ keys }) => (keys === undefined ? "" : showKeys(keys)),
  },
  kernels: {
    summary: "each kernel of the WebAssembly backend",
    async run(report, progress) {
      const { benchKernels } = await import("./kernels.ts");
      report.kernels = await benchKernels((timing) => progress(timing.name));
    },
    show: ({ kernels = [] }) => showKernels(kernels),
  },
  rotation: {
    summary: "rotations in a ring of bootstrapping size",
    async run(report, progress) {
      report.rotation = await benchRotation(progress);
    },
    show: ({ rotation }) => (rotation === undefined ? "" : showRotation(rotation)),
  },
  bootstrap: {
    summary: "bootstrapping of a full ciphertext at 128 bits (minutes, about 6 GiB)",
    async run(report, progress) {
      const { benchBootstrap } = await import("./bootstrap.ts");
      report.bootstrap = await benchBootstrap(progress);
    },
    show: ({ bootstrap }) => (bootstrap === undefined ? "" : showBootstrap(bootstrap)),
  },
  bert: {
    summary: "an encrypted inference of the sentiment model at 128 bits (minutes, about 5 GiB)",
    async run(report, progress) {
      report.bert = await benchBert(progress);
    },
    show: ({ bert }) => (bert === undefined ? "" : showBert(bert)),
  },
  profile: {
    summary: "where the time of such an inference goes on the fastest device here, by operation and kernel (minutes)",
    async run(report, progress) {
      report.profile = await benchProfile(progress);
    },
    show: ({ profile = [] }) => showProfile(profile),
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backends: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const known = values.backends === undefined ? Object.keys(parts) : backendParts;
const unknown = positionals.filter((name) => !(known as readonly string[]).includes(name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`unknown part ${unknown.join(", ")}`);
  const lines = Object.entries(parts).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  const compared = `npm run bench -- --backends wasm,native [${backendParts.join("|")} …] [--json]`;
  console[values.help ? "log" : "error"](
    `npm run bench -- [part …] [--json]\n\n${lines.join("\n")}\n\n${compared}\n\n  backends beside each other, in turns`,
  );
  process.exit(values.help ? 0 : 2);
}

const progress: Progress = (what) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
};
const report: BenchReport = {
  machine: {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
  },
};
if (values.backends !== undefined) {
  const wanted = positionals.length === 0 ? backendParts : (positionals as BackendPart[]);
  report.backends = await benchBackends(values.backends.split(","), wanted, progress);
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  if (!values.json) console.log(showBackends(report.backends));
}
for (const [name, part] of values.backends === undefined ? Object.entries(parts) : []) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  await part.run(report, progress);
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  if (!values.json) console.log(`${part.show(report)}\n`);
}
if (values.json) console.log(JSON.stringify(report, null, 2));
