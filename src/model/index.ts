/** The model layer: checkpoints, tokenizer, embedding, the plaintext reference and its data sets. */
export type { Checkpoint, EmbeddingModel, EmbeddingWeights, LayerWeights } from "./checkpoint.ts";
export { loadCheckpoint, parseCheckpoint } from "./checkpoint.ts";
export type { BuiltinConfigName, ModelConfig } from "./config.ts";
export { builtinConfig, builtinConfigNames, parseConfig } from "./config.ts";
export type { DatasetOptions, Example } from "./dataset.ts";
export { calibrationTexts, loadTestSet } from "./dataset.ts";
export type { Embedded } from "./embed.ts";
export { embed, embedWithVariances } from "./embed.ts";
export { erf } from "./erf.ts";
export type { CheckpointFiles } from "./files.ts";
export type { Activation, NormWeights } from "./functions.ts";
export {
  activationFunction,
  argmax,
  gelu,
  geluNew,
  layerNormInPlace,
  logSumExp,
  relu,
  softmax,
  softmaxInPlace,
} from "./functions.ts";
export { expectedTensors, parameterCount } from "./layout.ts";
export type { LinearWeights } from "./linear.ts";
export { linear, multiplyTransposed } from "./linear.ts";
export type { ActivationRange, RangeTable } from "./ranges.ts";
export { loadRanges, RangeRecorder } from "./ranges.ts";
export type { ObservedTensor, Observer, Prediction, ReferenceOptions } from "./reference.ts";
export { prediction, referenceForward } from "./reference.ts";
export type { Safetensors, TensorEntry } from "./safetensors.ts";
export { parseSafetensors, readFloat32 } from "./safetensors.ts";
export type { DescribedModel } from "./shapes.ts";
export { builtinModel, builtinModelNames, describedModel } from "./shapes.ts";
export type { EncodeOptions, SpecialTokens } from "./tokenizer.ts";
export { createTokenizer, TextTokenizer } from "./tokenizer.ts";
