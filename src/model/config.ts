/** config.json of the BERT family: checked, with absurd values refused before anything is allocated. */
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import type { Activation } from "./functions.ts";
import { fileError, firstIssue, parseJson } from "./issues.ts";

/** The dimensions and constants of a BERT sequence classifier. */
export interface ModelConfig {
  /** Features per token. */
  readonly hiddenSize: number;
  /** Encoder layers. */
  readonly layers: number;
  /** Attention heads per layer. */
  readonly heads: number;
  /** Features per head: hiddenSize / heads. */
  readonly headSize: number;
  /** Features inside the feed-forward block. */
  readonly intermediateSize: number;
  readonly activation: Activation;
  /** Longest input, in tokens with [CLS] and [SEP]. */
  readonly maximumTokens: number;
  readonly typeVocabularySize: number;
  readonly vocabularySize: number;
  readonly layerNormEpsilon: number;
  readonly padTokenId: number;
  /** Name of every class, by its index in the logits. */
  readonly labels: readonly string[];
}

const activations: Readonly<Record<string, Activation>> = { gelu: "gelu", gelu_new: "gelu_new", relu: "relu" };
const size = (maximum: number) => z.int().min(1).max(maximum);

const schema = z.object({
  model_type: z.literal("bert", { error: 'only BERT is supported (model_type "bert")' }).optional(),
  architectures: z.array(z.string()).nullish(),
  hidden_size: size(16_384),
  num_hidden_layers: size(256),
  num_attention_heads: size(256),
  intermediate_size: size(65_536),
  hidden_act: z.string().max(40).default("gelu"),
  max_position_embeddings: z.int().min(3).max(131_072),
  type_vocab_size: size(64).default(2),
  vocab_size: z.int().min(4).max(4_194_304),
  layer_norm_eps: z.number().positive().max(0.01).default(1e-12),
  pad_token_id: z.int().nonnegative().default(0),
  position_embedding_type: z.string().nullish(),
  is_decoder: z.boolean().nullish(),
  problem_type: z.string().nullish(),
  num_labels: z.int().min(1).max(4096).optional(),
  id2label: z
    .record(z.string().regex(/^(0|[1-9]\d{0,3})$/, "expected class numbers as keys"), z.string().min(1).max(200))
    .nullish(),
});

/**
 * Checks a parsed config.json. Throws a `model` error that names the key, what was expected and
 * what was found.
 */
export function parseConfig(value: unknown, file = "config.json"): ModelConfig {
  const fail = (message: string, hint?: string) => fileError("model", file, message, hint);
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw fail(firstIssue(parsed.error), "expected the config.json of a Hugging Face BERT classifier");
  const c = parsed.data;
  const wanted = "BertForSequenceClassification";
  if (c.architectures != null && !c.architectures.includes(wanted)) {
    throw fail(
      `architectures: expected ${wanted}, got ${c.architectures.slice(0, 3).join(", ")}`,
      "only sequence classifiers of the BERT family are supported",
    );
  }
  if (c.hidden_size % c.num_attention_heads !== 0) {
    throw fail(`hidden_size ${c.hidden_size} is not a multiple of num_attention_heads ${c.num_attention_heads}`);
  }
  if (!Object.hasOwn(activations, c.hidden_act)) {
    throw fail(`hidden_act: expected ${Object.keys(activations).join(", ")}, got ${JSON.stringify(c.hidden_act)}`);
  }
  if (c.position_embedding_type != null && c.position_embedding_type !== "absolute") {
    throw fail(
      `position_embedding_type: expected "absolute", got ${JSON.stringify(c.position_embedding_type.slice(0, 40))}`,
    );
  }
  if (c.is_decoder === true) throw fail("is_decoder: expected false, got true", "only encoders are supported");
  if (c.problem_type != null && c.problem_type !== "single_label_classification") {
    throw fail(
      `problem_type: expected "single_label_classification", got ${JSON.stringify(c.problem_type.slice(0, 40))}`,
    );
  }
  if (c.pad_token_id >= c.vocab_size)
    throw fail(`pad_token_id ${c.pad_token_id} is outside vocab_size ${c.vocab_size}`);
  return Object.freeze({
    hiddenSize: c.hidden_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    headSize: c.hidden_size / c.num_attention_heads,
    intermediateSize: c.intermediate_size,
    activation: activations[c.hidden_act],
    maximumTokens: c.max_position_embeddings,
    typeVocabularySize: c.type_vocab_size,
    vocabularySize: c.vocab_size,
    layerNormEpsilon: c.layer_norm_eps,
    padTokenId: c.pad_token_id,
    labels: Object.freeze(labelNames(c.id2label ?? undefined, c.num_labels, fail)),
  });
}

/** {@link parseConfig} of the bytes of a file; a `format` error when they are not JSON. */
export function parseConfigBytes(bytes: Uint8Array, file = "config.json"): ModelConfig {
  return parseConfig(parseJson(bytes, file), file);
}

function labelNames(
  names: Record<string, string> | undefined,
  stated: number | undefined,
  fail: (message: string, hint?: string) => AegisError,
): string[] {
  const count = names === undefined ? (stated ?? 2) : Object.keys(names).length;
  if (stated !== undefined && stated !== count)
    throw fail(`num_labels: expected ${count} as in id2label, got ${stated}`);
  if (count < 2) throw fail(`expected 2 or more labels, got ${count}`, "regression models are not supported");
  return Array.from({ length: count }, (_, i) => {
    const name = names === undefined ? `LABEL_${i}` : names[String(i)];
    if (name === undefined) throw fail(`id2label: class ${i} of ${count} is missing`);
    return name;
  });
}

const shape = (layers: number, hidden: number, heads: number): ModelConfig =>
  parseConfig({
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: 4 * hidden,
    max_position_embeddings: 512,
    vocab_size: 30_522,
  });

/** Names that {@link builtinConfig} knows. */
export const builtinConfigNames = ["bert-tiny", "bert-mini", "bert-base", "bert-large"] as const;
export type BuiltinConfigName = (typeof builtinConfigNames)[number];

/**
 * The dimensions of a published BERT size (two labels), for planning without a checkpoint;
 * `maximumTokens` replaces the 512 positions of the original. Throws an `argument` error for an
 * unknown name.
 */
export function builtinConfig(name: string, maximumTokens = 512): ModelConfig {
  const config = builtin(name);
  if (config === undefined) {
    throw new AegisError("argument", `unknown model ${JSON.stringify(name)}`, {
      hint: `known names: ${builtinConfigNames.join(", ")}`,
    });
  }
  if (!Number.isInteger(maximumTokens) || maximumTokens < 3 || maximumTokens > 131_072) {
    throw new RangeError(`maximumTokens: expected 3 to 131072, got ${maximumTokens}`);
  }
  return Object.freeze({ ...config, maximumTokens });
}

function builtin(name: string): ModelConfig | undefined {
  switch (name as BuiltinConfigName) {
    case "bert-tiny":
      return shape(2, 128, 2);
    case "bert-mini":
      return shape(4, 256, 4);
    case "bert-base":
      return shape(12, 768, 12);
    case "bert-large":
      return shape(24, 1024, 16);
    default:
      return undefined;
  }
}
