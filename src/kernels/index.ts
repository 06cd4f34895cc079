/** The kernel layer: the interface, its implementations, and a way to choose one by name. */
import type { Backend } from "./backend.ts";
import { createReferenceBackend } from "./reference/backend.ts";
import { createWasmBackend } from "./wasm/backend.ts";

export type {
  Backend,
  ConversionTable,
  DigitSource,
  KeyProduct,
  Limbs,
  MemoryReport,
  ProductSums,
  RingKernels,
  SwitchingKeyLimbs,
} from "./backend.ts";
export { limbPadding, maximumPrime, minimumPrime } from "./backend.ts";
export {
  availableInstructionSets,
  createNativeBackend,
  type InstructionSet,
  instructionSets,
  NativeBackend,
  type NativeBackendOptions,
} from "./native/backend.ts";
export { emptyWork, type KernelName, type KernelWork, kernelNames, NullBackend } from "./null/backend.ts";
export { createReferenceBackend, type ReferenceBackendOptions } from "./reference/backend.ts";
export * from "./sharded/index.ts";
export { createWasmBackend, type WasmBackendOptions } from "./wasm/backend.ts";

/** Names of the backends. */
export const backendNames = ["wasm", "reference"] as const;
export type BackendName = (typeof backendNames)[number];

/** Makes a backend with its default options. */
export async function createBackend(name: BackendName): Promise<Backend> {
  return name === "wasm" ? createWasmBackend() : createReferenceBackend();
}
