/** Kinds of devices by name: how one is opened, what is there, which is the fastest. */
import { AegisError } from "../base/errors.ts";
import type { Backend } from "./backend.ts";
import {
  availableInstructionSets,
  createNativeBackend,
  hostBytes,
  type InstructionSet,
  instructionSets,
} from "./native/backend.ts";
import { createReferenceBackend } from "./reference/backend.ts";
import { selfCheck } from "./self-check.ts";
import { createWasmBackend, largestWasmMemory } from "./wasm/backend.ts";
import { createWebgpuBackend, listAdapters } from "./webgpu/backend.ts";

/** `reference` computes by definitions, on big integers: for checking others. */
export const deviceKinds = ["native", "wasm", "webgpu", "reference"] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** A device as it is asked for: `native`, `native:avx2`, `wasm`, `webgpu`, `webgpu:GeForce`, … */
export interface DeviceSpec {
  readonly kind: DeviceKind;
  /** An instruction set of `native`; a part of the name of an adapter of `webgpu`. */
  readonly name?: string | undefined;
}

export interface DeviceOptions {
  /** Memory limit in bytes; by default what a device of this kind has. */
  readonly maximumBytes?: number;
  /** Threads that a native device shares its kernels over; one by default. */
  readonly threads?: number;
}

/** What is known of a device without work on it. */
export interface DeviceReport {
  readonly kind: DeviceKind;
  readonly name: string;
  readonly memoryBytes: number;
  /** Of one thread: nanoseconds of a transform for a coefficient and a bit of its modulus; null where it does not work. */
  readonly nttNsPerCoefficientBit: number | null;
  /** `passed`, or what is wrong. */
  readonly selfCheck: string;
}

/** Throws `argument` for a name that no device has. */
export function parseDevice(text: string, option = "--device"): DeviceSpec {
  const [kind = "", ...rest] = text.split(":");
  const name = rest.join(":");
  const refuse = (expected: string): AegisError =>
    new AegisError("argument", `${option}: expected ${expected}, got ${JSON.stringify(text)}`, {
      hint: "aegis devices lists what is here",
    });
  if (!(deviceKinds as readonly string[]).includes(kind)) throw refuse(`one of ${deviceKinds.join(", ")}`);
  if (kind === "native" && name !== "" && !(instructionSets as readonly string[]).includes(name))
    throw refuse(`native:NAME with one of ${instructionSets.join(", ")}`);
  if (kind === "webgpu" && rest.length > 0 && name === "") throw refuse("webgpu:NAME with a part of an adapter's name");
  if (kind !== "native" && kind !== "webgpu" && rest.length > 0) throw refuse(`${kind} without a name`);
  return name === "" ? { kind: kind as DeviceKind } : { kind: kind as DeviceKind, name };
}

/** As it is asked for, and told. */
export function describeDevice({ kind, name }: DeviceSpec): string {
  return name === undefined ? kind : `${kind}:${name}`;
}

/**
 * A backend on a device.
 *
 * @throws AegisError `device` where there is no such device or it does not work, `memory`
 */
export async function openDevice({ kind, name }: DeviceSpec, options: DeviceOptions = {}): Promise<Backend> {
  const { maximumBytes, threads } = options;
  const memory = maximumBytes === undefined ? {} : { maximumBytes };
  switch (kind) {
    case "native":
      return createNativeBackend({
        ...memory,
        ...(threads === undefined ? {} : { threads }),
        ...(name === undefined ? {} : { instructions: name as InstructionSet }),
      });
    case "wasm":
      return createWasmBackend({ maximumBytes: Math.min(maximumBytes ?? largestWasmMemory, largestWasmMemory) });
    case "webgpu":
      return createWebgpuBackend({ ...memory, ...(name === undefined ? {} : { adapter: name }) });
    case "reference":
      return createReferenceBackend(memory);
  }
}

/**
 * Bytes that a device has, when it is the only one of its process; of an adapter, what its buffers hold, up to
 * 4 GiB, since it does not tell its memory.
 */
export async function deviceMemory(spec: DeviceSpec): Promise<number> {
  switch (spec.kind) {
    case "native":
      return hostBytes();
    case "wasm":
      return largestWasmMemory;
    case "webgpu": {
      const backend = await openDevice(spec);
      const { limit } = backend.memory();
      backend.dispose();
      return limit;
    }
    case "reference":
      return 2 ** 30;
  }
}

/** Devices that may be here; some may not work. */
async function candidates(): Promise<DeviceSpec[]> {
  const native = await availableInstructionSets().catch(() => []);
  const adapters = (await mayHaveAdapter()) ? await listAdapters().catch(() => []) : [];
  return [
    ...native.map((name) => ({ kind: "native", name }) as const),
    { kind: "wasm" },
    ...adapters.map(({ name }) => ({ kind: "webgpu", name }) as const),
  ];
}

/**
 * Whether to look for adapters: on Linux where there is a graphics device or somebody names a driver. Looking for
 * what cannot be there takes time, and makes drivers complain on the terminal.
 */
async function mayHaveAdapter(): Promise<boolean> {
  if (typeof process === "undefined" || process.platform !== "linux") return true;
  if (process.env.VK_ICD_FILENAMES !== undefined || process.env.VK_DRIVER_FILES !== undefined) return true;
  const { existsSync } = await import("node:fs");
  return ["/dev/dri", "/dev/nvidia0", "/dev/dxg"].some((path) => existsSync(path));
}

/** Whether an adapter by this name computes on the processor: no faster than the other devices, and slower to start. */
function isSoftware({ kind, name = "" }: DeviceSpec): boolean {
  return kind === "webgpu" && /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(name);
}

/** Every device that is here, checked and measured, the fastest first. Takes a third of a second. */
export async function listDevices(): Promise<DeviceReport[]> {
  return examineAll(await candidates());
}

async function examineAll(specs: readonly DeviceSpec[]): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const spec of specs) reports.push(await examine(spec));
  return fastestFirst(reports);
}

/**
 * By the time of a transform; native sets, which come in the order of how good they are, stay in it: the better one may
 * owe its rank to other kernels. What does not work comes last.
 */
export function fastestFirst(reports: readonly DeviceReport[]): DeviceReport[] {
  const ranks = new Map<DeviceReport, number>();
  // A native set counts as fast as the fastest of those that follow.
  let native = Number.MAX_VALUE;
  for (const report of [...reports].reverse()) {
    const own = report.nttNsPerCoefficientBit;
    if (own !== null && report.kind === "native") native = Math.min(native, own);
    const working = report.kind === "native" ? native : own;
    ranks.set(report, own === null ? Number.MAX_VALUE : (working as number));
  }
  return [...reports].sort((a, b) => (ranks.get(a) as number) - (ranks.get(b) as number));
}

async function examine(spec: DeviceSpec): Promise<DeviceReport> {
  let base = { kind: spec.kind, name: spec.name ?? "simd128", memoryBytes: 0 };
  try {
    base = { ...base, memoryBytes: await deviceMemory(spec) };
    const backend = await openDevice(spec, { maximumBytes: measuredBytes });
    try {
      selfCheck(backend);
      return {
        ...base,
        nttNsPerCoefficientBit: measureTransform(backend, measuredMilliseconds[spec.kind]),
        selfCheck: "passed",
      };
    } finally {
      backend.dispose();
    }
  } catch (error) {
    const { message } = error as Error;
    return { ...base, nttNsPerCoefficientBit: null, selfCheck: message };
  }
}

/** Memory for checking and measuring. */
const measuredBytes = 2 ** 26;
const measuredLogN = 13;
/** The largest prime below 2^30 that is 1 modulo 2^14. */
const measuredPrime = 1073692673;
/** Engines compile WebAssembly for speed while it runs. */
const measuredMilliseconds = { native: 15, wasm: 100, webgpu: 100, reference: 0 };

/** Nanoseconds of a forward transform of one limb for a coefficient and a bit: the least of several. */
function measureTransform(backend: Backend, milliseconds: number): number {
  const ring = backend.ring(measuredLogN, [measuredPrime]);
  const limbs = { address: ring.allocate(1), moduli: [0] };
  ring.zero(limbs);
  let best = Number.POSITIVE_INFINITY;
  const begin = performance.now();
  do {
    const calls = 8;
    const start = performance.now();
    for (let call = 0; call < calls; call++) ring.forwardNtt(limbs);
    backend.finish?.();
    best = Math.min(best, (performance.now() - start) / calls);
  } while (performance.now() - begin < milliseconds);
  ring.release(limbs.address, 1);
  return (best * 1e6) / ring.degree / Math.log2(measuredPrime);
}

let chosen: Promise<DeviceSpec> | undefined;

/** The fastest device that is no adapter, by its name alone. */
export async function fastestProcessor(): Promise<DeviceSpec> {
  const [best] = await availableInstructionSets().catch(() => []);
  return best === undefined || best === "portable" ? { kind: "wasm" } : { kind: "native", name: best };
}

/** The fastest device that passes its check; found once. WebAssembly where there is no other. */
export function fastestDevice(): Promise<DeviceSpec> {
  chosen ??= (async () => {
    const all = await candidates();
    // Portable kernels are for processors without the others.
    const vector = all.some(({ name }) => name !== undefined && name !== "portable");
    const devices = await examineAll(all.filter((spec) => !isSoftware(spec) && !(vector && spec.name === "portable")));
    const best = devices.find(({ selfCheck: check }) => check === "passed");
    if (best === undefined) {
      throw new AegisError(
        "device",
        `no device works here: ${devices.map((device) => `${device.kind}: ${device.selfCheck}`).join("; ")}`,
        {
          hint: "Node needs WebAssembly with 128-bit SIMD",
        },
      );
    }
    return best.kind === "wasm" ? { kind: best.kind } : { kind: best.kind, name: best.name };
  })();
  return chosen;
}
