/** Encrypted operators, and the compiler from a model to a program. */
export * from "./calibration.ts";
export { buildGraph, type UnscheduledProgram } from "./graph.ts";
export { Twin, type TwinResult } from "./twin.ts";
export { type FoldedWeights, foldWeights } from "./weights.ts";
