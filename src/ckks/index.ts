/** RNS-CKKS: parameters, encoding, keys, encryption, evaluation. */
export { Ciphertext, Plaintext } from "./ciphertext.ts";
export { Context } from "./context.ts";
export { type ComplexVector, type EncodeOptions, Encoder, isComplex, type SlotVector } from "./encoder.ts";
export { Decryptor, Encryptor } from "./encryptor.ts";
export { Evaluator, ExtendedCiphertext, Hoisted, type HoistOptions, scaleTolerance } from "./evaluator.ts";
export { conjugationElement, reducedSteps, rotationElement } from "./galois.ts";
export {
  insecureRandomness,
  KeyGenerator,
  type KeyGeneratorOptions,
  type Randomness,
  secureRandomness,
  seededRandomness,
} from "./key-generator.ts";
export { type KeyUse, pagedBytes } from "./key-pages.ts";
export {
  type BlankKey,
  blankKey,
  type KeySource,
  KeyStore,
  type KeyStoreOptions,
  type LoadedKey,
  residentKeyBytes,
} from "./key-store.ts";
export { Decomposed } from "./key-switch.ts";
export { type EvaluationKey, type KeyName, keyModuli, type PublicKey, SecretKey } from "./keys.ts";
export { type BootstrappingSpec, Parameters, type ParametersSpec } from "./parameters.ts";
export type { PlainTerm } from "./plain-sums.ts";
export { type Preset, type PresetName, preset, presets } from "./presets.ts";
export { describeSecret, maximumLogQP, requireSecure, type SecretDistribution } from "./security.ts";
export { rotationGroup, stageTwiddle } from "./special-fft.ts";
export { type Suggestion, suggestParameters } from "./suggest.ts";
export { addTensors, Multiplier, TensorAccumulator, type TensorProducts } from "./tensor-accumulator.ts";
export { gatherCiphertext, scatterCiphertext, type WholeCiphertext } from "./whole-ciphertext.ts";
export * from "./wire/index.ts";
