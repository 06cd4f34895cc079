/** What operations cost, counted and not measured. */
export { BlankKeys, specialCountOf } from "./blank-keys.ts";
export { emptyWeights } from "./empty-weights.ts";
export { LinearCounts } from "./linear-counts.ts";
export { NullCosts } from "./null-costs.ts";
export { OperationCosts, type OperationPhase } from "./operation-costs.ts";
export { RecordingKeys } from "./recording-keys.ts";
export { type KernelTimes, referenceTimes, secondsOf } from "./times.ts";
export { keepTraces, tracesOf } from "./traces.ts";
