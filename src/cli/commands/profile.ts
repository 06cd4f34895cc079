/** `aegis profile`: this machine as a profile for `aegis simulate`. */
import { availableParallelism, cpus } from "node:os";
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import { Parameters, preset } from "../../ckks/index.ts";
import { createBackend } from "../../kernels/index.ts";
import { threadMachine } from "../../placement/index.ts";
import { defaultDeviceMemory, measureCopies, measureKernels } from "../../runtime/index.ts";
import { type MeasuredProfile, parseProfile } from "../../simulator/index.ts";
import { formatBytes, printJson, printLine, table, withStatus, writeWhole } from "../output.ts";
import { checkPreset, defaultPreset } from "../session.ts";

interface Options {
  preset: string;
  name: string;
  out?: string;
  json?: boolean;
}

export function profileCommand(): Command {
  return new Command("profile")
    .description("measure this machine's kernels: a profile for aegis simulate")
    .option("--preset <name>", "encryption parameters whose ring is measured", defaultPreset)
    .option("--name <name>", "name of the profile", "this-machine")
    .option("--out <file>", "write it to this .json file")
    .option("--json", "print it")
    .action(async (options: Options) => {
      const profile = await withStatus("measuring kernels", () => measured(options));
      if (options.out !== undefined) await writeWhole(options.out, `${JSON.stringify(profile, null, 2)}\n`);
      if (options.json === true) printJson(profile);
      else print(profile, options.out);
    });
}

async function measured({ preset: presetName, name, out }: Options): Promise<MeasuredProfile> {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name))
    throw new AegisError("argument", `--name: expected small letters, digits and dashes, got ${JSON.stringify(name)}`);
  if (out !== undefined && !out.endsWith(".json"))
    throw new AegisError("argument", `--out: expected a .json file, got ${JSON.stringify(out)}`);
  checkPreset(presetName);
  const parameters = new Parameters(preset(presetName).spec);
  const backend = await createBackend("wasm");
  try {
    const seconds = measureKernels(backend, parameters.logN, parameters.primes);
    const { link, barrier } = threadMachine(seconds);
    const copies = measureCopies();
    const machine = `${cpus()[0]?.model.trim() ?? "an unknown processor"}, Node ${process.versions.node}`;
    const source = `measured on ${machine}`;
    const fitted = "fitted to runs of aegis on two threads of one host";
    const profile: MeasuredProfile = {
      name,
      title: `${machine}: threads with WebAssembly`,
      kind: "measured",
      memory: { value: defaultDeviceMemory, unit: "B", source: "what a WebAssembly memory holds" },
      kernels: { seconds, source: `${source}, N = 2^${parameters.logN}, one thread, medians` },
      copies: {
        bandwidth: { value: copies, unit: "B/s", source: `${source}: into shared memory and out of it` },
        latency: { value: link.latencySeconds, unit: "s", source: fitted },
      },
      barrier: {
        bandwidth: { value: barrier.bytesPerSecond, unit: "B/s", source: fitted },
        latency: { value: barrier.latencySeconds, unit: "s", source: fitted },
      },
      devicesPerHost: {
        value: Math.min(64, availableParallelism()),
        unit: "devices",
        source: "a thread for each core",
      },
      network: {
        bandwidth: { value: 1.25e9, unit: "B/s", source: "assumed: 10 Gigabit Ethernet" },
        latency: { value: 50e-6, unit: "s", source: "assumed: 10 Gigabit Ethernet" },
      },
    };
    // What is written can be read again.
    return parseProfile(JSON.stringify(profile), name) as MeasuredProfile;
  } finally {
    backend.dispose();
  }
}

function print({ title, kernels, copies }: MeasuredProfile, out: string | undefined): void {
  printLine(title);
  printLine(
    table(
      ["kernel", "ns a unit"],
      Object.entries(kernels.seconds).map(([name, seconds]) => [name, (1e9 * seconds).toFixed(3)]),
    ),
  );
  printLine(`copies between threads: ${formatBytes(copies.bandwidth.value)} a second`);
  if (out !== undefined) printLine(`written to ${out}; aegis simulate --profile ${out} plays plans on it`);
}
