/** Runs programs: on a real backend, or dry on the null device. */

export { checkCheckpoint } from "./checkpoint.ts";
export { type RunIdentity, runIdentity } from "./checkpoint-manifest.ts";
export { measureCopies } from "./copy-speed.ts";
export { CountingKeys, type KeyUses } from "./counting-keys.ts";
export type { DeviceSetup } from "./device/messages.ts";
export { requireRunnable } from "./device/sharding.ts";
export { digestOf, digestOfCiphertexts } from "./digest.ts";
export {
  keyBudget,
  keyTraffic,
  type NeededKey,
  type PlanRequirements,
  planRequirements,
  type Requirements,
  requirements,
} from "./dry-run.ts";
export { measureKernels, measurePaging } from "./kernel-times.ts";
export { type Progress, type RunOptions, type RunResult, runProgram } from "./run.ts";
export {
  type CommunicationReport,
  type DeviceReport,
  defaultDeviceMemory,
  type PlanRun,
  type PlanRunResult,
  runPlan,
  sharedWords,
  shareKey,
  wasmDevices,
} from "./run-plan.ts";
