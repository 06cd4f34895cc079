import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { microConfig, thrown } from "../../test/vectors/model/micro.ts";
import { AegisError } from "../base/errors.ts";
import { builtinConfig, builtinConfigNames, parseConfig, parseConfigBytes } from "./config.ts";
import { expectedTensors, parameterCount } from "./layout.ts";

describe("parseConfig", () => {
  test("takes what it needs", () => {
    expect(parseConfig({ ...microConfig, torch_dtype: "float32", classifier_dropout: null })).toEqual({
      hiddenSize: 4,
      layers: 1,
      heads: 2,
      headSize: 2,
      intermediateSize: 6,
      activation: "gelu",
      maximumTokens: 8,
      typeVocabularySize: 2,
      vocabularySize: 10,
      layerNormEpsilon: 1e-12,
      padTokenId: 0,
      labels: ["NO", "YES"],
    });
  });

  test("fills in the defaults of the format", () => {
    const { id2label, hidden_act, layer_norm_eps, pad_token_id, type_vocab_size, ...rest } = microConfig;
    expect(parseConfig(rest)).toMatchObject({
      activation: "gelu",
      layerNormEpsilon: 1e-12,
      padTokenId: 0,
      labels: ["LABEL_0", "LABEL_1"],
    });
    expect(parseConfig({ ...rest, num_labels: 3 }).labels).toHaveLength(3);
  });

  test.each(["gelu", "gelu_new", "relu"])("hidden_act %s", (hidden_act) => {
    expect(parseConfig({ ...microConfig, hidden_act }).activation).toBe(hidden_act);
  });

  test.each([
    [{ hidden_size: 5 }, "not a multiple"],
    [{ hidden_size: 0 }, "hidden_size"],
    [{ hidden_size: 2 ** 40 }, "hidden_size"],
    [{ hidden_size: "4" }, "hidden_size"],
    [{ hidden_size: undefined }, "hidden_size"],
    [{ num_hidden_layers: 100_000 }, "num_hidden_layers"],
    [{ num_attention_heads: -1 }, "num_attention_heads"],
    [{ intermediate_size: 1.5 }, "intermediate_size"],
    [{ max_position_embeddings: 2 }, "max_position_embeddings"],
    [{ vocab_size: 1e9 }, "vocab_size"],
    [{ layer_norm_eps: 0 }, "layer_norm_eps"],
    [{ layer_norm_eps: Number.NaN }, "layer_norm_eps"],
    [{ hidden_act: "swish" }, 'expected gelu, gelu_new, relu, got "swish"'],
    [{ hidden_act: "constructor" }, "hidden_act"],
    [{ model_type: "gpt2" }, "only BERT"],
    [{ architectures: ["BertForMaskedLM"] }, "BertForSequenceClassification, got BertForMaskedLM"],
    [{ position_embedding_type: "relative_key" }, "position_embedding_type"],
    [{ is_decoder: true }, "is_decoder"],
    [{ problem_type: "regression" }, "problem_type"],
    [{ pad_token_id: 10 }, "pad_token_id"],
    [{ id2label: { "0": "A" } }, "2 or more labels"],
    [{ id2label: { "0": "A", "2": "B" } }, "class 1 of 2 is missing"],
    [{ id2label: { zero: "A", one: "B" } }, "id2label"],
    [{ num_labels: 3 }, "num_labels: expected 2"],
  ])("refuses %j", (change, message) => {
    const error = thrown(() => parseConfig({ ...microConfig, ...change }, "config.json")) as AegisError;
    expect(error).toBeInstanceOf(AegisError);
    expect(error.code).toBe("model");
    expect(error.message).toMatch(/^config\.json: /);
    expect(error.message).toContain(message);
  });

  test("bytes that are not JSON", () => {
    expect((thrown(() => parseConfigBytes(Uint8Array.of(0x7b))) as AegisError).code).toBe("format");
  });

  test("any JSON ends in a configuration or in a typed error", () => {
    const change = fc.dictionary(fc.constantFrom(...Object.keys(microConfig)), fc.jsonValue());
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          change.map((c) => ({ ...microConfig, ...c })),
        ),
        (value) => {
          try {
            parseConfig(value);
          } catch (error) {
            expect(error).toBeInstanceOf(AegisError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("built-in sizes", () => {
  test.each([
    ["bert-tiny", 4_386_178],
    ["bert-mini", 11_171_074],
    ["bert-base", 109_483_778],
    ["bert-large", 335_143_938],
  ])("%s has %d parameters", (name, count) => {
    expect(parameterCount(builtinConfig(name))).toBe(count);
    expect(builtinConfigNames).toContain(name);
  });

  test("longer inputs, unknown names", () => {
    expect(builtinConfig("bert-base", 2048).maximumTokens).toBe(2048);
    expect(() => builtinConfig("bert-base", 0)).toThrow(RangeError);
    expect(() => builtinConfig("bert-huge")).toThrow("unknown model");
    expect(() => builtinConfig("constructor")).toThrow("unknown model");
  });

  test("names and shapes of tensors", () => {
    const shapes = expectedTensors(builtinConfig("bert-tiny"));
    expect(shapes.size).toBe(5 + 16 * 2 + 4);
    expect(shapes.get("bert.encoder.layer.1.output.dense.weight")).toEqual([128, 512]);
  });
});
