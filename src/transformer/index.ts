/** Encrypted operators, and the compiler from a model to a program. */
export * from "./calibration.ts";
export { chunkSize, chunksOf, cutResults, defaultChunkBytes } from "./chunks.ts";
export {
  bootstrapPlaces,
  type Compiled,
  type CompileOptions,
  compile,
  forecastSeconds,
} from "./compile.ts";
export * from "./costs/index.ts";
export { chooseGeometry, longTokens } from "./geometries.ts";
export { buildGraph, type UnscheduledProgram } from "./graph/index.ts";
export { Environment } from "./operators/environment.ts";
export {
  type Constants,
  executeOperation,
  finishSum,
  isSumming,
  partialSums,
  type Shard,
  sumShape,
} from "./operators/execute.ts";
export { hoistsAtOnce } from "./operators/long/linear-split.ts";
export { dimensionsAtOnce, giantStep } from "./operators/long/scores.ts";
export { PartialSum } from "./operators/sum.ts";
export { type CostModel, schedule } from "./schedule.ts";
export { Twin, type TwinResult } from "./twin.ts";
export { typicalCalibration } from "./typical.ts";
export { type FoldedWeights, foldWeights, type WeightSource, weightsOf } from "./weights.ts";
