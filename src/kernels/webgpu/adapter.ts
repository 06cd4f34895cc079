/** Finds adapters and opens devices, in Node (package `webgpu`) and in browsers. Runs in the worker. */
import { AegisError } from "../../base/errors.ts";
import type { AdapterDescription, AdapterLimits, AdapterRequest, ListedAdapter } from "./protocol.ts";
import { parameterWords } from "./protocol.ts";
import { tileLog, transformThreads } from "./shaders/transform.ts";

export const inNode = typeof process !== "undefined" && process.versions?.node !== undefined;

const noGpuHint = inNode
  ? "install a driver (Vulkan, Metal or Direct3D 12); `aegis` runs on the CPU without one"
  : "use a browser with WebGPU, over HTTPS or on localhost";

/** Not a literal: compilers and bundlers must not look for a package that may be missing. */
const bindingName: string = "webgpu";

/**
 * Kernels write workgroup memory before they read it. Clearing it first makes software adapters compile for seconds,
 * and every transform slower.
 */
const bindingOptions = ["enable-dawn-features=disable_workgroup_init"];

async function openGpu(options: readonly string[]): Promise<GPU> {
  if (!inNode) {
    const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
    if (gpu === undefined) throw new AegisError("device", "this browser has no WebGPU", { hint: noGpuHint });
    return gpu;
  }
  try {
    const { create } = (await import(bindingName)) as { create(options: string[]): GPU };
    return create([...bindingOptions, ...options]);
  } catch (cause) {
    const missing = (cause as { code?: string }).code === "ERR_MODULE_NOT_FOUND";
    throw new AegisError(
      "device",
      missing ? "the package webgpu is not installed" : `the package webgpu does not load: ${(cause as Error).message}`,
      { hint: missing ? "npm install webgpu" : "its prebuilt binaries may not fit this system", cause },
    );
  }
}

/** Asks for an adapter; undefined when there is none, and why. */
async function request(options: readonly string[], wanted: AdapterRequest): Promise<[GPU, GPUAdapter | null, string]> {
  const gpu = await openGpu(options);
  try {
    const adapter = await gpu.requestAdapter({
      powerPreference: wanted.powerPreference ?? "high-performance",
      ...(wanted.featureLevel === undefined ? {} : { featureLevel: wanted.featureLevel }),
    });
    return [gpu, adapter, ""];
  } catch (error) {
    return [gpu, null, (error as Error).message];
  }
}

function nameOf({ info }: GPUAdapter): string {
  return info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(" ") || "unnamed";
}

const limitNames = [
  "maxStorageBuffersPerShaderStage",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxUniformBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
  "minUniformBufferOffsetAlignment",
] as const satisfies readonly (keyof AdapterLimits)[];

function describe(adapter: GPUAdapter, wanted: AdapterRequest): AdapterDescription {
  const { info, limits } = adapter;
  return {
    name: nameOf(adapter),
    vendor: info.vendor,
    architecture: info.architecture,
    description: info.description,
    fallback: wanted.software ?? Boolean((info as { isFallbackAdapter?: boolean }).isFallbackAdapter),
    limits: Object.fromEntries(limitNames.map((name) => [name, limits[name]])) as unknown as AdapterLimits,
  };
}

/** A name that no adapter has: the Node binding then rejects with the names of those that there are. */
const nobody = "adapter=\u0001";

/** Adapters of this host. Throws `device` where WebGPU itself is missing. */
export async function findAdapters(wanted: AdapterRequest): Promise<ListedAdapter[]> {
  const options = wanted.nodeOptions ?? [];
  const [gpu, adapter] = await request(options, wanted);
  const description = adapter === null ? undefined : describe(adapter, wanted);
  if (!inNode) {
    return description === undefined ? [] : [{ name: description.name, backendType: "browser", description }];
  }
  const [, , message] = await request([...options, nobody], wanted);
  const listed = [...message.matchAll(/backend: '([^']*)', name: '([^']*)'/g)].map(([, backendType, name]) => ({
    backendType: backendType as string,
    name: name as string,
  }));
  // The driver must stay loaded until the list is made.
  void gpu;
  return listed.map((one, i) => (i === 0 && description !== undefined ? { ...one, description } : one));
}

/** What the kernels need at least. */
const needed: Partial<Record<(typeof limitNames)[number], number>> = {
  maxStorageBuffersPerShaderStage: 2,
  maxStorageBufferBindingSize: 2 ** 22,
  maxUniformBufferBindingSize: 4 * parameterWords,
  maxComputeWorkgroupStorageSize: 4 * 2 ** tileLog,
  maxComputeInvocationsPerWorkgroup: transformThreads,
  maxComputeWorkgroupsPerDimension: 2 ** 11,
};

export interface OpenDevice {
  /** All three are kept for as long as the device lives: the Node binding frees what nobody holds. */
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  readonly description: AdapterDescription;
}

/** Opens a device with all the storage that its adapter gives. Throws `device`. */
export async function openDevice(wanted: AdapterRequest): Promise<OpenDevice> {
  const byName = wanted.adapter !== undefined && inNode ? [`adapter=${wanted.adapter}`] : [];
  const [gpu, adapter, message] = await request([...(wanted.nodeOptions ?? []), ...byName], wanted);
  if (adapter === null) {
    const names = [...message.matchAll(/name: '([^']*)'/g)].map(([, name]) => name);
    throw new AegisError(
      "device",
      wanted.adapter === undefined
        ? "no WebGPU adapter"
        : `no WebGPU adapter is called ${JSON.stringify(wanted.adapter)}`,
      { hint: names.length > 0 ? `there are: ${names.join(", ")}` : noGpuHint },
    );
  }
  const description = describe(adapter, wanted);
  if (
    !inNode &&
    wanted.adapter !== undefined &&
    !description.name.toLowerCase().includes(wanted.adapter.toLowerCase())
  ) {
    throw new AegisError("device", `no WebGPU adapter is called ${JSON.stringify(wanted.adapter)}`, {
      hint: `the browser offers: ${description.name}`,
    });
  }
  for (const [name, least] of Object.entries(needed) as [keyof AdapterLimits, number][]) {
    if (description.limits[name] >= least) continue;
    throw new AegisError(
      "device",
      `${description.name}: ${name} is ${description.limits[name]}, the kernels need ${least}`,
      { hint: "use another adapter or the wasm backend" },
    );
  }
  const { limits } = description;
  try {
    const device = await adapter.requestDevice({
      requiredLimits: {
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxBufferSize: limits.maxBufferSize,
        maxComputeInvocationsPerWorkgroup: transformThreads,
        maxComputeWorkgroupSizeX: transformThreads,
        maxComputeWorkgroupStorageSize: 4 * 2 ** tileLog,
      },
    });
    return { gpu, adapter, device, description };
  } catch (cause) {
    throw new AegisError("device", `${description.name}: ${(cause as Error).message}`, {
      hint: "the adapter refuses the limits it announces: update its driver, or use another",
      cause,
    });
  }
}
