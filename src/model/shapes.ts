/**
 * Models of other families, described for planning: the config.json of a vision, GPT-2 or Llama checkpoint as the
 * encoder pass of a BERT of the same dimensions. What that leaves out or counts otherwise is said in words, since
 * a plan is worth no more than its description. Nothing is run with it.
 */
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import { builtinConfig, builtinConfigNames, type ModelConfig, parseConfig } from "./config.ts";
import { fileError, firstIssue } from "./issues.ts";

/** A model as it is planned. */
export interface DescribedModel {
  readonly config: ModelConfig;
  /** What is planned otherwise than the model computes, a sentence each. */
  readonly simplified: readonly string[];
  /** Tokens of an input where the model says. */
  readonly tokens?: number;
}

const size = (most: number) => z.int().min(1).max(most);
const labels = {
  num_labels: z.int().min(1).max(4096).optional(),
  id2label: z.record(z.string(), z.string()).nullish(),
};

const vit = z.object({
  hidden_size: size(16_384),
  num_hidden_layers: size(256),
  num_attention_heads: size(256),
  intermediate_size: size(65_536),
  image_size: size(4096),
  patch_size: size(4096),
  ...labels,
});

const gpt2 = z.object({
  n_embd: size(16_384),
  n_layer: size(256),
  n_head: size(256),
  n_inner: size(65_536).nullish(),
  n_positions: z.int().min(3).max(131_072).default(1024),
  vocab_size: size(4_194_304),
});

const llama = z.object({
  hidden_size: size(16_384),
  num_hidden_layers: size(256),
  num_attention_heads: size(256),
  num_key_value_heads: size(256).nullish(),
  intermediate_size: size(43_000),
  max_position_embeddings: z.int().min(3).max(10_485_760),
  vocab_size: size(4_194_304),
});

const beforeBlocks = "Layer norms before blocks are planned after them: the same operations in another order.";
const pass = "One pass over all tokens is planned, without a cache, and a classifier in place of the vocabulary's.";

/** @param value a parsed config.json; throws `model` for what it lacks, or for what belongs to no known family */
export function describedModel(value: unknown, file = "config.json"): DescribedModel {
  const type = z.object({ model_type: z.string().max(60).optional() }).safeParse(value).data?.model_type ?? "bert";
  switch (type) {
    case "bert":
      return { config: parseConfig(value, file), simplified: [] };
    case "vit": {
      const c = checked(vit, value, file);
      const tokens = Math.floor(c.image_size / c.patch_size) ** 2 + 1;
      if (tokens < 2)
        throw fileError("model", file, `image_size ${c.image_size} holds no patch of patch_size ${c.patch_size}`);
      const config = bertOf(file, {
        hidden: c.hidden_size,
        layers: c.num_hidden_layers,
        heads: c.num_attention_heads,
        inner: c.intermediate_size,
        tokens: 131_072,
      });
      return { config, simplified: [beforeBlocks, "The client embeds the patches."], tokens };
    }
    case "gpt2": {
      const c = checked(gpt2, value, file);
      const config = bertOf(file, {
        hidden: c.n_embd,
        layers: c.n_layer,
        heads: c.n_head,
        inner: c.n_inner ?? 4 * c.n_embd,
        tokens: c.n_positions,
      });
      return {
        config,
        simplified: [beforeBlocks, pass, "All scores are planned, those that a causal mask clears among them."],
      };
    }
    case "llama":
    case "mistral": {
      const c = checked(llama, value, file);
      const groups = c.num_key_value_heads ?? c.num_attention_heads;
      if (c.num_attention_heads % groups !== 0)
        throw fileError(
          "model",
          file,
          `num_attention_heads ${c.num_attention_heads} is not a multiple of num_key_value_heads ${groups}`,
        );
      const config = bertOf(file, {
        hidden: c.hidden_size,
        layers: c.num_hidden_layers,
        heads: c.num_attention_heads,
        inner: Math.ceil((3 * c.intermediate_size) / 2),
        tokens: Math.min(c.max_position_embeddings, 131_072),
      });
      return {
        config,
        simplified: [
          "The gated feed-forward of three matrices is planned as one of two with half as many features again: as many products.",
          "SiLU is planned as GELU, RMS norms as layer norms, both of the same degree.",
          `Keys and values of ${groups} groups are repeated for ${c.num_attention_heads} heads, as heads lie on lanes.`,
          "Rotary embeddings are not counted: products of queries and keys with plaintexts.",
          beforeBlocks,
          pass,
          "All scores are planned, those that a causal mask clears among them.",
        ],
      };
    }
    default:
      throw fileError(
        "model",
        file,
        `model_type: expected bert, vit, gpt2, llama or mistral, got ${JSON.stringify(type)}`,
      );
  }
}

function checked<S extends z.ZodObject>(schema: S, value: unknown, file: string): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw fileError("model", file, firstIssue(parsed.error), "expected a Hugging Face config.json");
  return parsed.data;
}

interface Dimensions {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly inner: number;
  readonly tokens: number;
}

function bertOf(file: string, { hidden, layers, heads, inner, tokens }: Dimensions): ModelConfig {
  return parseConfig(
    {
      hidden_size: hidden,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      intermediate_size: inner,
      max_position_embeddings: tokens,
      vocab_size: 30_522,
    },
    file,
  );
}

/** Published sizes of other families, by the keys of their config.json. */
const families: Readonly<Record<string, object>> = {
  "vit-base": {
    model_type: "vit",
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    image_size: 224,
    patch_size: 16,
  },
  "gpt2-small": { model_type: "gpt2", n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024, vocab_size: 50_257 },
  "llama-3-8b": {
    model_type: "llama",
    hidden_size: 4096,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    intermediate_size: 14_336,
    max_position_embeddings: 8192,
    vocab_size: 128_256,
  },
};

/** Names that {@link builtinModel} knows. */
export const builtinModelNames: readonly string[] = [...builtinConfigNames, ...Object.keys(families)];

/**
 * A published size by its name, for texts of up to `maximumTokens`. Throws `argument` for a name that is unknown.
 */
export function builtinModel(name: string, maximumTokens: number): DescribedModel {
  const family = Object.hasOwn(families, name) ? families[name] : undefined;
  if (family !== undefined) {
    const described = describedModel(family, name);
    return { ...described, config: { ...described.config, maximumTokens } };
  }
  if (!(builtinConfigNames as readonly string[]).includes(name))
    throw new AegisError("argument", `unknown model ${JSON.stringify(name)}`, {
      hint: `known names: ${builtinModelNames.join(", ")}`,
    });
  return { config: builtinConfig(name, maximumTokens), simplified: [] };
}
