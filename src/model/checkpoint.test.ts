import { cp, mkdtemp, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  float32,
  json,
  microConfig,
  microFiles,
  microTensors,
  thrown,
  writeSafetensors,
} from "../../test/vectors/model/micro.ts";
import { AegisError } from "../base/errors.ts";
import { loadCheckpoint, parseCheckpoint } from "./checkpoint.ts";

const weights = (change: (tensors: ReturnType<typeof microTensors>) => void) => {
  const tensors = microTensors();
  change(tensors);
  return microFiles({ model: writeSafetensors(tensors) });
};

describe("parseCheckpoint", () => {
  test("gives every part by its role", () => {
    const files = microFiles();
    const model = parseCheckpoint(files);
    expect(model.layers).toHaveLength(1);
    expect(model.embeddings.word).toBe(model.tensors.get("bert.embeddings.word_embeddings.weight"));
    expect(model.embeddings.tokenType).toHaveLength(8);
    expect(model.layers[0].value.weight).toBe(model.tensors.get("bert.encoder.layer.0.attention.self.value.weight"));
    expect(model.layers[0].intermediate.weight).toHaveLength(24);
    expect(model.layers[0].outputLayerNorm.bias).toBe(model.tensors.get("bert.encoder.layer.0.output.LayerNorm.bias"));
    expect(model.pooler.bias).toHaveLength(4);
    expect(model.classifier.weight).toHaveLength(8);
    expect(model.digest).toBe(bytesToHex(sha256(files.model)));
    expect(model.tokenizer.encode("good")).toEqual([2, 6, 3]);
  });

  test("skips buffers of older files", () => {
    const position = { dtype: "I64", shape: [1, 8], bytes: new Uint8Array(64) };
    const model = parseCheckpoint(weights((t) => t.set("bert.embeddings.position_ids", position)));
    expect(model.tensors.has("bert.embeddings.position_ids")).toBe(false);
  });

  test.each<[string, (t: ReturnType<typeof microTensors>) => void, string, string]>([
    [
      "a missing tensor",
      (t) => t.delete("bert.encoder.layer.0.output.dense.bias"),
      'missing tensor "bert.encoder.layer.0.output.dense.bias"',
      "config.json",
    ],
    ["a missing head", (t) => t.delete("classifier.weight"), 'missing tensor "classifier.weight"', "head is absent"],
    [
      "an unexpected tensor",
      (t) =>
        t.set(
          "lm_head.weight",
          float32([1], () => 0),
        ),
      'unexpected tensor "lm_head.weight"',
      "config.json",
    ],
    [
      "another shape",
      (t) =>
        t.set(
          "classifier.bias",
          float32([1, 2], () => 0),
        ),
      'tensor "classifier.bias": expected shape [2], got [1, 2]',
      "config.json",
    ],
    [
      "integers",
      (t) => t.set("classifier.bias", { dtype: "I32", shape: [2], bytes: new Uint8Array(8) }),
      "got I32",
      "F16",
    ],
    [
      "infinity",
      (t) =>
        t.set(
          "classifier.bias",
          float32([2], (i) => i / 0),
        ),
      'tensor "classifier.bias": element 0 is NaN',
      "training",
    ],
  ])("refuses %s", (_, change, message, hint) => {
    const error = thrown(() => parseCheckpoint(weights(change))) as AegisError;
    expect(error).toBeInstanceOf(AegisError);
    expect(error.code).toBe("model");
    expect(error.message).toContain(`model.safetensors: ${message.startsWith("got") ? "" : message}`);
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  test("names three of many", () => {
    const deeper = json({ ...microConfig, num_hidden_layers: 2 });
    expect(() => parseCheckpoint(microFiles({ config: deeper }))).toThrow(/missing tensors .* and 13 more/);
  });

  test("flipped bits in any file end in a checkpoint or in a typed error", () => {
    const good = microFiles();
    const part = fc.constantFrom("config", "model", "tokenizer" as const);
    fc.assert(
      fc.property(part, fc.nat(), fc.nat(7), fc.boolean(), (name, at, bit, cut) => {
        const key = name as "config" | "model" | "tokenizer";
        const bytes = good[key].slice();
        const place = at % bytes.length;
        bytes[place] ^= 1 << bit;
        try {
          parseCheckpoint({ ...good, [key]: cut ? bytes.subarray(0, place) : bytes });
        } catch (error) {
          if (!(error instanceof AegisError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("loadCheckpoint", () => {
  const source = fileURLToPath(new URL("../../models/sentiment-bert-tiny/", import.meta.url));
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "aegis-model-"));
    for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
      await cp(join(source, name), join(directory, name));
    }
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  const failure = async (): Promise<AegisError> => {
    const error = await loadCheckpoint(directory).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AegisError);
    return error as AegisError;
  };

  test("works without tokenizer_config.json", async () => {
    await unlink(join(directory, "tokenizer_config.json"));
    const model = await loadCheckpoint(directory);
    expect(model.config).toMatchObject({ hiddenSize: 128, layers: 2, labels: ["NEGATIVE", "POSITIVE"] });
    expect(model.tokenizer.maximumTokens).toBe(128);
  });

  test("a truncated file", async () => {
    await truncate(join(directory, "model.safetensors"), 5_000_000);
    const error = await failure();
    expect(error.code).toBe("format");
    expect(error.message).toMatch(/^model\.safetensors: truncated: tensor .* the file has 5000000$/);
  });

  test("missing files in one message, with what to do", async () => {
    await unlink(join(directory, "model.safetensors"));
    await writeFile(join(directory, "pytorch_model.bin"), "");
    expect((await failure()).hint).toContain("safe_serialization");
    await unlink(join(directory, "tokenizer.json"));
    const error = await failure();
    expect(error.code).toBe("model");
    expect(error.message).toContain("model.safetensors, tokenizer.json are missing");
  });

  test("no directory at all", async () => {
    await rm(directory, { recursive: true });
    expect((await failure()).message).toContain("not a directory that can be read");
  });
});
