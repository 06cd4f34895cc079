/**
 * A checkpoint: configuration, weights and tokenizer that belong together. Names, shapes and
 * finiteness of every tensor are checked, so that nothing above has to.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type ModelConfig, parseConfigBytes } from "./config.ts";
import { type CheckpointFiles, readCheckpointFiles } from "./files.ts";
import type { NormWeights } from "./functions.ts";
import { fileError, parseJson, quote } from "./issues.ts";
import { expectedTensors, ignoredTensors } from "./layout.ts";
import type { LinearWeights } from "./linear.ts";
import { parseSafetensors, readFloat32, type Safetensors } from "./safetensors.ts";
import { createTokenizer, type TextTokenizer } from "./tokenizer.ts";

/** The tables of the embedding: `word` [vocabulary × hidden], `position` [tokens × hidden], `tokenType` [types × hidden]. */
export interface EmbeddingWeights {
  readonly word: Float32Array;
  readonly position: Float32Array;
  readonly tokenType: Float32Array;
  readonly layerNorm: NormWeights;
}

/** One encoder layer. Weights are [out × in] row-major. */
export interface LayerWeights {
  readonly query: LinearWeights;
  readonly key: LinearWeights;
  readonly value: LinearWeights;
  readonly attentionOutput: LinearWeights;
  readonly attentionLayerNorm: NormWeights;
  readonly intermediate: LinearWeights;
  readonly output: LinearWeights;
  readonly outputLayerNorm: NormWeights;
}

/** What the client needs to embed a text. */
export interface EmbeddingModel {
  readonly config: ModelConfig;
  readonly embeddings: EmbeddingWeights;
}

/** A checked BertForSequenceClassification checkpoint. */
export interface Checkpoint extends EmbeddingModel {
  readonly layers: readonly LayerWeights[];
  readonly pooler: LinearWeights;
  readonly classifier: LinearWeights;
  readonly tokenizer: TextTokenizer;
  /** Every tensor by its Hugging Face name. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
  /** SHA-256 of model.safetensors, as hex. */
  readonly digest: string;
}

/**
 * Loads a directory in Hugging Face layout: config.json, model.safetensors, tokenizer.json and,
 * if present, tokenizer_config.json. Throws `model` (files or tensors missing, unexpected or of
 * another shape), `format` (damaged files), `tokenizer` and `io` errors.
 */
export async function loadCheckpoint(directory: string): Promise<Checkpoint> {
  return parseCheckpoint(await readCheckpointFiles(directory));
}

/** {@link loadCheckpoint} from bytes that are already in memory; they are kept, not copied. */
export function parseCheckpoint(files: CheckpointFiles): Checkpoint {
  const config = parseConfigBytes(files.config);
  const container = parseSafetensors(files.model);
  const shapes = expectedTensors(config);
  checkShapes(container, shapes);
  const settings = files.tokenizerConfig === undefined ? {} : parseJson(files.tokenizerConfig, "tokenizer_config.json");
  const tokenizer = createTokenizer(parseJson(files.tokenizer, "tokenizer.json"), settings, config);

  const tensors = new Map<string, Float32Array>();
  for (const name of shapes.keys()) {
    const values = readFloat32(container, name);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw fileError(
        "model",
        container.file,
        `tensor ${quote(name)}: element ${bad} is ${values[bad]}`,
        "the training or the conversion went wrong",
      );
    tensors.set(name, values);
  }
  const get = (name: string) => tensors.get(name) as Float32Array;
  const pair = (name: string) => Object.freeze({ weight: get(`${name}.weight`), bias: get(`${name}.bias`) });
  const layers = Array.from({ length: config.layers }, (_, i): LayerWeights => {
    const prefix = `bert.encoder.layer.${i}`;
    return Object.freeze({
      query: pair(`${prefix}.attention.self.query`),
      key: pair(`${prefix}.attention.self.key`),
      value: pair(`${prefix}.attention.self.value`),
      attentionOutput: pair(`${prefix}.attention.output.dense`),
      attentionLayerNorm: pair(`${prefix}.attention.output.LayerNorm`),
      intermediate: pair(`${prefix}.intermediate.dense`),
      output: pair(`${prefix}.output.dense`),
      outputLayerNorm: pair(`${prefix}.output.LayerNorm`),
    });
  });
  return Object.freeze({
    config,
    embeddings: Object.freeze({
      word: get("bert.embeddings.word_embeddings.weight"),
      position: get("bert.embeddings.position_embeddings.weight"),
      tokenType: get("bert.embeddings.token_type_embeddings.weight"),
      layerNorm: pair("bert.embeddings.LayerNorm"),
    }),
    layers: Object.freeze(layers),
    pooler: pair("bert.pooler.dense"),
    classifier: pair("classifier"),
    tokenizer,
    tensors,
    digest: bytesToHex(sha256(files.model)),
  });
}

function checkShapes(container: Safetensors, shapes: ReadonlyMap<string, readonly number[]>): void {
  const fail = (message: string, hint?: string) => fileError("model", container.file, message, hint);
  const missing = [...shapes.keys()].filter((name) => !container.entries.has(name));
  if (missing.length > 0) {
    const hint = missing.some((name) => name.startsWith("classifier") || name.startsWith("bert.pooler"))
      ? "the classification head is absent: this may be a base model that was not trained to classify"
      : "the weights do not belong to this config.json";
    throw fail(`missing ${list(missing)}`, hint);
  }
  const unexpected = [...container.entries.keys()].filter((name) => !shapes.has(name) && !ignoredTensors.has(name));
  if (unexpected.length > 0)
    throw fail(`unexpected ${list(unexpected)}`, "the weights do not belong to this config.json");
  for (const [name, expected] of shapes) {
    const got = container.entries.get(name)?.shape ?? [];
    if (got.length !== expected.length || got.some((n, i) => n !== expected[i])) {
      throw fail(
        `tensor ${quote(name)}: expected shape [${expected.join(", ")}], got [${got.join(", ")}]`,
        "the weights do not belong to this config.json",
      );
    }
  }
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 3).map(quote).join(", ");
  const rest = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return `tensor${names.length === 1 ? "" : "s"} ${shown}${rest}`;
}
