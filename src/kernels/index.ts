/** The kernel layer: the interface, its implementations, and a way to choose one by name. */
import type { Backend } from "./backend.ts";
import { openDevice } from "./devices.ts";

export type {
  Backend,
  ConversionTable,
  DigitSource,
  KeyBasis,
  KeyProduct,
  Limbs,
  MemoryReport,
  ProductSums,
  RingKernels,
  SwitchingKeyLimbs,
} from "./backend.ts";
export { limbPadding, maximumPrime, minimumPrime, streamStateWords } from "./backend.ts";
export {
  type DeviceKind,
  type DeviceOptions,
  type DeviceReport,
  type DeviceSpec,
  describeDevice,
  deviceKinds,
  deviceMemory,
  fastestDevice,
  fastestProcessor,
  listDevices,
  openDevice,
  parseDevice,
} from "./devices.ts";
export {
  availableInstructionSets,
  createNativeBackend,
  type InstructionSet,
  instructionSets,
  NativeBackend,
  type NativeBackendOptions,
} from "./native/backend.ts";
export { NullBackend } from "./null/backend.ts";
export { emptyWork, type KernelName, type KernelWork, kernelNames } from "./null/work.ts";
export { type CountsByPrime, countsByPrime, WorkByPrime } from "./null/work-by-prime.ts";
export { createReferenceBackend, type ReferenceBackendOptions } from "./reference/backend.ts";
export { checkWord, expectedCheck, selfCheck } from "./self-check.ts";
export * from "./sharded/index.ts";
export { createWasmBackend, type WasmBackendOptions } from "./wasm/backend.ts";
export {
  createWebgpuBackend,
  listAdapters,
  type WebgpuBackend,
  type WebgpuBackendOptions,
} from "./webgpu/backend.ts";
export type { AdapterDescription, AdapterLimits, ListedAdapter, WebgpuStatistics } from "./webgpu/protocol.ts";

/** Names of the backends that run anywhere Node does. */
export const backendNames = ["wasm", "native", "reference"] as const;
export type BackendName = (typeof backendNames)[number];

/** Makes a backend with its default options. Throws `device` for a native one where it was not built. */
export async function createBackend(name: BackendName): Promise<Backend> {
  return openDevice({ kind: name });
}
