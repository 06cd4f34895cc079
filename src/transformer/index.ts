/** Encrypted operators, and the compiler from a model to a program. */
export * from "./calibration.ts";
export { buildGraph, type UnscheduledProgram } from "./graph.ts";
export { Twin, type TwinResult } from "./twin.ts";
export { type FoldedWeights, foldWeights } from "./weights.ts";
export { bootstrapPlaces, chooseGeometry, compile, type Compiled, type CompileOptions } from "./compile.ts";
export { emptyWeights, type KernelTimes, NullCosts, RecordingKeys, referenceTimes, secondsOf } from "./costs.ts";
export { Environment } from "./operators/environment.ts";
export { type Constants, executeOperation } from "./operators/execute.ts";
export { type CostModel, schedule } from "./schedule.ts";
