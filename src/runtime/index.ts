/** Runs programs: on a real backend, or dry on the null device. */
export { CountingKeys, type KeyUses } from "./counting-keys.ts";
export { type NeededKey, requirements, type Requirements } from "./dry-run.ts";
export { measureKernels } from "./kernel-times.ts";
export { type Progress, runProgram, type RunOptions, type RunResult } from "./run.ts";
