/** Reading the files of a checkpoint from disk, with sizes checked before memory is taken. */
import { AegisError } from "../base/errors.ts";
import { fileError } from "./issues.ts";

/** Bytes accepted per file; the platform reads at most 2 GiB at once. */
const limits: Readonly<Record<string, number>> = {
  "config.json": 2 ** 20,
  "model.safetensors": 2 ** 31 - 1,
  "tokenizer.json": 2 ** 26,
  "tokenizer_config.json": 2 ** 20,
};

/** The bytes of a checkpoint, wherever they come from. */
export interface CheckpointFiles {
  readonly config: Uint8Array;
  readonly model: Uint8Array;
  readonly tokenizer: Uint8Array;
  /** Optional: without it the usual names of the special tokens are taken. */
  readonly tokenizerConfig?: Uint8Array;
}

/**
 * Reads a checkpoint directory. Throws one `model` error that lists every file that is missing,
 * `format` for a file that is too large, `io` for one that cannot be read.
 */
export async function readCheckpointFiles(directory: string): Promise<CheckpointFiles> {
  const { readdir } = await import("node:fs/promises");
  let present: Set<string>;
  try {
    present = new Set(await readdir(directory));
  } catch (cause) {
    throw fileError(
      "model",
      directory,
      "not a directory that can be read",
      "give the directory that holds config.json and model.safetensors",
      cause,
    );
  }
  const needed = ["config.json", "model.safetensors", "tokenizer.json"];
  const missing = needed.filter((name) => !present.has(name));
  if (missing.length > 0) {
    throw fileError(
      "model",
      directory,
      `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing`,
      hintFor(missing, present),
    );
  }
  const [config, model, tokenizer] = await Promise.all(
    needed.map((name) => readLimited(directory, name, limits[name])),
  );
  if (!present.has("tokenizer_config.json")) return { config, model, tokenizer };
  const tokenizerConfig = await readLimited(directory, "tokenizer_config.json", limits["tokenizer_config.json"]);
  return { config, model, tokenizer, tokenizerConfig };
}

function hintFor(missing: readonly string[], present: ReadonlySet<string>): string {
  if (missing.includes("model.safetensors")) {
    if (present.has("model.safetensors.index.json"))
      return "the model is split into several files; save it as one model.safetensors";
    if (present.has("pytorch_model.bin"))
      return "convert it: load it with transformers and call save_pretrained(dir, safe_serialization=True)";
  }
  if (missing.includes("tokenizer.json") && present.has("vocab.txt")) {
    return "make it from vocab.txt: BertTokenizerFast.from_pretrained(dir).save_pretrained(dir) in transformers";
  }
  return "a checkpoint directory holds config.json, model.safetensors, tokenizer.json and tokenizer_config.json";
}

/** The bytes of one file of at most `limit` bytes. Throws `io` or `format` errors that name it. */
export async function readLimited(directory: string, name: string, limit: number): Promise<Uint8Array> {
  const { open } = await import("node:fs/promises");
  const { join } = await import("node:path");
  try {
    const handle = await open(join(directory, name));
    try {
      const { size } = await handle.stat();
      if (size > limit) throw fileError("format", name, `expected at most ${limit} bytes, got ${size}`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof AegisError) throw cause;
    throw fileError(
      "io",
      name,
      `cannot be read from ${directory}`,
      "check that the file exists and is readable",
      cause,
    );
  }
}
