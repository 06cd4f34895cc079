/**
 * Small models of any shape with a calibration, and what encrypted runs of them need: keys made
 * when asked for, tensors packed into slots and read back.
 */
import {
  type Context,
  type EvaluationKey,
  type KeyGenerator,
  type KeyName,
  type KeySource,
  KeyStore,
  type LoadedKey,
  Parameters,
  presets,
  type SecretKey,
} from "../../src/ckks/index.ts";
import {
  type Checkpoint,
  expectedTensors,
  parseCheckpoint,
  parseConfig,
  RangeRecorder,
  referenceForward,
} from "../../src/model/index.ts";
import { type Calibration, type CalibrationTargets, calibrate } from "../../src/transformer/index.ts";
import {
  float32,
  json,
  microConfig,
  microTokenizer,
  type RawTensor,
  writeSafetensors,
} from "../vectors/model/micro.ts";
import { uniforms } from "./ckks.ts";

export interface Shape {
  readonly hidden: number;
  readonly heads: number;
  readonly inner: number;
  readonly layers?: number;
  readonly tokens?: number;
  readonly activation?: "gelu" | "relu";
}

/** A checkpoint's files with random weights of about the size that trained ones have. */
export function modelFiles(shape: Shape, seed = 1): { config: Uint8Array; model: Uint8Array; tokenizer: Uint8Array } {
  const config = {
    ...microConfig,
    hidden_size: shape.hidden,
    num_attention_heads: shape.heads,
    intermediate_size: shape.inner,
    num_hidden_layers: shape.layers ?? 1,
    max_position_embeddings: shape.tokens ?? 16,
    hidden_act: shape.activation ?? "gelu",
  };
  const next = uniforms(seed);
  const tensors = new Map<string, RawTensor>();
  for (const [name, dimensions] of expectedTensors(parseConfig(config))) {
    const spread = dimensions.length === 1 ? 0.2 : name.includes("embeddings") ? 1 : 1.5 / Math.sqrt(dimensions[1]);
    const middle = /LayerNorm.weight$/.test(name) ? 1 : 0;
    tensors.set(
      name,
      float32(dimensions, () => middle + spread * (2 * next() - 1)),
    );
  }
  return { config: json(config), model: writeSafetensors(tensors), tokenizer: json(microTokenizer) };
}

export interface SmallModel {
  readonly checkpoint: Checkpoint;
  readonly calibration: Calibration;
  /** Token ids of texts that the calibration has seen, by length. */
  ids(length: number): number[];
}

/** Low degrees: what counts is that encrypted and plain polynomials are the same. */
export const looseTargets: CalibrationTargets = {
  exp: 2 ** -8,
  inverse: 2 ** -6,
  norm: 2 ** -6,
  activation: 2 ** -7,
  tanh: 2 ** -7,
};

/** Ids 5 to 9 are words; 2 and 3 are [CLS] and [SEP]. */
function someIds(length: number, seed: number): number[] {
  const next = uniforms(seed);
  return Array.from({ length }, (_, i) => (i === 0 ? 2 : i === length - 1 ? 3 : 5 + Math.floor(5 * next())));
}

export function smallModel(shape: Shape, targets: CalibrationTargets = looseTargets, seed = 1): SmallModel {
  const checkpoint = parseCheckpoint(modelFiles(shape, seed));
  const recorder = new RangeRecorder();
  let texts = 0;
  for (let length = 1; length <= (shape.tokens ?? 16); length++) {
    referenceForward(checkpoint, someIds(length, length), { observe: recorder.observe });
    texts++;
  }
  const calibration = calibrate(checkpoint, recorder.ranges(), { texts, source: "test" }, targets);
  return { checkpoint, calibration, ids: (length) => someIds(length, length) };
}

/** The insecure preset with bootstrapping on a ring of degree 2^logN. */
export function bootParameters(logN: number): Parameters {
  return new Parameters({ ...presets["insecure-test"].spec, name: `insecure-test-${logN}`, logN });
}

/** Makes rotation and relinearisation keys when they are asked for. */
export class LazyKeys implements KeySource {
  readonly store: KeyStore;
  readonly #generator: KeyGenerator;
  readonly #secret: SecretKey;
  readonly #held = new Set<KeyName>();

  constructor(context: Context, generator: KeyGenerator, secret: SecretKey) {
    this.store = new KeyStore(context);
    this.#generator = generator;
    this.#secret = secret;
  }

  add(key: EvaluationKey): void {
    this.#held.add(key.name);
    this.store.add(key);
  }

  keys(names: readonly KeyName[], level: number): readonly LoadedKey[] {
    for (const name of names) {
      if (this.#held.has(name)) continue;
      if (name === "relinearisation") this.add(this.#generator.relinearisationKey(this.#secret));
      else this.add(this.#generator.galoisKey(this.#secret, Number(name.slice("galois-".length))));
    }
    return this.store.keys(names, level);
  }
}
