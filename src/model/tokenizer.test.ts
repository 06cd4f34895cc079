import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { microConfig, microTokenizer, thrown } from "../../test/vectors/model/micro.ts";
import { AegisError } from "../base/errors.ts";
import { parseConfig } from "./config.ts";
import { createTokenizer, maximumCharacters } from "./tokenizer.ts";

const config = parseConfig(microConfig);
const create = (changes: object = {}, settings: object = {}) =>
  createTokenizer({ ...microTokenizer, ...changes }, settings, config);
const withModel = (changes: object) => ({ model: { ...microTokenizer.model, ...changes } });

describe("encode", () => {
  const tokenizer = create();

  test("pieces between [CLS] and [SEP]", () => {
    expect(tokenizer.encode("A goodly film")).toEqual([2, 5, 6, 8, 9, 3]);
    expect(tokenizer.pieces([2, 6, 8, 99])).toEqual(["[CLS]", "good", "##ly", "[UNK]"]);
    expect(tokenizer.specials).toEqual({ pad: 0, unknown: 1, start: 2, end: 3 });
  });

  test.each(["", "  \n\t", "\u0000\u0007", "\ud800"])("refuses %j", (text) => {
    const error = thrown(() => tokenizer.encode(text)) as AegisError;
    expect(error.code).toBe("input");
    expect(error.hint).toContain("at least one word");
  });

  test("says how long a text is and what to do", () => {
    const error = thrown(() => tokenizer.encode("a a a a a a a")) as AegisError;
    expect(error.code).toBe("input");
    expect(error.message).toBe("the text is too long: it has 9 tokens, the model takes at most 8 tokens");
    expect(error.hint).toContain("--truncate");
    expect(error.hint).toContain("first 6 word pieces");
  });

  test("truncation keeps [SEP]; a lower maximum counts", () => {
    expect(tokenizer.encode("a a a a a a a good", { truncate: true })).toEqual([2, 5, 5, 5, 5, 5, 5, 3]);
    expect(tokenizer.encode("a good film", { truncate: true, maximumTokens: 4 })).toEqual([2, 5, 6, 3]);
    expect(tokenizer.encode("a a a a a a")).toHaveLength(8);
    expect(() => tokenizer.encode("a good film", { maximumTokens: 4 })).toThrow("at most 4 tokens");
    expect(() => tokenizer.encode("a", { maximumTokens: 2 })).toThrow(RangeError);
  });

  test("a text of millions of characters", () => {
    const text = "x".repeat(maximumCharacters + 1);
    expect(() => tokenizer.encode(text)).toThrow(`${maximumCharacters + 1} characters`);
    expect(tokenizer.encode(text, { truncate: true })).toEqual([2, 1, 3]);
  });

  test("any text gives ids of the vocabulary or an input error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" })), (text) => {
        try {
          const ids = tokenizer.encode(text, { truncate: true });
          expect(ids.length).toBeLessThanOrEqual(8);
          expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 10)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ name: "AegisError", code: "input" });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("createTokenizer", () => {
  test("model_max_length lowers the maximum, never raises it", () => {
    expect(create({}, { model_max_length: 5 }).maximumTokens).toBe(5);
    expect(create({}, { model_max_length: 1e30 }).maximumTokens).toBe(8);
    expect(create().maximumTokens).toBe(8);
  });

  const vocab = microTokenizer.model.vocab;
  const { "[SEP]": _, ...withoutSeparator } = vocab;
  test.each<[string, object, object, string]>([
    [
      "an id outside the model",
      withModel({ vocab: { ...vocab, more: 10 } }),
      {},
      '"more" has id 10, the model has vocab_size 10',
    ],
    ["two tokens with one id", withModel({ vocab: { ...vocab, more: 9 } }), {}, "share id 9"],
    ["a token with two ids", { added_tokens: [{ id: 7, content: "good" }] }, {}, "two ids, 6 and 7"],
    [
      "no [SEP]",
      { ...withModel({ vocab: withoutSeparator }), added_tokens: [] },
      {},
      '"[SEP]" is not in the vocabulary',
    ],
    ["a renamed special token", {}, { cls_token: { content: "<s>" } }, '"<s>" is not in the vocabulary'],
    ["another padding token", {}, { pad_token: "[MASK]" }, "padding token has id 4, config.json says 0"],
    ["another kind of model", withModel({ type: "BPE" }), {}, "expected WordPiece"],
    ["fractional ids", withModel({ vocab: { ...vocab, a: 0.5 } }), {}, "model.vocab"],
    ["no post-processor", { post_processor: null }, {}, "expected a text to become [CLS] … [SEP], got ids 5"],
    ["an unknown normalizer", { normalizer: { type: "Nonsense" } }, {}, "not a tokenizer that can be built"],
    ["a bad setting", {}, { model_max_length: -1 }, "model_max_length"],
  ])("refuses %s", (_name, changes, settings, message) => {
    const error = thrown(() => create(changes, settings)) as AegisError;
    expect(error).toBeInstanceOf(AegisError);
    expect(error.code).toBe("tokenizer");
    expect(error.message).toContain(message);
  });

  test("any damage to the file ends in a tokenizer or in a typed error", () => {
    const keys = Object.keys(microTokenizer);
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()), fc.boolean(), (changes, inside) => {
        try {
          create(inside ? withModel(changes) : changes);
        } catch (error) {
          expect(error).toBeInstanceOf(AegisError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
