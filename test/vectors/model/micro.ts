/** A checkpoint of a few hundred numbers, as files in memory, for tests that damage it. */
import type { CheckpointFiles } from "../../../src/model/files.ts";
import { expectedTensors, parseConfig } from "../../../src/model/index.ts";

export const microConfig = {
  architectures: ["BertForSequenceClassification"],
  model_type: "bert",
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 6,
  hidden_act: "gelu",
  max_position_embeddings: 8,
  type_vocab_size: 2,
  vocab_size: 10,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
  id2label: { "0": "NO", "1": "YES" },
};

const vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "##ly", "film"];
const special = (name: string) => ({ SpecialToken: { id: name, type_id: 0 } });

export const microTokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: vocabulary.slice(0, 5).map((content, id) => ({ id, content, special: true, normalized: false })),
  normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [special("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, special("[SEP]")],
    pair: [],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
};

export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** A container from a header object and data bytes, without any check. */
export function container(header: unknown, data: Uint8Array): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : json(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** A well-formed container. */
export function writeSafetensors(tensors: ReadonlyMap<string, RawTensor>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let size = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [size, size + bytes.length] };
    size += bytes.length;
  }
  return container(header, Uint8Array.from(Buffer.concat([...tensors.values()].map(({ bytes }) => bytes))));
}

export function float32(shape: readonly number[], value: (i: number) => number): RawTensor {
  const count = shape.reduce((product, n) => product * n, 1);
  const values = Float32Array.from({ length: count }, (_, i) => value(i));
  return { dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
}

/** The tensors of the micro model with small, different values. */
export function microTensors(): Map<string, RawTensor> {
  let seed = 1;
  const shapes = expectedTensors(parseConfig(microConfig));
  return new Map([...shapes].map(([name, shape]) => [name, float32(shape, () => Math.sin(seed++ * 1.7) / 2)]));
}

export function microFiles(changes: Partial<CheckpointFiles> = {}): CheckpointFiles {
  return { config: json(microConfig), model: writeSafetensors(microTensors()), tokenizer: json(microTokenizer), ...changes };
}

/** The error that `body` throws; fails when it throws none. */
export function thrown(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error("expected an error, got none");
}
