/** Models of other families, described for planning. */
import { describe, expect, test } from "vitest";
import { builtinModel, builtinModelNames, describedModel } from "./shapes.ts";

const vit = {
  model_type: "vit",
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  image_size: 224,
  patch_size: 16,
};
const gpt2 = { model_type: "gpt2", n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024, vocab_size: 50_257 };
const llama = {
  model_type: "llama",
  hidden_size: 4096,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 14_336,
  max_position_embeddings: 8192,
  vocab_size: 128_256,
};

test("a vision model has a token for each patch and one for the class", () => {
  const { config, tokens, simplified } = describedModel(vit);
  expect(tokens).toBe(14 ** 2 + 1);
  expect(config).toMatchObject({ hiddenSize: 768, layers: 12, heads: 12, intermediateSize: 3072 });
  expect(simplified.length).toBeGreaterThan(0);
});

test("GPT-2 calls its dimensions otherwise, and its inner layer is four times as wide unless said", () => {
  expect(describedModel(gpt2).config).toMatchObject({
    hiddenSize: 768,
    layers: 12,
    intermediateSize: 3072,
    maximumTokens: 1024,
  });
  expect(describedModel({ ...gpt2, n_inner: 100 }).config.intermediateSize).toBe(100);
});

test("a gated feed-forward of three matrices counts as many products as one of two that is half as wide again", () => {
  const { config, simplified } = describedModel(llama);
  expect(2 * config.hiddenSize * config.intermediateSize).toBe(3 * 4096 * 14_336);
  expect(simplified.join(" ")).toMatch(/8 groups/);
});

test("BERT is planned as it is", () => {
  expect(builtinModel("bert-base", 4096)).toMatchObject({
    simplified: [],
    config: { hiddenSize: 768, maximumTokens: 4096 },
  });
});

test.each(builtinModelNames)("%s is known by its name", (name) => {
  expect(builtinModel(name, 8192).config.maximumTokens).toBe(8192);
});

describe("refused, with what is wrong", () => {
  test.each<[object, RegExp]>([
    [{ ...vit, patch_size: 500 }, /image_size 224 holds no patch of patch_size 500/],
    [{ ...vit, hidden_size: undefined }, /hidden_size/],
    [{ ...vit, num_attention_heads: 7 }, /hidden_size 768 is not a multiple of num_attention_heads 7/],
    [{ ...gpt2, n_layer: 100_000 }, /n_layer/],
    [{ ...gpt2, n_embd: -1 }, /n_embd/],
    [{ ...llama, num_key_value_heads: 5 }, /num_attention_heads 32 is not a multiple of num_key_value_heads 5/],
    [{ ...llama, intermediate_size: 1e9 }, /intermediate_size/],
    [{ model_type: "t5" }, /model_type: expected bert, vit, gpt2, llama or mistral, got "t5"/],
  ])("%#", (config, message) => {
    expect(() => describedModel(config)).toThrowError(
      expect.objectContaining({ code: "model", message: expect.stringMatching(message) }),
    );
  });
  test("a name that nobody knows", () => {
    expect(() => builtinModel("bert-huge", 512)).toThrowError(expect.objectContaining({ code: "argument" }));
    expect(() => builtinModel("constructor", 512)).toThrowError(expect.objectContaining({ code: "argument" }));
  });
});
