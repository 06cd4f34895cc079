/**
 * The test rows of a checkpoint (test.jsonl) and texts to calibrate with. A row either holds its
 * text or names it by source, index and SHA-256: then the text is read from the fixtures of the
 * npm package sentiment, which is not shipped with this one.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import { readLimited } from "./files.ts";
import { fileError, firstIssue, parseJson } from "./issues.ts";

/** One labelled text, and what the model said about it when it was exported. */
export interface Example {
  /** Where the text is from, such as `yelp/12` or `spam-2/01027`. */
  readonly id: string;
  readonly text: string;
  /** Index of the true class. */
  readonly label: number;
  /** Length in tokens, with [CLS] and [SEP]. */
  readonly tokens: number;
  /** Single-precision logits of the original implementation. */
  readonly logits: readonly number[];
}

export interface DatasetOptions {
  /** Directory with amazon.json, imdb.json and yelp.json; by default that of the installed package. */
  readonly fixtures?: string;
}

const file = "test.jsonl";
const sources = ["amazon", "imdb", "yelp"] as const;
const common = {
  label: z.int().nonnegative(),
  tokens: z.int().positive(),
  logits: z.array(z.number()).min(2).max(4096),
};
const namedRow = z.object({
  source: z.enum(sources),
  index: z.int().nonnegative(),
  sha256: z.string().length(64),
  ...common,
});
const textRow = z.object({ group: z.string().max(100), id: z.string().max(100), text: z.string(), ...common });
const fixture = z.array(z.object({ text: z.string(), class: z.number().nullish() }));
type Row = z.infer<typeof namedRow> | z.infer<typeof textRow>;
type Fixtures = Readonly<Record<string, z.infer<typeof fixture>>>;

/**
 * The test set next to a checkpoint, in the order of the file. Throws `io` when test.jsonl or
 * the package with its texts is absent, `format` when a row or a text is not what it should be.
 */
export async function loadTestSet(directory: string, options: DatasetOptions = {}): Promise<Example[]> {
  const rows = await readRows(directory);
  const fixtures = rows.some((row) => "source" in row) ? await readFixtures(options) : {};
  return rows.map((row): Example => {
    const { label, tokens, logits } = row;
    if (!("source" in row)) return { id: `${row.group}/${row.id}`, text: row.text, label, tokens, logits };
    const id = `${row.source}/${row.index}`;
    const text = normalise(fixtures[row.source]?.[row.index]?.text ?? "");
    if (bytesToHex(sha256(utf8ToBytes(text))) !== row.sha256) {
      throw fileError("format", file, `the text ${id} has another SHA-256 than its row says`, installHint);
    }
    return { id, text, label, tokens, logits };
  });
}

/**
 * Training texts of a checkpoint, none of them in its test part: what ranges may be measured
 * on. The list is empty where the training texts are not available (rows that hold their own
 * texts); take the stored ranges then. Throws as {@link loadTestSet}.
 */
export async function calibrationTexts(directory: string, options: DatasetOptions = {}): Promise<string[]> {
  const rows = await readRows(directory);
  if (!rows.some((row) => "source" in row)) return [];
  const fixtures = await readFixtures(options);
  const seen = new Set<string>();
  const texts: string[] = [];
  for (const source of sources) {
    for (const row of fixtures[source]) {
      if (row.class !== 0 && row.class !== 1) continue;
      const text = normalise(row.text);
      const key = splitKey(text);
      if (seen.has(key)) continue;
      seen.add(key);
      if (!isTestKey(key)) texts.push(text);
    }
  }
  return texts;
}

/** White space as the test rows have it: single spaces, none at the ends. */
function normalise(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** What the split is decided on: lower case, every run of other characters one space. */
export function splitKey(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, " ")
    .trim();
}

/** The split rule of the stored models: the first 32 bits of SHA-256 of the key, modulo 5, are 0 in the test part. */
export function isTestKey(key: string): boolean {
  const digest = sha256(utf8ToBytes(key));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0) % 5 === 0;
}

async function readRows(directory: string): Promise<Row[]> {
  const bytes = await readLimited(directory, file, 2 ** 28);
  const lines = new TextDecoder().decode(bytes).split("\n");
  const rows: Row[] = [];
  lines.forEach((line, i) => {
    if (line.trim() === "") return;
    const where = `${file} line ${i + 1}`;
    const value = parseJson(utf8ToBytes(line), where);
    const named = typeof value === "object" && value !== null && "source" in value;
    const parsed = named ? namedRow.safeParse(value) : textRow.safeParse(value);
    if (!parsed.success) throw fileError("format", where, firstIssue(parsed.error));
    rows.push(parsed.data);
  });
  return rows;
}

const installHint = "install the texts: npm install --save-dev sentiment@5.0.2";

async function readFixtures(options: DatasetOptions): Promise<Fixtures> {
  const directory = options.fixtures ?? (await installedFixtures());
  const entries = sources.map(async (source) => {
    const name = `${source}.json`;
    let bytes: Uint8Array;
    try {
      bytes = await readLimited(directory, name, 2 ** 26);
    } catch (cause) {
      throw packageAbsent(cause);
    }
    const parsed = fixture.safeParse(parseJson(bytes, name));
    if (!parsed.success) throw fileError("format", name, firstIssue(parsed.error), installHint);
    return [source, parsed.data] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Looks for the package beside this one, then in the working directory. */
async function installedFixtures(): Promise<string> {
  const { createRequire } = await import("node:module");
  const { dirname, join } = await import("node:path");
  let cause: unknown;
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      return join(dirname(createRequire(from).resolve("sentiment/package.json")), "test", "fixtures");
    } catch (error) {
      cause = error;
    }
  }
  throw packageAbsent(cause);
}

function packageAbsent(cause: unknown): AegisError {
  return new AegisError("io", "the texts of this test set are in the npm package sentiment, which is not installed", {
    operation: `load ${file}`,
    hint: installHint,
    cause,
  });
}
