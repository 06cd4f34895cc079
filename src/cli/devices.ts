/** The devices that options name: what they run on, their memory, their threads, how fast they are. */
import { availableParallelism } from "node:os";
import { AegisError } from "../base/errors.ts";
import type { Parameters } from "../ckks/index.ts";
import {
  type Backend,
  type DeviceSpec,
  describeDevice,
  deviceMemory,
  fastestDevice,
  fastestProcessor,
  openDevice,
  parseDevice,
} from "../kernels/index.ts";
import { maximumDevices } from "../placement/index.ts";
import { type DeviceSetup, measureKernels } from "../runtime/index.ts";
import type { KernelTimes } from "../transformer/index.ts";
import { parseBytes, parseInteger } from "./arguments.ts";
import { formatBytes, warn } from "./output.ts";

export interface DeviceChoice {
  /** Kinds of devices, such as `native`; the fastest by default. */
  readonly device?: readonly string[];
  /** How many; as many as are named by default, or one. */
  readonly devices?: string;
  /** Threads of a native device; the cores shared out by default. */
  readonly threads?: string;
  /** Backend memory of a device, such as `4GiB`. */
  readonly memory?: string;
}

/** For `.option("--device <kind>", …)`: it may be given again. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

const kindsText =
  "native, wasm, webgpu or reference, with a name where there are several, such as native:avx2 or webgpu:GeForce";
const defaultText = "(default: the fastest here, see aegis devices)";
export const deviceOptionText = `${kindsText}; again for further devices ${defaultText}`;
export const oneDeviceOptionText = `${kindsText} ${defaultText}`;

/** Throws `argument` for what cannot be meant, `device` where no device works. */
export async function chooseDevices(choice: DeviceChoice): Promise<DeviceSetup[]> {
  const named = (choice.device ?? []).map((text) => parseDevice(text));
  const count =
    choice.devices === undefined
      ? Math.max(1, named.length)
      : parseInteger("--devices", choice.devices, 1, maximumDevices);
  if (named.length > maximumDevices)
    throw new AegisError("argument", `--device: expected at most ${maximumDevices} devices, got ${named.length}`);
  if (named.length > 1 && named.length !== count)
    throw new AegisError("argument", `--devices: expected ${named.length}, as many as --device names, got ${count}`);
  const threads = choice.threads === undefined ? undefined : parseInteger("--threads", choice.threads, 1, 256);
  const memory = choice.memory === undefined ? undefined : parseBytes("--memory", choice.memory, 2 ** 46);
  if (named.length === 0) named.push(await fastestOrWasm());
  const specs = Array.from({ length: count }, (_, i) => named[named.length === 1 ? 0 : i] as DeviceSpec);
  const natives = specs.filter(({ kind }) => kind === "native").length;
  const others = specs.filter(({ kind }) => kind === "wasm" || kind === "reference").length;
  const share = Math.max(1, Math.floor((availableParallelism() - others) / Math.max(1, natives)));
  return Promise.all(
    specs.map(async (spec) => {
      const native = spec.kind === "native";
      const webgpu = spec.kind === "webgpu";
      const all = await deviceMemory(spec);
      const own = native ? all / natives : all;
      // Of a native device the system has the last word, of an adapter its driver.
      if (memory !== undefined && memory > all && !native && !webgpu)
        throw new AegisError(
          "argument",
          `--memory: a ${spec.kind} device has ${formatBytes(all)} at most, got ${JSON.stringify(choice.memory)}`,
        );
      return {
        ...spec,
        threads: native ? (threads ?? share) : 1,
        memoryBytes: Math.floor(memory ?? own),
      };
    }),
  );
}

/** Says once when native kernels are missing. */
async function fastestOrWasm(): Promise<DeviceSpec> {
  const device = await fastestDevice();
  if (device.kind === "wasm") {
    warn("native kernels are not there or slower: WebAssembly is used (aegis devices says why)");
  }
  return device;
}

/** A backend for the client: of the first device's kind, unless it is an adapter. Clients work on processors. */
export async function openClientBackend([first]: readonly DeviceSetup[]): Promise<Backend> {
  const { kind, name, threads } = first as DeviceSetup;
  if (kind !== "webgpu") return openDevice({ kind, name }, { threads });
  return openDevice(await fastestProcessor(), { threads: availableParallelism() });
}

const measuredMemory = 2 ** 31;

/** Seconds of kernel work on each device, and on the first; devices of one kind and as many threads are measured once. */
export async function measureDevices(
  devices: readonly DeviceSetup[],
  { logN, primes }: Parameters,
): Promise<{ readonly times: KernelTimes; readonly paces: readonly number[] | undefined }> {
  const known = new Map<string, KernelTimes>();
  const all: KernelTimes[] = [];
  for (const device of devices) {
    const key = `${describeDevice(device)} ${device.threads}`;
    let times = known.get(key);
    if (times === undefined) {
      const backend = await openDevice(device, { maximumBytes: measuredMemory, threads: device.threads });
      try {
        times = measureKernels(backend, logN, primes);
      } finally {
        backend.dispose();
      }
      known.set(key, times);
    }
    all.push(times);
  }
  const times = all[0] as KernelTimes;
  return { times, paces: known.size === 1 ? undefined : all.map((own) => paceOf(own, times)) };
}

/** What a run spends on the kernels that it spends most on. */
const mix: Readonly<Partial<KernelTimes>> = {
  ntt: 0.35,
  convert: 0.25,
  multiplySumPair: 0.25,
  elementwise: 0.05,
  runSums: 0.1,
};

/** Seconds that a device takes for what takes another one second, to two digits: measurements are no better. */
function paceOf(own: KernelTimes, other: KernelTimes): number {
  let pace = 0;
  for (const [name, share] of Object.entries(mix)) {
    const kernel = name as keyof KernelTimes;
    pace += share * (own[kernel] / other[kernel]);
  }
  return Number(pace.toPrecision(2));
}
