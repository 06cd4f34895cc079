/** Runs programs: on a real backend, or dry on the null device. */
export { CountingKeys, type KeyUses } from "./counting-keys.ts";
export { keyBudget, keyTraffic, type NeededKey, type Requirements, requirements } from "./dry-run.ts";
export { measureKernels, measurePaging } from "./kernel-times.ts";
export { type Progress, type RunOptions, type RunResult, runProgram } from "./run.ts";
