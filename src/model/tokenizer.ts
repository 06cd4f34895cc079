/** Text to token ids: the tokenizer.json of the checkpoint, checked against its configuration. */
import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import type { ModelConfig } from "./config.ts";
import { fileError, firstIssue, quote } from "./issues.ts";

/** UTF-16 units of one text that are looked at; a token is rarely longer than 10 of them. */
export const maximumCharacters = 2 ** 20;

/** Ids of the tokens with a role. */
export interface SpecialTokens {
  readonly pad: number;
  readonly unknown: number;
  readonly start: number;
  readonly end: number;
}

export interface EncodeOptions {
  /** Cut a text that is too long, keeping the final [SEP], instead of refusing it. */
  readonly truncate?: boolean;
  /** A lower maximum than that of the model, in tokens with [CLS] and [SEP]. */
  readonly maximumTokens?: number;
}

const tokenizerSchema = z.looseObject({
  model: z.looseObject({
    type: z.literal("WordPiece", { error: "expected WordPiece" }),
    vocab: z.record(z.string(), z.int().nonnegative()),
    unk_token: z.string(),
  }),
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).nullish(),
});
const tokenName = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const settingsSchema = z.looseObject({
  pad_token: tokenName,
  unk_token: tokenName,
  cls_token: tokenName,
  sep_token: tokenName,
  model_max_length: z.number().positive().nullish(),
});

/** Turns texts into the ids of a model's vocabulary. Made by {@link createTokenizer}. */
export class TextTokenizer {
  readonly specials: SpecialTokens;
  /** Longest input, in tokens with [CLS] and [SEP]. */
  readonly maximumTokens: number;
  readonly #tokenizer: Tokenizer;

  constructor(tokenizer: Tokenizer, specials: SpecialTokens, maximumTokens: number) {
    this.#tokenizer = tokenizer;
    this.specials = specials;
    this.maximumTokens = maximumTokens;
  }

  /**
   * Token ids of `text`, from [CLS] to [SEP], 3 to `maximumTokens` of them. Throws an `input`
   * error for a text without a token and, unless `truncate` is set, for one that is too long.
   */
  encode(text: string, options: EncodeOptions = {}): number[] {
    if (typeof text !== "string") throw new TypeError(`text: expected a string, got a ${typeof text}`);
    const maximum = Math.min(this.maximumTokens, options.maximumTokens ?? this.maximumTokens);
    if (!Number.isInteger(maximum) || maximum < 3)
      throw new RangeError(`maximumTokens: expected an integer from 3, got ${options.maximumTokens}`);
    const truncate = options.truncate === true;
    if (text.length > maximumCharacters && !truncate)
      throw tooLong(`${text.length} characters`, `${maximumCharacters} characters`, maximum);
    const ids = this.#tokenizer.encode(text.slice(0, maximumCharacters)).ids;
    if (ids.length <= 2) {
      throw new AegisError(
        "input",
        text.trim() === "" ? "the text is empty" : "the text has no character that the tokenizer knows",
        {
          hint: "give at least one word",
        },
      );
    }
    if (ids.length <= maximum) return ids;
    if (!truncate) throw tooLong(`${ids.length} tokens`, `${maximum} tokens`, maximum);
    return [...ids.slice(0, maximum - 1), this.specials.end];
  }

  /** The word pieces behind ids, for display. An id outside the vocabulary becomes the unknown token. */
  pieces(ids: readonly number[]): string[] {
    const unknown = this.#tokenizer.id_to_token(this.specials.unknown) ?? "";
    return ids.map((id) => this.#tokenizer.id_to_token(id) ?? unknown);
  }
}

function tooLong(has: string, most: string, tokens: number): AegisError {
  return new AegisError("input", `the text is too long: it has ${has}, the model takes at most ${most}`, {
    hint: `shorten it, or pass --truncate (option truncate: true) to use its first ${tokens - 2} word pieces`,
  });
}

/**
 * A tokenizer from parsed tokenizer.json and tokenizer_config.json. Throws a `tokenizer` error
 * when it is not a WordPiece tokenizer, when an id is outside the model's vocabulary, or when a
 * special token that the model needs is missing.
 */
export function createTokenizer(tokenizerJson: unknown, settingsJson: unknown, config: ModelConfig): TextTokenizer {
  const file = "tokenizer.json";
  const fail = (message: string, hint?: string, cause?: unknown) => fileError("tokenizer", file, message, hint, cause);
  const parsed = tokenizerSchema.safeParse(tokenizerJson);
  if (!parsed.success)
    throw fail(firstIssue(parsed.error), "expected the WordPiece tokenizer.json that belongs to the model");
  const settings = settingsSchema.safeParse(settingsJson);
  if (!settings.success) throw fileError("tokenizer", "tokenizer_config.json", firstIssue(settings.error));

  const ids = new Map<string, number>(Object.entries(parsed.data.model.vocab));
  for (const token of parsed.data.added_tokens ?? []) {
    const known = ids.get(token.content);
    if (known !== undefined && known !== token.id) {
      throw fail(`token ${quote(token.content)} has two ids, ${known} and ${token.id}`);
    }
    ids.set(token.content, token.id);
  }
  const names = new Map<number, string>();
  for (const [name, id] of ids) {
    if (id >= config.vocabularySize) {
      throw fail(
        `token ${quote(name)} has id ${id}, the model has vocab_size ${config.vocabularySize}`,
        "the tokenizer belongs to another model",
      );
    }
    const other = names.get(id);
    if (other !== undefined) throw fail(`tokens ${quote(other)} and ${quote(name)} share id ${id}`);
    names.set(id, name);
  }

  const special = (setting: z.infer<typeof tokenName>, fallback: string): number => {
    const name = setting == null ? fallback : typeof setting === "string" ? setting : setting.content;
    const id = ids.get(name);
    if (id === undefined)
      throw fail(`the special token ${quote(name)} is not in the vocabulary`, "the tokenizer belongs to another model");
    return id;
  };
  const specials: SpecialTokens = {
    pad: special(settings.data.pad_token, "[PAD]"),
    unknown: special(settings.data.unk_token, parsed.data.model.unk_token),
    start: special(settings.data.cls_token, "[CLS]"),
    end: special(settings.data.sep_token, "[SEP]"),
  };
  if (specials.pad !== config.padTokenId)
    throw fail(`the padding token has id ${specials.pad}, config.json says ${config.padTokenId}`);

  let tokenizer: Tokenizer;
  let probe: number[];
  try {
    tokenizer = new Tokenizer(tokenizerJson as object, settingsJson as object);
    probe = tokenizer.encode("a").ids;
  } catch (cause) {
    throw fail(
      "not a tokenizer that can be built",
      "save it again with a current version of the tokenizers library",
      cause,
    );
  }
  if (probe.length !== 3 || probe[0] !== specials.start || probe[2] !== specials.end) {
    throw fail(
      `expected a text to become [CLS] … [SEP], got ids ${probe.slice(0, 5).join(", ")}`,
      "the post_processor is missing or of another model",
    );
  }
  const length = settings.data.model_max_length ?? config.maximumTokens;
  return new TextTokenizer(
    tokenizer,
    Object.freeze(specials),
    Math.max(3, Math.min(config.maximumTokens, Math.floor(length))),
  );
}
