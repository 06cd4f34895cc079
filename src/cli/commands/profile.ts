/** `aegis profile`: this machine as a profile for `aegis simulate`. */
import { availableParallelism, cpus } from "node:os";
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import { Parameters, preset } from "../../ckks/index.ts";
import { describeDevice } from "../../kernels/index.ts";
import { threadMachine } from "../../placement/index.ts";
import { type DeviceSetup, measureCopies } from "../../runtime/index.ts";
import { type MeasuredProfile, parseProfile } from "../../simulator/index.ts";
import { chooseDevices, measureDevices, oneDeviceOptionText } from "../devices.ts";
import { formatBytes, printJson, printLine, table, withStatus, writeWhole } from "../output.ts";
import { checkPreset, defaultPreset } from "../session.ts";

interface Options {
  preset: string;
  name: string;
  device?: string;
  threads?: string;
  out?: string;
  json?: boolean;
}

export function profileCommand(): Command {
  return new Command("profile")
    .description("measure this machine's kernels: a profile for aegis simulate")
    .option("--preset <name>", "encryption parameters whose ring is measured", defaultPreset)
    .option("--name <name>", "name of the profile", "this-machine")
    .option("--device <kind>", oneDeviceOptionText)
    .option("--threads <n>", "threads of a native device (default: all cores)")
    .option("--out <file>", "write it to this .json file")
    .option("--json", "print it")
    .action(async (options: Options) => {
      const profile = await withStatus("measuring kernels", () => measured(options));
      if (options.out !== undefined) await writeWhole(options.out, `${JSON.stringify(profile, null, 2)}\n`);
      if (options.json === true) printJson(profile);
      else print(profile, options.out);
    });
}

async function measured({ preset: presetName, name, out, device, threads }: Options): Promise<MeasuredProfile> {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name))
    throw new AegisError("argument", `--name: expected small letters, digits and dashes, got ${JSON.stringify(name)}`);
  if (out !== undefined && !out.endsWith(".json"))
    throw new AegisError("argument", `--out: expected a .json file, got ${JSON.stringify(out)}`);
  checkPreset(presetName);
  const parameters = new Parameters(preset(presetName).spec);
  const chosen = await chooseDevices({
    ...(device === undefined ? {} : { device: [device] }),
    ...(threads === undefined ? {} : { threads }),
  });
  const setup = chosen[0] as DeviceSetup;
  const { times: seconds } = await measureDevices(chosen, parameters);
  const { link, barrier } = threadMachine(seconds);
  const copies = measureCopies();
  const machine = `${cpus()[0]?.model.trim() ?? "an unknown processor"}, Node ${process.versions.node}`;
  const source = `measured on ${machine}`;
  const what = `${describeDevice(setup)}, ${setup.threads} ${setup.threads === 1 ? "thread" : "threads"}`;
  const fitted = "fitted to runs of aegis on two threads of one host";
  const profile: MeasuredProfile = {
    name,
    title: `${machine}: ${what}`,
    kind: "measured",
    memory: { value: setup.memoryBytes, unit: "B", source: "what such a device holds, alone on this host" },
    kernels: { seconds, source: `${source}, N = 2^${parameters.logN}, ${what}, medians` },
    copies: {
      bandwidth: { value: copies, unit: "B/s", source: `${source}: into shared memory and out of it` },
      latency: { value: link.latencySeconds, unit: "s", source: fitted },
    },
    barrier: {
      bandwidth: { value: barrier.bytesPerSecond, unit: "B/s", source: fitted },
      latency: { value: barrier.latencySeconds, unit: "s", source: fitted },
    },
    devicesPerHost: {
      value: Math.max(1, Math.min(64, Math.floor(availableParallelism() / setup.threads))),
      unit: "devices",
      source: "cores by the threads of a device",
    },
    network: {
      bandwidth: { value: 1.25e9, unit: "B/s", source: "assumed: 10 Gigabit Ethernet" },
      latency: { value: 50e-6, unit: "s", source: "assumed: 10 Gigabit Ethernet" },
    },
  };
  // What is written can be read again.
  return parseProfile(JSON.stringify(profile), name) as MeasuredProfile;
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
